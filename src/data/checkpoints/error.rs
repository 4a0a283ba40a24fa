//! What keeps arguments from being a sequence of checkpoints.

use std::path::PathBuf;

use thiserror::Error;

use crate::data::find::FindError;

#[derive(Debug, Error)]
pub(crate) enum CheckpointError {
    #[error("{0}")]
    Find(#[from] FindError),
    #[error("{0}: was a folder of checkpoints, and is a file now")]
    NoFolder(PathBuf),
    #[error("no checkpoint is left: all {count} are excluded; the first: {first}")]
    AllExcluded { count: usize, first: PathBuf },
    #[error("no whole number in these names to take the step from: {names}")]
    NoNumber { names: String },
    #[error(
        "{path}: '{regex}' captures no whole number in this name, nor in another; it is searched in the file's name and then in its path below the folder given"
    )]
    NoMatch { path: PathBuf, regex: String },
    #[error("{first} and {second}: two numbers in these names differ and give different orders")]
    Ambiguous {
        /// The file with the smaller last number.
        first: PathBuf,
        /// The file with the smaller earlier number.
        second: PathBuf,
    },
    #[error("{first} and {second}: both have step {step}")]
    SameStep {
        step: i64,
        first: PathBuf,
        second: PathBuf,
    },
    #[error(
        "{path}: the number in this name is no step: expected 0 to {}",
        i64::MAX
    )]
    OutOfRange { path: PathBuf },
}
