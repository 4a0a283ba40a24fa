//! Bytes in protocol 2, which has no opcode for them.

use std::sync::Arc;

/// The bytes that `_codecs.encode(text, "latin1")` gives: one a character.
pub(super) fn latin1(text: &str) -> Option<Arc<[u8]>> {
    text.chars()
        .map(|c| u8::try_from(u32::from(c)).ok())
        .collect()
}
