//! The small files of a run folder. A process that is killed leaves the old one or the new one.

use std::fs;
use std::io;
use std::path::Path;

use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::error::StateError;
use crate::durable;

pub(super) fn write_text(path: &Path, text: impl AsRef<[u8]>) -> Result<(), StateError> {
    let written = durable::write(path, |part| fs::write(part, text));
    written.map_err(|source| write_error(path, source))
}

/// What the text of a file begins with that is none.
const BINARY: &str = "base64:";

/// The content of a file that is no text, as state and training checkpoints hold it.
pub(crate) fn binary(content: &[u8]) -> String {
    BINARY.to_owned() + &BASE64_STANDARD.encode(content)
}

/// The content of a file of which they hold this.
pub(super) fn content(held: &str) -> Vec<u8> {
    let binary = held.strip_prefix(BINARY);
    let binary = binary.and_then(|digits| BASE64_STANDARD.decode(digits).ok());
    binary.unwrap_or_else(|| held.into())
}

pub(super) fn write_error(path: &Path, source: io::Error) -> StateError {
    StateError::Write {
        path: path.to_owned(),
        source,
    }
}
