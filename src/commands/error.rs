//! What can end a command.

use std::path::PathBuf;

use thiserror::Error;

use crate::analysis::AnalysisError;
use crate::analysis::compare::CompareError;
use crate::analysis::grams::GramsError;
use crate::analysis::probe::ProbeError;
use crate::commands::checkpoints::error::CheckpointsError;
use crate::data::checkpoints::CheckpointError;
use crate::data::error::LoadError;
use crate::data::find::FindError;
use crate::data::labeled::DatasetError;
use crate::device::DeviceError;
use crate::logger::LoggerError;
use crate::network::ForwardError;
use crate::network::vgg::Arch;
use crate::network::vgg::NetworkError;
use crate::network::{InputTooSmall, SelectError};
use crate::settings::{ShardError, UsageError};
use crate::state::{StateError, WidthMismatch};
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
    #[error("{0}")]
    Sweep(#[from] CheckpointsError),
    #[error("{0}")]
    State(#[from] StateError),
    #[error("{0}")]
    Width(#[from] WidthMismatch),
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
    #[error("{0}")]
    Events(#[from] EventFileError),
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
    #[error(
        "{folder} has {written} of {due} steps, and no error was reported: please report it with the command you ran"
    )]
    StepsMissing {
        folder: PathBuf,
        written: u64,
        due: u64,
    },
    #[error("{0}")]
    Grams(#[from] GramsError),
    #[error("{0}")]
    Logger(#[from] LoggerError),
    #[error(
        "{file} has nothing for {layer}: take it from a run that shows this layer, or leave the layer out with --layers"
    )]
    NotCalibrated { file: PathBuf, layer: String },
    #[error(
        "cannot read {file}: a run with --range run leaves ranges.toml in its folder, one with --maps top:N, changed:N or a list channels.toml"
    )]
    ReadCalibration {
        file: PathBuf,
        source: std::io::Error,
    },
    #[error("{file}: {why}; expected the file that a run left there")]
    ParseCalibration { file: PathBuf, why: String },
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
        match self {
            Self::Sweep(error) => error.is_done(),
            error => matches!(error, Self::AllDone { .. }),
        }
    }

    /// Whether the command could never have worked as it was typed.
    pub(crate) fn is_wrong_use(&self) -> bool {
        match self {
            Self::Compare(error) => return error.is_wrong_use(),
            Self::Sweep(error) => return error.is_wrong_use(),
            _ => {}
        }
        matches!(
            self,
            Self::Select(_)
                | Self::NotCalibrated { .. }
                | Self::ReadCalibration { .. }
                | Self::ParseCalibration { .. }
                | Self::Freeze { .. }
                | Self::Shard(_)
                | Self::State(StateError::InParts(_))
                | Self::Hidden { .. }
                | Self::TrainingSize { .. }
                | Self::Size(_)
        )
    }
}
