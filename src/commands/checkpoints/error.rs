//! What keeps checkpoints from being shown.

use std::path::PathBuf;

use thiserror::Error;

use crate::device::BackendError;

/// Checkpoints that cannot be shown, or need not be.
#[derive(Debug, Error)]
pub(crate) enum CheckpointsError {
    #[error("no checkpoint given: name files, a folder or a pattern")]
    NoneGiven,
    #[error(
        "no complete checkpoint came; name the folder that they are written to, or give it more time with --follow=TIME"
    )]
    NoneCame,
    #[error("{folder} shows every checkpoint already: {steps} steps")]
    NothingNew { folder: PathBuf, steps: usize },
    #[error("{folder} was made with other settings: {changed}; repeat them, or name another --run")]
    OtherSettings { folder: PathBuf, changed: String },
    #[error("{0} shows other probe images: repeat --images as it was, or name another --run")]
    OtherProbes(PathBuf),
    #[error(
        "{0}: the first checkpoint takes color images and this one gray ones, or the reverse: show them in runs of their own"
    )]
    OtherColors(PathBuf),
    #[error(
        "{path} is step {now} now, and was step {was}: the names that came changed which number is the step; capture it with --step REGEX"
    )]
    OtherStep { path: PathBuf, was: i64, now: i64 },
    #[error("{path} is incomplete or damaged, and does not change any more: {why}")]
    Incomplete { path: PathBuf, why: String },
    #[error("{path}: loading it failed")]
    Loading { path: PathBuf, source: BackendError },
    #[error("looking for further checkpoints failed")]
    Looking(#[source] BackendError),
    #[error(
        "part {index} has nothing to do: there are {checkpoints} checkpoints, and a part each shows them all"
    )]
    EmptyPart { index: usize, checkpoints: usize },
    #[error(
        "{folder} is split into {expected} parts, not {found}: repeat --shard as it was (auto/{expected} in a job array), or name another --run"
    )]
    OtherParts {
        folder: PathBuf,
        expected: usize,
        found: usize,
    },
    #[error(
        "{folder} is split over other checkpoints: {expected} when its first part began, and now {found}, or others; name another --run, or show later ones once all parts are done"
    )]
    OtherSequence {
        folder: PathBuf,
        expected: usize,
        found: usize,
    },
    #[error(
        "{folder} is whole, and {new} checkpoints are new: to show them too, repeat the command once without --shard"
    )]
    NewSince { folder: PathBuf, new: usize },
}

impl CheckpointsError {
    /// Whether there was nothing to do, because it was done before.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self, Self::NothingNew { .. } | Self::EmptyPart { .. })
    }

    /// Whether the command could never have worked as it was typed.
    pub(crate) fn is_wrong_use(&self) -> bool {
        matches!(
            self,
            Self::OtherSettings { .. }
                | Self::OtherProbes(_)
                | Self::OtherParts { .. }
                | Self::OtherSequence { .. }
                | Self::NewSince { .. }
        )
    }
}
