//! What keeps weights from being a VGG.

use std::path::PathBuf;

use thiserror::Error;

use super::arch::Arch;
use crate::one_line::listed;
use crate::weights::WeightsError;

/// Weights that do not make the network.
#[derive(Debug, Error)]
pub(crate) enum NetworkError {
    #[error("{0}")]
    Weights(#[from] WeightsError),
    #[error(
        "{path}: these are {} weights, not {wanted}",
        listed(found, " or ", usize::MAX)
    )]
    OtherArch {
        path: PathBuf,
        /// The members of the family whose weights they could be; at least one.
        found: Vec<Arch>,
        wanted: Arch,
    },
    #[error(
        "{path}: its first convolution takes {channels} channels; vggscope feeds images of 3 (color) or 1 (gray), and cannot know what the others stand for"
    )]
    Channels { path: PathBuf, channels: usize },
}
