//! What keeps arguments from being a sequence of checkpoints.

use std::path::PathBuf;

use thiserror::Error;

use crate::data::find::FindError;

/// What keeps arguments from being a sequence of checkpoints.
#[derive(Debug, Error)]
pub(crate) enum CheckpointError {
    #[error("{0}")]
    Find(#[from] FindError),
    #[error(
        "no checkpoint is left: all {count} are excluded; the first: {}",
        first.display()
    )]
    AllExcluded { count: usize, first: PathBuf },
    #[error("no whole number in these names to take the step from: {names}")]
    NoNumber { names: String },
    #[error(
        "{}: '{regex}' captures no whole number in this name, nor in another; it is searched in the file's name and \
         then in its path below the folder given",
        path.display()
    )]
    NoMatch { path: PathBuf, regex: String },
    #[error(
        "{} and {}: two numbers in these names differ and give different orders",
        first.display(),
        second.display()
    )]
    Ambiguous {
        /// The file with the smaller last number.
        first: PathBuf,
        /// The file with the smaller earlier number.
        second: PathBuf,
    },
    #[error(
        "{} and {}: both have step {step}",
        first.display(),
        second.display()
    )]
    SameStep {
        step: i64,
        first: PathBuf,
        second: PathBuf,
    },
    #[error(
        "{}: the number in this name is no step: expected 0 to {}",
        path.display(),
        i64::MAX
    )]
    OutOfRange { path: PathBuf },
}

/// A text that says nothing of where steps come from.
#[derive(Debug, Error)]
pub(crate) enum StepSourceError {
    #[error(
        "expected \"name\", \"index\", or a regular expression with one group that matches the step, as in 'epoch_(\\d+)'"
    )]
    Groups,
    #[error("{}", .0.to_string().replace('\n', " "))]
    Expression(regex::Error),
}
