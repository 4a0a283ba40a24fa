//! SHA-256 of a stream.

use std::fmt::Write as _;
use std::io::{self, Read};

use sha2::{Digest, Sha256};

const PIECE: usize = 1 << 20;

/// SHA-256 of everything in `reader`, in lowercase hexadecimal, as `sha256sum` prints it.
pub(crate) fn sha256(reader: &mut dyn Read) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; PIECE];
    loop {
        let read = match reader.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        if read == 0 {
            break;
        }
        hash.update(buffer.get(..read).unwrap_or_default());
    }
    let mut text = String::with_capacity(64);
    for byte in hash.finalize() {
        // Writing into a string does not fail.
        _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    // `printf abc | sha256sum`
    #[test]
    fn it_prints_as_sha256sum_does() {
        assert_eq!(
            super::sha256(&mut &b"abc"[..]).unwrap(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
