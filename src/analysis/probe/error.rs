//! What keeps images from being shown.

use thiserror::Error;

use crate::data::error::LoadError;
use crate::logger::LoggerError;
use crate::network::ForwardError;

/// Images that cannot be shown to a network.
#[derive(Debug, Error)]
pub(crate) enum ProbeError {
    #[error("{0}")]
    Image(#[from] LoadError),
    #[error("{0}")]
    Forward(#[from] ForwardError),
    #[error("all {count} probe images were skipped; the first: {first}")]
    AllSkipped { count: usize, first: String },
    #[error("{0}")]
    Logger(#[from] LoggerError),
}
