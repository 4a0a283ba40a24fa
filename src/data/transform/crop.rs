//! A part of an image: the middle, or any box.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use feature_grid::Picture;

use super::resize;
use crate::data::error::{ImageError, check_resized};

/// torchvision's `CenterCrop`: the middle of an image; one that is smaller is first padded with black. As text `224`, or
/// `480x640`, the height by the width. Units: pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Crop {
    pub(crate) height: NonZeroU32,
    pub(crate) width: NonZeroU32,
}

impl Crop {
    /// Of `[height, width]`; `None` where one of them is 0 or more than 32 bits.
    pub(crate) fn of(size: [usize; 2]) -> Option<Self> {
        let [height, width] = size.map(|side| NonZeroU32::try_from(u32::try_from(side).ok()?).ok());
        Some(Self {
            height: height?,
            width: width?,
        })
    }

    pub(crate) fn square(side: NonZeroU32) -> Self {
        Self {
            height: side,
            width: side,
        }
    }

    /// `[height, width]`
    pub(crate) fn sides(self) -> [usize; 2] {
        [self.height, self.width].map(|side| side.get() as usize)
    }

    pub(crate) fn shorter_side(self) -> NonZeroU32 {
        self.height.min(self.width)
    }

    /// What the shorter side of a picture is resized to, so that it covers a box of the crop's shape whose shorter side
    /// is `n`: n itself where the crop is a square.
    pub(super) fn covered_at(self, n: NonZeroU32, picture: &Picture) -> NonZeroU32 {
        let shortest = u64::from(self.shorter_side().get());
        let short = u64::from(picture.width.min(picture.height));
        let least = |crop: NonZeroU32, side: u32| {
            let of_box = (u64::from(n.get()) * u64::from(crop.get())).div_ceil(shortest);
            of_box
                .saturating_mul(short)
                .div_ceil(u64::from(side).max(1))
        };
        let covers = least(self.height, picture.height).max(least(self.width, picture.width));
        NonZeroU32::new(u32::try_from(covers).unwrap_or(u32::MAX)).unwrap_or(n)
    }

    pub(super) fn center(self, picture: &Picture) -> Result<Picture, ImageError> {
        let [height, width] = [self.height, self.width].map(NonZeroU32::get);
        check_resized(picture, width.into(), height.into())?;
        let (columns, rows) = (
            centered(picture.width, width),
            centered(picture.height, height),
        );
        Ok(window(picture, &columns, &rows))
    }
}

impl fmt::Display for Crop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [height, width] = self.sides();
        if height == width {
            return write!(f, "{height}");
        }
        write!(f, "{height}x{width}")
    }
}

impl FromStr for Crop {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('x') {
            Some((height, width)) => Ok(Self {
                height: height.parse()?,
                width: width.parse()?,
            }),
            None => Ok(Self::square(text.parse()?)),
        }
    }
}

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
    length: u32,
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

/// torchvision's `resized_crop`: the box is cut out, and what is in it becomes as large as `size`.
///
/// Equal to torchvision's result. As there, the resize sees nothing of the image beyond the box.
///
/// Shapes: `[height, width, 3]` -> `[size height, size width, 3]`.
///
/// Source: `resized_crop` in torchvision 0.24's `transforms/functional.py`.
pub(crate) fn resized_crop(
    picture: &Picture,
    part: CropBox,
    size: Crop,
) -> Result<Picture, ImageError> {
    let CropBox {
        top,
        left,
        height,
        width,
    } = part;
    let fits = |from: u32, length: u32, whole: u32| {
        length > 0 && from.checked_add(length).is_some_and(|end| end <= whole)
    };
    if !fits(left, width, picture.width) || !fits(top, height, picture.height) {
        return Err(ImageError::Outside {
            left,
            top,
            width,
            height,
        });
    }
    let inside = |from, length| Side {
        from,
        padding: 0,
        length,
    };
    let part = window(picture, &inside(left, width), &inside(top, height));
    let [height, width] = [size.height, size.width].map(|side| u64::from(side.get()));
    Ok(resize::to_size(&part, width, height)?.unwrap_or(part))
}
