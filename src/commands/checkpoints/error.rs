//! What keeps checkpoints from being shown.

use std::path::PathBuf;

use thiserror::Error;

use crate::device::BackendError;
use crate::one_line::listed;
use crate::state::State;

const NAMED: usize = 3;

#[derive(Debug, Error)]
pub(crate) enum CheckpointsError {
    #[error("no checkpoint given: name files, a folder or a pattern")]
    NoneGiven,
    #[error(
        "no complete checkpoint came; name the folder that they are written to, or give it more time with --follow=TIME"
    )]
    NoneCame,
    #[error(
        "{folder} shows every checkpoint already: {steps} steps{}{}", and_left_out(.left_out),
        if *.needs_summary {"; for --json and --fail-if show them again, with another --run"} else {""}
    )]
    NothingNew {
        folder: PathBuf,
        steps: usize,
        left_out: String,
        /// Whether its summary is asked for, which was written with its last step.
        needs_summary: bool,
    },
    #[error("{folder} was made with other settings: {changed}; repeat them, or name another --run")]
    OtherSettings { folder: PathBuf, changed: String },
    #[error(
        "{0} shows other probe images or comparison images: repeat --images and --compare-images as they were, or name another --run"
    )]
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
    #[error("--json and --fail-if are about all parts of a run: give them to `vggscope merge`")]
    SummaryOfPart,
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
    #[error(
        "{0} holds no parts of a run, as checkpoints --shard makes them: name the run's folder, LOGDIR/RUN"
    )]
    NoParts(PathBuf),
    #[error(
        "{folder} lacks part {missing} of {parts}: repeat the command of each that is missing, then merge again"
    )]
    PartsMissing {
        folder: PathBuf,
        missing: String,
        parts: usize,
    },
    #[error(
        "{0}: the config.toml of every part is lost; repeat the command of one part, which writes it again, then merge again"
    )]
    NoConfig(PathBuf),
    #[error("{0} is a part of another run than the parts next to it: delete it, and make it again")]
    OtherPart(PathBuf),
}

fn and_left_out(files: &str) -> String {
    match files {
        "" => String::new(),
        files => format!("; left out, since they could not be read: {files}"),
    }
}

impl CheckpointsError {
    pub(super) fn nothing_new(folder: PathBuf, state: &State, needs_summary: bool) -> Self {
        Self::NothingNew {
            folder,
            steps: state.shown().count(),
            left_out: listed(state.left_out().map(|entry| &entry.name), ", ", NAMED),
            needs_summary,
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        match self {
            Self::NothingNew {
                left_out,
                needs_summary,
                ..
            } => left_out.is_empty() && !needs_summary,
            Self::EmptyPart { .. } => true,
            _ => false,
        }
    }

    pub(crate) fn is_wrong_use(&self) -> bool {
        matches!(
            self,
            Self::OtherSettings { .. }
                | Self::OtherProbes(_)
                | Self::OtherParts { .. }
                | Self::OtherSequence { .. }
                | Self::NewSince { .. }
                | Self::NoParts(_)
                | Self::SummaryOfPart
        )
    }
}
