//! What keeps steps from being measured.

use std::path::PathBuf;

use thiserror::Error;

use super::grams::GramsError;
use crate::data::error::LoadError;
use crate::device::{BackendError, caught};
use crate::logger::LoggerError;
use crate::network::ForwardError;

#[derive(Debug, Error)]
pub(crate) enum AnalysisError {
    #[error("{0}")]
    Image(#[from] LoadError),
    #[error("all {count} probe images were skipped; the first: {first}")]
    AllSkipped { count: usize, first: String },
    #[error("{0}")]
    Forward(#[from] ForwardError),
    #[error("{layer}: cannot copy the values from the device")]
    Copy { layer: String, source: BackendError },
    #[error(
        "{path} is {} x {} pixels after preprocessing, the first comparison image {} x {}: representations are compared over images of one size",
        size[1], size[0], first[1], first[0]
    )]
    OtherSize {
        path: PathBuf,
        size: [usize; 2],
        first: [usize; 2],
    },
    #[error(
        "similarity is measured over {count} images, expected at least {fewest} (256 are recommended)"
    )]
    TooFew { count: usize, fewest: usize },
    #[error("{network}: {layer} has another shape than in the network that it is compared with")]
    OtherNetwork { network: String, layer: String },
    #[error("{0}")]
    Logger(#[from] LoggerError),
    #[error("{0}")]
    Grams(#[from] GramsError),
}

/// Does what asks a device for values of the named layer.
pub(super) fn asking<T>(
    layer: &str,
    work: impl FnOnce() -> Result<T, BackendError>,
) -> Result<T, AnalysisError> {
    caught(work)
        .flatten()
        .map_err(|source| AnalysisError::Copy {
            layer: layer.to_owned(),
            source,
        })
}
