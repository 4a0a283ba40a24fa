//! What keeps an image from being resized or cropped.

use thiserror::Error;

use super::crop_box::CropBox;
use crate::data::decode::MAX_PIXELS;
use feature_grid::Picture;

/// What keeps an image from being resized or cropped.
#[derive(Debug, Error)]
pub(crate) enum TransformError {
    #[error(
        "{from_width} x {from_height} pixels would become {width} x {height}, more than the limit of \
         {MAX_PIXELS} pixels in all; choose a smaller --resize or --crop, or leave the image out"
    )]
    TooLarge {
        from_width: u32,
        from_height: u32,
        width: u64,
        height: u64,
    },
    #[error(
        "a box of {} x {} pixels at ({}, {}) is not inside an image of {from_width} x {from_height} \
         pixels; this is a bug", crop.width, crop.height, crop.left, crop.top
    )]
    Outside {
        from_width: u32,
        from_height: u32,
        crop: CropBox,
    },
}

pub(super) fn check_size(picture: &Picture, width: u64, height: u64) -> Result<(), TransformError> {
    if width.saturating_mul(height) > MAX_PIXELS {
        return Err(TransformError::TooLarge {
            from_width: picture.width,
            from_height: picture.height,
            width,
            height,
        });
    }
    Ok(())
}
