//! What can go wrong while logging.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::device::BackendError;
use feature_grid::RenderError;
use feature_grid::png::PngError;
use tensorboard_events::EventFileError;

/// A run that cannot be begun, a value that cannot be logged, or a step that could not be written. Where there is a
/// tag it comes first.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LoggerError {
    /// The system has no threads left.
    #[error("cannot start the threads that render: {0}")]
    Threads(String),
    /// A step is not finished, nor dropped, and a logger has one at a time.
    #[error("another step is open: finish or drop it first")]
    StepOpen,
    /// The event file cannot be created or written. Steps before this one are whole.
    #[error("{0}")]
    Events(#[from] EventFileError),
    /// Feature maps of several images under one tag.
    #[error(
        "{0}: feature maps of shape {1:?}, expected those of one image, [1, channels, height, width]: slice the batch and log each image under a tag of its own"
    )]
    Batch(String, [usize; 4]),
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
    /// The device did not hand over the feature maps.
    #[error("{0}: cannot copy the values from the device")]
    Copy(String, #[source] BackendError),
    /// The device cannot draw the grids, or did not hand them over.
    #[error("{0}: the device cannot render it")]
    Draw(String, #[source] BackendError),
    /// The values do not make a grid.
    #[error("{0}")]
    Render(String, #[source] RenderError),
    /// The grid does not make a PNG.
    #[error("{0}")]
    Encode(String, #[source] PngError),
    /// A rendering thread panicked.
    #[error("{0}: cannot be rendered")]
    Panicked(String, #[source] BackendError),
    /// A PNG file cannot be written.
    #[error("cannot write {0}")]
    WritePng(PathBuf, #[source] io::Error),
    /// The writer has stopped, and an earlier call said why; or its thread panicked.
    #[error("the writer of the event file has stopped after an earlier error")]
    Stopped,
}
