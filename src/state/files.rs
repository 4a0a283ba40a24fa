//! The small files of a run folder. A process that is killed leaves the old one or the new one.

use std::fs;
use std::io;
use std::path::Path;

use super::error::StateError;
use crate::durable;

/// Writes a file, or replaces it.
pub(super) fn write_text(path: &Path, text: &str) -> Result<(), StateError> {
    let written = durable::write(path, |part| fs::write(part, text));
    written.map_err(|source| write_error(path, source))
}

pub(super) fn write_error(path: &Path, source: io::Error) -> StateError {
    StateError::Write {
        path: path.to_owned(),
        source,
    }
}
