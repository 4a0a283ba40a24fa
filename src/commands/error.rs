//! What can end a command.

use std::path::PathBuf;

use thiserror::Error;

use crate::analysis::AnalysisError;
use crate::analysis::compare::CompareError;
use crate::analysis::grams::GramsError;
use crate::analysis::probe::ProbeError;
use crate::data::checkpoints::CheckpointError;
use crate::data::error::LoadError;
use crate::data::find::FindError;
use crate::data::labeled::DatasetError;
use crate::device::{BackendError, DeviceError};
use crate::logger::LoggerError;
use crate::network::ForwardError;
use crate::network::vgg::Arch;
use crate::network::vgg::NetworkError;
use crate::network::{InputTooSmall, SelectError};
use crate::settings::{ShardError, UsageError};
use crate::train::{self, TrainError};
use crate::weights::{WeightsError, imagenet::ImagenetError};
use tensorboard_events::EventFileError;

/// A run that did not come to its end. What was written before stays readable.
#[derive(Debug, Error)]
pub(crate) enum RunError {
    #[error("{0}")]
    List(#[from] FindError),
    #[error("{0}")]
    Checkpoints(#[from] CheckpointError),
    #[error("no checkpoint given: name files, a folder or a pattern")]
    NoCheckpoint,
    #[error("{0}")]
    Dataset(#[from] DatasetError),
    #[error("{0}")]
    Train(#[from] TrainError),
    #[error("{0}")]
    Saved(#[from] train::CheckpointError),
    #[error(
        "{path} was trained on the classes {trained:?}, but the data set has {found:?}: resume with the same data set"
    )]
    OtherClasses {
        path: PathBuf,
        trained: Vec<String>,
        found: Vec<String>,
    },
    #[error(
        "{folder} is trained to its end: step {step} of {steps}; to train further, resume with a larger --epochs or --steps"
    )]
    AllDone {
        folder: PathBuf,
        step: u64,
        steps: u64,
    },
    #[error("{0}")]
    Shard(#[from] ShardError),
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
        "{0} is made in parts, and not all of them are done: repeat the command of each that is missing (--shard I/N), or name another --run"
    )]
    InParts(PathBuf),
    #[error(
        "{folder} is whole, and {new} checkpoints are new: to show them too, repeat the command once without --shard"
    )]
    NewSince { folder: PathBuf, new: usize },
    #[error("{file}: {why}; delete the folder {}, and make the parts again", file.parent().unwrap_or(file).display())]
    Part { file: PathBuf, why: String },
    #[error("{0}")]
    Events(#[from] EventFileError),
    #[error("{folder} shows every checkpoint already: {steps} steps")]
    NothingNew { folder: PathBuf, steps: usize },
    #[error(
        "no complete checkpoint came; name the folder that they are written to, or give it more time with --follow=TIME"
    )]
    NoneCame,
    #[error(
        "{path} is step {now} now, and was step {was}: the names that came changed which number is the step; capture it with --step REGEX"
    )]
    OtherStep { path: PathBuf, was: i64, now: i64 },
    #[error("{path} is incomplete or damaged, and does not change any more: {why}")]
    Incomplete { path: PathBuf, why: String },
    #[error("{folder} was made with other settings: {changed}; repeat them, or name another --run")]
    OtherConfiguration { folder: PathBuf, changed: String },
    #[error("{0} shows other probe images: repeat --images as it was, or name another --run")]
    OtherProbes(PathBuf),
    #[error("cannot read {path}, from which the run would go on")]
    ReadManifest {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error(
        "{path} is damaged at line {line}: {why}; delete that line and those after it, or name another --run"
    )]
    Manifest {
        path: PathBuf,
        line: usize,
        why: String,
    },
    #[error(
        "cannot write {path}, from which the run would go on: free some space, then repeat the command"
    )]
    WriteManifest {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error(
        "cannot start this program again so that no library of NVIDIA uses TF32: set NVIDIA_TF32_OVERRIDE=0 yourself, or allow it with --precision tf32"
    )]
    Restart(#[source] std::io::Error),
    #[error("{0}")]
    Settings(#[from] UsageError),
    #[error("VGGSCOPE_RENDER is {0:?}, expected auto, device or host")]
    RenderOn(String),
    #[error("{0}")]
    Device(#[from] DeviceError),
    #[error("{0}")]
    Weights(#[from] WeightsError),
    #[error("{0}")]
    Imagenet(#[from] ImagenetError),
    #[error("{0}")]
    Network(#[from] NetworkError),
    #[error(
        "{0}: the first checkpoint takes color images and this one gray ones, or the reverse: show them in runs of their own"
    )]
    OtherColors(PathBuf),
    #[error(
        "{path} holds another network than this run shows: {layer} has {parameter} {found}, expected {expected}; show it in a run of its own"
    )]
    WidthMismatch {
        path: PathBuf,
        layer: String,
        parameter: String,
        found: String,
        expected: String,
    },
    #[error("{0}")]
    Select(#[from] SelectError),
    #[error(
        "--freeze {given:?}: expected \"none\", \"features\", or the last layer of {arch} to freeze, such as pool3 (`vggscope layers` lists them all)"
    )]
    Freeze { given: String, arch: Arch },
    #[error(
        "--hidden {given}: the hidden layers of {path} have {found} units and come with the weights; leave --hidden out"
    )]
    Hidden {
        path: PathBuf,
        given: usize,
        found: usize,
    },
    #[error(
        "--crop {side} is too small to train with: pooling leaves nothing of {side} x {side} pixels at {layer}, and the classifier stands behind it; use a larger --crop"
    )]
    TrainingSize {
        side: usize,
        /// The first layer with an empty output.
        layer: String,
    },
    #[error("{0}")]
    Size(#[from] InputTooSmall),
    #[error("{0}")]
    Image(#[from] LoadError),
    #[error("{0}")]
    Forward(#[from] ForwardError),
    #[error("{0}")]
    Probe(#[from] ProbeError),
    #[error("{0}")]
    Analysis(#[from] AnalysisError),
    #[error("{0}")]
    Compare(#[from] CompareError),
    #[error("{folder} already holds a run ({file}): choose another name with --run, {or}")]
    UsedFolder {
        folder: PathBuf,
        file: PathBuf,
        or: &'static str,
    },
    #[error(
        "{0} is in use by another vggscope, which logs to it: choose another name with --run, or wait for its end"
    )]
    BusyFolder(PathBuf),
    #[error(
        "{folder} has {written} of {due} steps, and no error was reported: please report it with the command you ran"
    )]
    StepsMissing {
        folder: PathBuf,
        written: u64,
        due: u64,
    },
    #[error("{}: loading it failed", path.display())]
    Loading { path: PathBuf, source: BackendError },
    #[error("cannot use the run folder {folder}: choose another with --logdir or --run")]
    RunFolder {
        folder: PathBuf,
        source: std::io::Error,
    },
    #[error("{0}")]
    Grams(#[from] GramsError),
    #[error("{0}")]
    Logger(#[from] LoggerError),
    #[error("cannot write {path}: free some space or choose another folder with --logdir")]
    WriteConfig {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error(
        "{file} has nothing for {layer}: take it from a run that shows this layer, or leave the layer out with --layers"
    )]
    NotCalibrated { file: PathBuf, layer: String },
    #[error(
        "cannot read {file}: a run with --range run leaves ranges.toml in its folder, one with --maps top:N, changed:N or a list channels.toml"
    )]
    ReadSettled {
        file: PathBuf,
        source: std::io::Error,
    },
    #[error("{file}: {why}; expected the file that a run left there")]
    ParseSettled { file: PathBuf, why: String },
    #[error("the configuration cannot be written as TOML, perhaps because a path is not UTF-8")]
    Resolve(#[from] toml::ser::Error),
    #[error("nothing is left to show: all {count} {what} were skipped; the first: {first}")]
    NothingLeft {
        count: usize,
        what: &'static str,
        first: String,
    },
}

impl RunError {
    /// Whether there was nothing to do, because it was done before.
    pub(crate) fn is_done(&self) -> bool {
        matches!(
            self,
            Self::AllDone { .. } | Self::NothingNew { .. } | Self::EmptyPart { .. }
        )
    }

    /// Whether the command could never have worked as it was typed.
    pub(crate) fn is_wrong_use(&self) -> bool {
        if let Self::Compare(error) = self {
            return error.is_wrong_use();
        }
        matches!(
            self,
            Self::Select(_)
                | Self::NotCalibrated { .. }
                | Self::ReadSettled { .. }
                | Self::ParseSettled { .. }
                | Self::Freeze { .. }
                | Self::OtherConfiguration { .. }
                | Self::OtherProbes(_)
                | Self::Shard(_)
                | Self::OtherParts { .. }
                | Self::OtherSequence { .. }
                | Self::InParts(_)
                | Self::NewSince { .. }
                | Self::Hidden { .. }
                | Self::TrainingSize { .. }
                | Self::Size(_)
        )
    }
}
