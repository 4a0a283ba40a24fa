//! What is wrong with a run folder.

use std::io;
use std::path::PathBuf;

use tensorboard_events::ReadError;
use thiserror::Error;

#[derive(Debug, Error)]
#[non_exhaustive]
pub(crate) enum StateError {
    #[error("cannot use the run folder {folder}")]
    Folder { folder: PathBuf, source: io::Error },
    #[error("{folder} already holds a run ({file})")]
    Used { folder: PathBuf, file: PathBuf },
    #[error("{0} is in use by another process, which logs to it")]
    Busy(PathBuf),
    #[error("{0} is made in parts, which are not merged yet")]
    InParts(PathBuf),
    #[error(
        "{folder} holds an event file with values ({file}), but no whole state.jsonl, which says what they show"
    )]
    NoState { folder: PathBuf, file: PathBuf },
    #[error("cannot read {path}")]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write {path}")]
    Write { path: PathBuf, source: io::Error },
    #[error("{path} has the format {version}, which this version of the program does not know")]
    Version { path: PathBuf, version: u32 },
    #[error("{0}")]
    Events(#[from] ReadError),
}

impl StateError {
    /// Of a folder that a run cannot be resumed in.
    pub(crate) fn without_state(self) -> Self {
        match self {
            Self::Used { folder, file } => Self::NoState { folder, file },
            other => other,
        }
    }
}
