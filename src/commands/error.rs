//! What can end a command.

use std::error::Error;
use std::ops::Deref;
use std::path::PathBuf;

use thiserror::Error;

use super::checkpoints::error::CheckpointsError;
use super::event_runs::EventRunError;
use super::export::ExportError;
use super::view::ViewError;
use crate::analysis::compare::CompareError;
use crate::data::transform::Crop;
use crate::network::vgg::Arch;
use crate::network::{InputError, SelectError};
use crate::settings::ShardError;
use crate::state::StateError;

/// A command that did not come to its end: the error of any room. What was written before stays readable.
///
/// No `Error` itself, so that `?` takes every other one; what to do about it depends on what is inside.
#[derive(Debug)]
pub(crate) struct RunError(Box<dyn Error + Send + Sync>);

impl<E: Error + Send + Sync + 'static> From<E> for RunError {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

impl Deref for RunError {
    type Target = dyn Error + 'static;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl RunError {
    /// Whether there was nothing to do, because it was done before.
    pub(crate) fn is_done(&self) -> bool {
        match self.downcast_ref() {
            Some(error) => CheckpointsError::is_done(error),
            None => matches!(self.downcast_ref(), Some(CommandError::AllDone { .. })),
        }
    }

    /// Whether the command could never have worked as it was typed.
    pub(crate) fn is_wrong_use(&self) -> bool {
        self.is::<SelectError>()
            || self.is::<InputError>()
            || self.is::<ShardError>()
            || self.is::<EventRunError>()
            || matches!(self.downcast_ref(), Some(StateError::InParts(_)))
            || matches!(self.downcast_ref(), Some(ViewError::Comma(_)))
            || self.is_a(ExportError::is_wrong_use)
            || self.is_a(CompareError::is_wrong_use)
            || self.is_a(CheckpointsError::is_wrong_use)
            || self.is_a(CommandError::is_wrong_use)
    }

    fn is_a<E: Error + 'static>(&self, holds: fn(&E) -> bool) -> bool {
        self.downcast_ref().is_some_and(holds)
    }
}

#[derive(Debug, Error)]
pub(crate) enum CommandError {
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
    #[error(
        "cannot start this program again so that no library of NVIDIA uses TF32: set NVIDIA_TF32_OVERRIDE=0 yourself, or allow it with --precision tf32"
    )]
    Restart(#[source] std::io::Error),
    #[error(
        "cannot start the thread that waits for Ctrl-C; raise the limit on processes (ulimit -u)"
    )]
    Signals(#[source] std::io::Error),
    #[error("VGGSCOPE_RENDER is {0:?}, expected auto, device or host")]
    RenderOn(String),
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
    /// `layer` is the first one with an empty output.
    #[error(
        "--crop {crop} is too small to train with: pooling leaves nothing of {} x {} pixels at {layer}, and the classifier stands behind it; use a larger --crop",
        crop.height, crop.width
    )]
    TrainingSize { crop: Crop, layer: String },
    #[error(
        "{folder} has {written} of {due} steps, and no error was reported: please report it with the command you ran"
    )]
    StepsMissing {
        folder: PathBuf,
        written: u64,
        due: u64,
    },
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
    #[error("cannot write the summary to {path}")]
    WriteSummary {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("nothing is left to show: all {count} {what} were skipped; the first: {first}")]
    NothingLeft {
        count: usize,
        what: &'static str,
        first: String,
    },
}

impl CommandError {
    fn is_wrong_use(&self) -> bool {
        matches!(
            self,
            Self::NotCalibrated { .. }
                | Self::ReadCalibration { .. }
                | Self::ParseCalibration { .. }
                | Self::Freeze { .. }
                | Self::Hidden { .. }
                | Self::TrainingSize { .. }
        )
    }
}
