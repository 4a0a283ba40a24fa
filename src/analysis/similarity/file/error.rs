//! Errors of the file of Gram matrices.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// A file of Gram matrices that cannot be written or read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum GramsFileError {
    /// An I/O error.
    #[error("cannot write {path}: free some space or choose another folder with --logdir")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What is to be written has no place in the file.
    #[error("cannot write {path}: {why}")]
    NoPlace {
        /// The file.
        path: PathBuf,
        /// What was expected and found.
        why: String,
    },
    /// An I/O error.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is shorter than its header says.
    #[error("{path} is truncated: expected {expected} bytes, found {found}; copy it again")]
    Truncated {
        /// The file.
        path: PathBuf,
        /// What the header says.
        expected: u64,
        /// The file's length.
        found: u64,
    },
    /// The file contradicts itself, or is another one.
    #[error("{path} is damaged: {why}; delete it and repeat its run with --compare-images")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A later version wrote it.
    #[error(
        "{path} has the format {found}, and this vggscope reads {expected}: use the version that wrote it, or repeat its run"
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// The format that is read here.
        expected: &'static str,
        /// The file's.
        found: String,
    },
}
