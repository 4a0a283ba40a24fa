//! What is wrong with a run folder.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// A run folder that cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub(crate) enum StateError {
    #[error("cannot use the run folder {folder}")]
    Folder { folder: PathBuf, source: io::Error },
    #[error("{folder} already holds a run ({file})")]
    Used { folder: PathBuf, file: PathBuf },
    #[error("{0} is in use by another process, which logs to it")]
    Busy(PathBuf),
    #[error("{0} is made in parts, and not all of them are done")]
    InParts(PathBuf),
    #[error("cannot read {path}")]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write {path}")]
    Write { path: PathBuf, source: io::Error },
    #[error("{path} is damaged at line {line}: {why}")]
    Manifest {
        path: PathBuf,
        line: usize,
        why: String,
    },
    #[error("{path} is damaged: {why}")]
    Toml { path: PathBuf, why: String },
}
