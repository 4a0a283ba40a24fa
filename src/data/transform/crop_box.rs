//! A box in an image.

use feature_grid::Picture;

/// A part of an image, in pixels; the order of torchvision's `(i, j, h, w)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CropBox {
    /// Rows above it.
    pub(crate) top: u32,
    pub(crate) left: u32,
    /// Its rows, at least 1.
    pub(crate) height: u32,
    /// Its columns, at least 1.
    pub(crate) width: u32,
}

impl CropBox {
    pub(super) fn is_in(self, picture: &Picture) -> bool {
        let fits = |from: u32, length: u32, whole: u32| {
            length > 0 && from.checked_add(length).is_some_and(|end| end <= whole)
        };
        fits(self.left, self.width, picture.width) && fits(self.top, self.height, picture.height)
    }
}
