//! An image as it is decoded.

use feature_grid::Picture;

#[derive(Debug)]
pub(crate) struct Decoded {
    pub(crate) picture: Picture,
    pub(crate) oddities: Oddities,
}

/// What is peculiar about an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Oddities {
    /// 16-bit gray of which clipping at 255, as Pillow does, left nothing but white and black.
    pub(crate) is_clipped: bool,
    /// EXIF says that it is to be turned, which torchvision does not.
    pub(crate) is_turned: bool,
}
