//! Picture -> resized, cropped picture -> the numbers that the network is fed, as torchvision does
//! it with pictures of Pillow.

mod crop;
mod normalise;
mod preset;
mod resize;

pub use crop::CropBox;
pub use normalise::{ChannelOrder, Normalise};
pub use preset::Preset;

use std::num::NonZeroU32;

use thiserror::Error;

use super::Picture;
use super::decode::MAX_PIXELS;

/// What is done to a picture before the network sees it, in this order; both steps on the picture
/// are optional.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Preprocess {
    /// torchvision's `Resize(n)`: the shorter side becomes n pixels, the longer one keeps the
    /// aspect ratio, rounded down. Bilinear, with antialias.
    pub resize: Option<NonZeroU32>,
    /// torchvision's `CenterCrop(n)`: the middle n x n pixels; a picture that is smaller is first
    /// padded with black.
    pub crop: Option<NonZeroU32>,
    /// How the cropped picture becomes numbers.
    pub normalise: Normalise,
}

/// What keeps a picture from being resized or cropped.
#[derive(Debug, Error)]
pub enum TransformError {
    /// The result would have more than [`MAX_PIXELS`] pixels.
    #[error(
        "{from_width} x {from_height} pixels would become {width} x {height}, more than the limit of \
         {MAX_PIXELS} pixels in all; choose a smaller --resize or --crop, or leave the image out"
    )]
    TooLarge {
        /// Width of the picture.
        from_width: usize,
        /// Height of the picture.
        from_height: usize,
        /// Width that it would get.
        width: u64,
        /// Height that it would get.
        height: u64,
    },
    /// The box to cut out is not in the picture.
    #[error(
        "a box of {} x {} pixels at ({}, {}) is not inside a picture of {from_width} x {from_height} \
         pixels; this is a bug", crop.width, crop.height, crop.left, crop.top
    )]
    Outside {
        /// Width of the picture.
        from_width: usize,
        /// Height of the picture.
        from_height: usize,
        /// The box.
        crop: CropBox,
    },
    /// The resizer refuses the picture.
    #[error(
        "the picture cannot be resized from {from_width} x {from_height} pixels; this is a bug"
    )]
    Resize {
        /// Width of the picture.
        from_width: usize,
        /// Height of the picture.
        from_height: usize,
        /// What the resizer said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Preprocess {
    /// The picture as the network sees it: resized, then cropped.
    ///
    /// Equal to torchvision's result, to one grey level where it was resized.
    ///
    /// # Shapes
    /// `[height, width, 3]` -> `[crop, crop, 3]`; without a crop the size that [`resize`](Self::resize)
    /// gives, without a resize either the picture's own.
    ///
    /// # Errors
    /// [`TransformError`], when the result would be too large.
    ///
    /// # Source
    /// `resize` and `center_crop` in torchvision 0.24's `transforms/functional.py`.
    pub fn picture(&self, picture: &Picture) -> Result<Picture, TransformError> {
        let resized = match self.resize {
            Some(n) => resize::shorter_side_to(picture, n)?,
            None => None,
        };
        let resized = resized.as_ref().unwrap_or(picture);
        match self.crop {
            Some(n) => centre_crop(resized, n),
            None => Ok(resized.clone()),
        }
    }
}

/// torchvision's `resized_crop`: the box is cut out, and what is in it becomes `size` x `size` pixels.
///
/// Equal to torchvision's result, to one grey level where it was resized. As there, the resize sees
/// nothing of the picture beyond the box.
///
/// # Shapes
/// `[height, width, 3]` -> `[size, size, 3]`.
///
/// # Errors
/// [`TransformError`], when the box is not inside the picture or `size` is too large.
///
/// # Source
/// `resized_crop` in torchvision 0.24's `transforms/functional.py`.
pub fn resized_crop(
    picture: &Picture,
    crop: CropBox,
    size: NonZeroU32,
) -> Result<Picture, TransformError> {
    let cut = crop::cut(picture, crop)?;
    let square = resize::square_of(&cut, size)?;
    Ok(square.unwrap_or(cut))
}

/// The middle `n` x `n` pixels.
fn centre_crop(picture: &Picture, n: NonZeroU32) -> Result<Picture, TransformError> {
    let n = n.get();
    check_size(picture, n.into(), n.into())?;
    let n = n as usize;
    let columns = Span::centred(picture.width(), n);
    let rows = Span::centred(picture.height(), n);
    let mut cropped = Picture::black(n, n);
    let from = picture.pixels().chunks_exact(picture.width() * 3);
    let into = cropped.pixels_mut().chunks_exact_mut(n * 3);
    for (into, from) in into.skip(rows.into).zip(from.skip(rows.from)) {
        let into = into.iter_mut().skip(columns.into * 3);
        let from = from.iter().skip(columns.from * 3);
        into.zip(from).for_each(|(into, &from)| *into = from);
    }
    Ok(cropped)
}

/// Where one side of the crop begins: in the picture (`from`) and in the crop (`into`); the end
/// follows from the shorter of the two.
#[derive(Debug, PartialEq, Eq)]
struct Span {
    from: usize,
    into: usize,
}

impl Span {
    /// A longer picture is cut at half the difference, rounded half to even as Python does; a
    /// shorter one gets the odd pixel of padding after it.
    fn centred(length: usize, crop: usize) -> Self {
        if length < crop {
            return Self {
                from: 0,
                into: (crop - length) / 2,
            };
        }
        let difference = length - crop;
        let half = difference / 2;
        Self {
            from: half + (difference % 2) * (half % 2),
            into: 0,
        }
    }
}

fn check_size(picture: &Picture, width: u64, height: u64) -> Result<(), TransformError> {
    if width.saturating_mul(height) > MAX_PIXELS {
        return Err(TransformError::TooLarge {
            from_width: picture.width(),
            from_height: picture.height(),
            width,
            height,
        });
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;
