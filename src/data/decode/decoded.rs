//! What decoding gives.

use crate::data::notes::Oddities;
use feature_grid::Picture;

/// A decoded image.
#[derive(Debug)]
pub(crate) struct Decoded {
    pub(crate) picture: Picture,
    pub(crate) oddities: Oddities,
}

impl Decoded {
    /// An image that may be `wide`, of more than 8 bits that were clipped, and to be turned.
    pub(super) fn new(picture: Picture, is_wide: bool, is_turned: bool) -> Self {
        let is_extreme = |level: &u8| [0, 255].contains(level);
        let oddities = Oddities {
            is_clipped: is_wide && picture.pixels.iter().all(is_extreme),
            is_turned,
        };
        Self { picture, oddities }
    }
}
