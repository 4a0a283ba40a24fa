//! A box cut out of a picture.

use super::TransformError;
use crate::input::Picture;

/// A part of a picture, in pixels; the order of torchvision's `(i, j, h, w)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CropBox {
    /// Rows above it.
    pub top: usize,
    /// Columns left of it.
    pub left: usize,
    /// Its rows, at least 1.
    pub height: usize,
    /// Its columns, at least 1.
    pub width: usize,
}

impl CropBox {
    fn is_in(self, picture: &Picture) -> bool {
        let fits = |from: usize, length: usize, whole: usize| {
            length > 0 && from.checked_add(length).is_some_and(|end| end <= whole)
        };
        fits(self.left, self.width, picture.width())
            && fits(self.top, self.height, picture.height())
    }
}

/// The pixels in the box.
pub(super) fn cut(picture: &Picture, crop: CropBox) -> Result<Picture, TransformError> {
    let outside = || TransformError::Outside {
        from_width: picture.width(),
        from_height: picture.height(),
        crop,
    };
    if !crop.is_in(picture) {
        return Err(outside());
    }
    let mut pixels = Vec::with_capacity(crop.width * crop.height * 3);
    let rows = picture.pixels().chunks_exact(picture.width() * 3);
    for row in rows.skip(crop.top).take(crop.height) {
        pixels.extend_from_slice(&row[crop.left * 3..(crop.left + crop.width) * 3]);
    }
    Picture::new(crop.width, crop.height, pixels).ok_or_else(outside)
}
