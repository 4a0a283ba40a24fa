//! A command line or a configuration file that cannot be run.

use std::path::PathBuf;

use thiserror::Error;

use super::file::FileError;

/// A command line that cannot be run.
#[derive(Debug, Error)]
pub(crate) enum UsageError {
    #[error(transparent)]
    Clap(#[from] clap::Error),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Settings(#[from] SettingsError),
}

#[derive(Debug, Error)]
pub(crate) enum SettingsError {
    #[error("no {what} given: {how}")]
    Missing {
        what: &'static str,
        how: &'static str,
    },
    #[error(
        "--run {0:?} must be a name inside the log folder, without \"..\" and not absolute; use --logdir for another log folder"
    )]
    RunOutside(PathBuf),
    #[error("--crop off: a batch needs images of one size, so training needs a --crop in pixels")]
    NoCrop,
    #[error("{flag} cannot be used here: {why}")]
    Excluded {
        flag: &'static str,
        /// What rules it out, and how to go on.
        why: &'static str,
    },
    #[error("{flag} is {found}, expected {expected}")]
    Number {
        flag: &'static str,
        found: f64,
        expected: &'static str,
    },
}
