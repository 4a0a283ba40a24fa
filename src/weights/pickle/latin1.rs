//! Bytes in protocol 2, which has no opcode for them.

use std::sync::Arc;

/// The bytes that `_codecs.encode(text, "latin1")` gives: one a character.
pub(super) fn latin1(text: &str) -> Option<Arc<[u8]>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    // Byte by byte: a VGG16 of NumPy arrays has 800 MB of it.
    while let Some(first) = rest.next() {
        bytes.push(match first {
            0..0x80 => first,
            0xc2 | 0xc3 => first << 6 | rest.next()? & 0x3f,
            _ => return None,
        });
    }
    Some(bytes.into())
}

#[cfg(test)]
mod tests {
    use super::latin1;

    #[test]
    fn every_byte_has_its_character() {
        let text: String = (0..=u8::MAX).map(char::from).collect();
        let bytes: Vec<u8> = (0..=u8::MAX).collect();
        assert_eq!(&*latin1(&text).unwrap(), bytes);
        assert_eq!(latin1("\u{100}"), None);
    }
}
