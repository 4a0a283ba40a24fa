//! Parts cut out of an image.

use std::num::NonZeroU32;

use feature_grid::Picture;

use crate::data::error::{ImageError, check_resized};

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

/// One side of a window over an image, in pixels.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Side {
    /// Where it begins in the image.
    pub(super) from: u32,
    /// Where the image begins in it.
    pub(super) padding: u32,
    pub(super) length: u32,
}

pub(super) fn cut(picture: &Picture, crop: CropBox) -> Result<Picture, ImageError> {
    let CropBox {
        top,
        left,
        height,
        width,
    } = crop;
    let fits = |from: u32, length: u32, whole: u32| {
        length > 0 && from.checked_add(length).is_some_and(|end| end <= whole)
    };
    if !fits(left, width, picture.width) || !fits(top, height, picture.height) {
        return Err(ImageError::Outside {
            from_width: picture.width,
            from_height: picture.height,
            top,
            left,
            height,
            width,
        });
    }
    let side = |from, length| Side {
        from,
        padding: 0,
        length,
    };
    Ok(window(picture, &side(left, width), &side(top, height)))
}

pub(super) fn center_crop(picture: &Picture, n: NonZeroU32) -> Result<Picture, ImageError> {
    let n = n.get();
    check_resized(picture, n.into(), n.into())?;
    let (columns, rows) = (centered(picture.width, n), centered(picture.height, n));
    Ok(window(picture, &columns, &rows))
}

/// One side of a centered crop. A longer image is cut at half the difference, rounded half to even as Python
/// does; a shorter one gets the odd pixel of padding after it.
pub(super) fn centered(length: u32, crop: u32) -> Side {
    let difference = length.saturating_sub(crop);
    let half = difference / 2;
    Side {
        from: half + (difference % 2) * (half % 2),
        padding: crop.saturating_sub(length) / 2,
        length: crop,
    }
}

/// A black image with the part of `picture` that fits.
fn window(picture: &Picture, columns: &Side, rows: &Side) -> Picture {
    let mut pixels = vec![0; columns.length as usize * rows.length as usize * 3];
    let from = picture.pixels.chunks_exact(picture.width as usize * 3);
    let into = pixels.chunks_exact_mut(columns.length as usize * 3);
    for (into, from) in into
        .skip(rows.padding as usize)
        .zip(from.skip(rows.from as usize))
    {
        let from = &from[columns.from as usize * 3..];
        let into = &mut into[columns.padding as usize * 3..];
        let length = from.len().min(into.len());
        into[..length].copy_from_slice(&from[..length]);
    }
    Picture::rgb(columns.length, rows.length, pixels)
}
