//! What keeps images from being shown.

use std::path::PathBuf;

use thiserror::Error;

use crate::input::load::LoadError;
use crate::logger::LoggerError;
use crate::vgg::InputTooSmall;

/// Images that cannot be shown to a network.
#[derive(Debug, Error)]
pub(crate) enum ProbeError {
    #[error(transparent)]
    Image(#[from] LoadError),
    #[error("{path}")]
    TooSmall {
        path: PathBuf,
        source: InputTooSmall,
    },
    #[error(
        "{what}: backend error: {why}; try a smaller --crop, fewer layers or a smaller --batch"
    )]
    Backend { what: String, why: String },
    #[error("all {count} probe images were skipped; the first: {first}")]
    AllSkipped { count: usize, first: String },
    #[error(transparent)]
    Logger(#[from] LoggerError),
}
