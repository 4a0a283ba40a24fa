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
        "no checkpoint is left: --exclude takes out all {count}; the first: {}; leave a pattern out",
        first.display()
    )]
    AllExcluded { count: usize, first: PathBuf },
    #[error(
        "no whole number in these names to take the step from: {names}; name one file alone, or number \
         the checkpoints in natural order with --step-from index"
    )]
    NoNumber { names: String },
    #[error(
        "{}: --step-regex '{regex}' captures no whole number in this name, nor in another; change the \
         expression, which is searched in the file's name and then in its path below the folder given",
        path.display()
    )]
    NoMatch { path: PathBuf, regex: String },
    #[error(
        "{} and {}: two numbers in these names differ and give different orders; capture the step with \
         --step-regex, such as 'epoch(\\d+)', or number the checkpoints in natural order with \
         --step-from index",
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
        "{} and {}: both have step {step}; leave one out with --exclude, capture another number with \
         --step-regex, or number the checkpoints in natural order with --step-from index",
        first.display(),
        second.display()
    )]
    SameStep {
        step: i64,
        first: PathBuf,
        second: PathBuf,
    },
    #[error(
        "{}: the number in this name is no step: expected 0 to {}; leave the file out with --exclude, \
         rename it, or number the checkpoints in natural order with --step-from index",
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
