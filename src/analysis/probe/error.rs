//! What keeps images from being shown.

use std::path::PathBuf;

use thiserror::Error;

use crate::analysis::similarity::file::GramsFileError;
use crate::data::load::LoadError;
use crate::device::advised;
use crate::logger::LoggerError;
use crate::network::ForwardError;

/// Images that cannot be shown to a network.
#[derive(Debug, Error)]
pub(crate) enum ProbeError {
    #[error("{0}")]
    Image(#[from] LoadError),
    #[error("{0}")]
    Forward(#[from] ForwardError),
    #[error("{layer}: cannot copy the values from the device: {}", advised(why))]
    Copy { layer: String, why: String },
    #[error(
        "{path} is {} x {} pixels after preprocessing, the first comparison image {} x {}: representations are compared over images of one size; set --crop",
        size[1], size[0], first[1], first[0]
    )]
    OtherSize {
        path: PathBuf,
        size: [usize; 2],
        first: [usize; 2],
    },
    #[error(
        "{flag}: {count} images, expected at least {fewest} (256 are recommended): with fewer, similarity says nothing"
    )]
    TooFew {
        flag: &'static str,
        count: usize,
        fewest: usize,
    },
    #[error(
        "{what}: {layer} has another shape than in the network that it is compared with: compare networks of one architecture and width"
    )]
    OtherNetwork { what: String, layer: String },
    #[error("all {count} probe images were skipped; the first: {first}")]
    AllSkipped { count: usize, first: String },
    #[error("{0}")]
    Logger(#[from] LoggerError),
    #[error("{0}")]
    Grams(#[from] GramsFileError),
}
