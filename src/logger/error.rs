//! What can go wrong while logging.

use std::path::PathBuf;

use thiserror::Error;

use crate::device::BackendError;
use feature_grid::RenderError;
use feature_grid::png::PngError;
use tensorboard_events::EventFileError;

/// A run that cannot be begun, a value that cannot be logged, or a step that could not be written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LoggerError {
    /// The system has no threads left.
    #[error("cannot start the threads that render: {0}")]
    Threads(
        /// What the system says.
        String,
    ),
    /// A step is not finished, nor dropped, and a logger has one at a time.
    #[error("another step is open: finish or drop it first")]
    StepOpen,
    /// The event file cannot be created or written. Steps before this one are whole.
    #[error("{0}")]
    Events(#[from] EventFileError),
    /// Feature maps of several images under one tag.
    #[error(
        "{tag}: feature maps of shape {shape:?}, expected those of one image, [1, channels, height, width]: slice the batch and log each image under a tag of its own"
    )]
    Batch {
        /// The tag.
        tag: String,
        /// The tensor's shape.
        shape: [usize; 4],
    },
    /// Feature maps that cannot be compared with those of an earlier step.
    #[error(
        "{tag}: feature maps of shape {shape:?}, those they are compared with have {reference:?}"
    )]
    OtherShape {
        /// The tag.
        tag: String,
        /// The tensor's shape.
        shape: [usize; 4],
        /// That of the earlier step.
        reference: [usize; 4],
    },
    /// A chosen channel that is not there.
    #[error("{tag} has {channels} channels, counted from 0, and none with the number {channel}")]
    Channel {
        /// The tag.
        tag: String,
        /// The chosen one.
        channel: usize,
        /// How many there are.
        channels: usize,
    },
    /// Images of different sizes under one tag, or none.
    #[error("{tag}: expected one or more images of one size")]
    Images {
        /// The tag.
        tag: String,
    },
    /// The device did not hand over the feature maps.
    #[error("{tag}: cannot copy the values from the device")]
    Copy {
        /// The tag.
        tag: String,
        /// What the backend says.
        source: BackendError,
    },
    /// The device cannot draw the grids, or did not hand them over.
    #[error("{tag}: the device cannot render it")]
    Draw {
        /// The tag.
        tag: String,
        /// What the backend says.
        source: BackendError,
    },
    /// Maps that cannot be rendered where they are.
    #[error(
        "{tag}: only maps on an NVIDIA GPU or on the CPU of libtorch are rendered on their device"
    )]
    NoDeviceRenderer {
        /// The tag.
        tag: String,
    },
    /// The values do not make a grid.
    #[error("{tag}")]
    Render {
        /// The tag.
        tag: String,
        /// Why.
        source: RenderError,
    },
    /// The grid does not make a PNG.
    #[error("{tag}")]
    Encode {
        /// The tag.
        tag: String,
        /// Why.
        source: PngError,
    },
    /// A rendering thread panicked.
    #[error("{tag}: cannot be rendered")]
    Panicked {
        /// The tag.
        tag: String,
        /// The panic's message.
        source: BackendError,
    },
    /// A PNG file cannot be written.
    #[error("cannot write {path}")]
    WritePng {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The writer has stopped, and an earlier call said why; or its thread panicked.
    #[error("the writer of the event file has stopped after an earlier error")]
    Stopped,
}

impl LoggerError {
    /// A tag that a device could not draw.
    pub(super) fn draw(tag: &str, source: BackendError) -> Self {
        let tag = tag.to_owned();
        Self::Draw { tag, source }
    }

    /// A tag whose values were not handed over.
    pub(super) fn copy(tag: &str, source: BackendError) -> Self {
        let tag = tag.to_owned();
        Self::Copy { tag, source }
    }

    /// A tag whose values are not a picture's.
    pub(crate) fn render(tag: &str, source: RenderError) -> Self {
        let tag = tag.to_owned();
        Self::Render { tag, source }
    }
}
