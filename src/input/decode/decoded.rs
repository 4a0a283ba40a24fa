//! What decoding gives.

use crate::input::notes::Oddities;
use crate::render::Picture;

/// A decoded image.
#[derive(Debug)]
pub(crate) struct Decoded {
    pub(crate) picture: Picture,
    pub(crate) oddities: Oddities,
}

impl From<Picture> for Decoded {
    fn from(picture: Picture) -> Self {
        let oddities = Oddities::default();
        Self { picture, oddities }
    }
}
