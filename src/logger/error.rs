//! What can go wrong while logging.

use std::path::PathBuf;

use thiserror::Error;

use crate::device::{BackendError, advised, unforeseen};
use feature_grid::RenderError;
use feature_grid::png::PngError;
use tensorboard_events::EventFileError;

/// A run that cannot be begun, a value that cannot be logged, or a step that could not be written.
#[derive(Debug, Error)]
pub enum LoggerError {
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
        "{tag}: feature maps of shape {shape:?}, those they are compared with have {reference:?}: give every step images of one size, or do not compare steps (--no-comparison)"
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
    #[error(
        "{tag} has {channels} channels, counted from 0, and none with the number {channel}: choose others with --maps"
    )]
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
    #[error("{tag}: cannot copy the values from the device: {}", advised(why))]
    Copy {
        /// The tag.
        tag: String,
        /// The backend's message.
        why: String,
    },
    /// The device cannot draw the grids, or did not hand them over.
    #[error(
        "{tag}: the device cannot render it: {}; --render host renders it here",
        advised(why)
    )]
    Draw {
        /// The tag.
        tag: String,
        /// The backend's message.
        why: String,
    },
    /// Maps that cannot be rendered where they are.
    #[error(
        "{tag}: only maps on an NVIDIA GPU or on the CPU of libtorch are rendered on their device: use --render auto or host"
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
    #[error("{tag}: cannot be rendered: {}", unforeseen(why))]
    Panicked {
        /// The tag.
        tag: String,
        /// The panic's message.
        why: String,
    },
    /// A PNG file cannot be written.
    #[error("cannot write {path}: free some space or choose another folder for PNG files")]
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
    pub(super) fn draw(tag: &str, error: &BackendError) -> Self {
        Self::Draw {
            tag: tag.to_owned(),
            why: error.to_string(),
        }
    }
}
