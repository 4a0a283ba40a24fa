//! Parts cut out of an image.

use std::num::NonZeroU32;

use super::crop_box::CropBox;
use super::error::{TransformError, check_size};
use feature_grid::Picture;

/// The pixels in the box.
pub(super) fn cut(picture: &Picture, crop: CropBox) -> Result<Picture, TransformError> {
    if !crop.is_in(picture) {
        return Err(TransformError::Outside {
            from_width: picture.width,
            from_height: picture.height,
            crop,
        });
    }
    let (columns, rows) = ((crop.left, 0), (crop.top, 0));
    Ok(window(picture, columns, rows, (crop.width, crop.height)))
}

/// The middle `n` x `n` pixels.
pub(super) fn center_crop(picture: &Picture, n: NonZeroU32) -> Result<Picture, TransformError> {
    let n = n.get();
    check_size(picture, n.into(), n.into())?;
    let (columns, rows) = (centered(picture.width, n), centered(picture.height, n));
    Ok(window(picture, columns, rows, (n, n)))
}

/// Where one side of a centered crop begins, in the image and in the crop. A longer image is cut at
/// half the difference, rounded half to even as Python does; a shorter one gets the odd pixel of
/// padding after it.
pub(super) fn centered(length: u32, crop: u32) -> (u32, u32) {
    if length < crop {
        return (0, (crop - length) / 2);
    }
    let difference = length - crop;
    let half = difference / 2;
    (half + (difference % 2) * (half % 2), 0)
}

/// A black image of this size with the part of `picture` that fits, each side given by its first
/// pixel in `picture` and in the result.
fn window(
    picture: &Picture,
    columns: (u32, u32),
    rows: (u32, u32),
    (width, height): (u32, u32),
) -> Picture {
    let mut pixels = vec![0; width as usize * height as usize * 3];
    let from = picture.pixels.chunks_exact(picture.width as usize * 3);
    let into = pixels.chunks_exact_mut(width as usize * 3);
    for (into, from) in into.skip(rows.1 as usize).zip(from.skip(rows.0 as usize)) {
        let from = &from[columns.0 as usize * 3..];
        let into = &mut into[columns.1 as usize * 3..];
        let length = from.len().min(into.len());
        into[..length].copy_from_slice(&from[..length]);
    }
    Picture::rgb(width, height, pixels)
}
