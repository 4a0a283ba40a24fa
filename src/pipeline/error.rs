//! What can end a run.

use std::path::{Path, PathBuf};

use thiserror::Error;

use super::PictureError;
use crate::dataset::{DatasetError, LoaderError};
use crate::device::DeviceError;
use crate::events::EventFileError;
use crate::input::checkpoints::CheckpointError;
use crate::input::find::FindError;
use crate::input::load::LoadError;
use crate::train::{self, TrainError};
use crate::vgg::{Arch, BuildError, GraftError, InputTooSmall, NoSuchParameter, SelectError};
use crate::weights::{WeightsError, imagenet::ImagenetError};

/// A run that did not come to its end. What was written before stays readable.
#[derive(Debug, Error)]
pub enum RunError {
    /// The images cannot be listed.
    #[error(transparent)]
    List(#[from] FindError),
    /// The checkpoints cannot be listed.
    #[error(transparent)]
    Checkpoints(#[from] CheckpointError),
    /// The data set cannot be used.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// A batch cannot be had.
    #[error(transparent)]
    Loader(#[from] LoaderError),
    /// The training cannot go on.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// A checkpoint of a training cannot be written or read.
    #[error(transparent)]
    Saved(#[from] train::CheckpointError),
    /// The loss or the gradients are not what they should be.
    #[error("{what}; {place}; {checkpoint}")]
    Trouble {
        /// The step and what was seen.
        what: String,
        /// Where it begins.
        place: String,
        /// The last good checkpoint, and how to go on.
        checkpoint: String,
    },
    /// The classes of the data set are not those that were trained.
    #[error(
        "{path} was trained on the classes {trained:?}, but the data set has {found:?}: resume with the same data set"
    )]
    OtherClasses {
        /// The checkpoint.
        path: PathBuf,
        /// The checkpoint's classes.
        trained: Vec<String>,
        /// The data set's.
        found: Vec<String>,
    },
    /// There is nothing left to train.
    #[error(
        "{folder} is trained to its end: step {step} of {steps}; go on with a larger --epochs or --steps"
    )]
    AllDone {
        /// The run's folder.
        folder: PathBuf,
        /// Steps taken.
        step: u64,
        /// Steps asked for.
        steps: u64,
    },
    /// The device is not there.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The weights cannot be used.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The published weights cannot be had.
    #[error(transparent)]
    Imagenet(#[from] ImagenetError),
    /// The tensors of a file do not fit each other.
    #[error("{path}")]
    Build {
        /// The file.
        path: PathBuf,
        /// Which tensor, and why.
        source: BuildError<WeightsError>,
    },
    /// The tensors of a file and a new classifier do not fit each other.
    #[error("{path}")]
    Graft {
        /// The file.
        path: PathBuf,
        /// Which tensor, and why.
        source: BuildError<GraftError<WeightsError>>,
    },
    /// The random parameters do not make the network.
    #[error("the random network cannot be built")]
    BuildRandom(#[from] BuildError<NoSuchParameter>),
    /// No such layer.
    #[error(transparent)]
    Select(#[from] SelectError),
    /// What is to be frozen is not one layer.
    #[error(
        "--freeze {given:?}: expected \"none\", \"features\", or one layer of {arch}, the last that stays as it is, such as pool3 (`vggscope layers` lists them all)"
    )]
    Freeze {
        /// What was given.
        given: String,
        /// The network.
        arch: Arch,
    },
    /// The weights' classifier is not as wide as asked.
    #[error(
        "--hidden {given}: the hidden layers of {path} have {found} units, and come with it; leave --hidden out"
    )]
    Hidden {
        /// The weights.
        path: PathBuf,
        /// Units that were asked for.
        given: usize,
        /// Units that it has.
        found: usize,
    },
    /// The training pictures are pooled away before they reach the classifier.
    #[error(
        "--crop {side} is too small to train with: pooling leaves nothing of {side} x {side} pixels at {layer}, and the classifier stands behind it; use a larger --crop"
    )]
    TrainingSize {
        /// Pixels of a side.
        side: usize,
        /// The first layer with an empty output.
        layer: String,
    },
    /// The pictures are too small for the layers.
    #[error(transparent)]
    Size(#[from] InputTooSmall),
    /// One image is too small for the layers.
    #[error("{path}")]
    ImageSize {
        /// The image.
        path: PathBuf,
        /// Which layer it does not reach.
        source: InputTooSmall,
    },
    /// An image cannot be read.
    #[error(transparent)]
    Image(#[from] LoadError),
    /// The run's folder has a run in it.
    #[error("{folder} already holds a run ({file}): choose another name with --run, {or}")]
    UsedFolder {
        /// The run's folder.
        folder: PathBuf,
        /// The event file in it.
        file: PathBuf,
        /// What else can be done.
        or: &'static str,
    },
    /// The run's folder cannot be looked into.
    #[error("cannot use the run folder {folder}: choose another with --logdir or --run")]
    RunFolder {
        /// The run's folder.
        folder: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The event file cannot be written.
    #[error(transparent)]
    Events(#[from] EventFileError),
    /// The resolved configuration cannot be written.
    #[error("cannot write {path}: free some space or choose another folder with --logdir")]
    WriteConfig {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The resolved configuration cannot be put into TOML.
    #[error("the configuration cannot be written as TOML, perhaps because a path is not UTF-8")]
    Resolve(#[from] toml::ser::Error),
    /// A picture cannot be made or written.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// The backend gave up: out of memory, most likely.
    #[error(
        "{what}: the device gave up: {why}; try a smaller --crop, fewer layers or a smaller --batch"
    )]
    Backend {
        /// What was being run.
        what: String,
        /// What the backend says.
        why: String,
    },
    /// Nothing could be read.
    #[error("nothing is left to show: all {count} {what} were skipped; the first: {first}")]
    NothingLeft {
        /// How many there were.
        count: usize,
        /// Images or checkpoints.
        what: &'static str,
        /// The first one and why.
        first: String,
    },
    /// A thread of the program died.
    #[error("internal error: a thread of vggscope died; please report it with the command you ran")]
    Crashed,
}

impl RunError {
    /// A network that could not be built from the file at `path`.
    pub(super) fn build(path: &Path, error: BuildError<WeightsError>) -> Self {
        match error {
            // Names the file itself.
            BuildError::Source(error) => Self::Weights(error),
            source @ BuildError::Shape { .. } => Self::Build {
                path: path.to_owned(),
                source,
            },
        }
    }

    /// Whether the command could never have worked as it was typed.
    #[must_use]
    pub fn is_wrong_use(&self) -> bool {
        matches!(
            self,
            Self::Select(_)
                | Self::Freeze { .. }
                | Self::Hidden { .. }
                | Self::TrainingSize { .. }
                | Self::Size(_)
        )
    }
}

/// An error and its causes in a line.
#[must_use]
pub fn one_line(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        // Transparent wrappers say the same as what they wrap.
        if !text.ends_with(&next) {
            text = text + ": " + &next;
        }
        cause = error.source();
    }
    text.replace('\n', " ")
}
