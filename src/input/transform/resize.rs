//! torchvision's `Resize` of an image of Pillow: bilinear, with antialias.

use std::error::Error;
use std::num::NonZeroU32;

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};

use super::error::{TransformError, check_size};
use crate::render::Picture;

/// Scales the shorter side to `n`; `None` where the image has that size already, which
/// torchvision leaves untouched too.
pub(super) fn shorter_side_to(
    picture: &Picture,
    n: NonZeroU32,
) -> Result<Option<Picture>, TransformError> {
    let (width, height) = resized_size(picture.width, picture.height, n);
    to_size(picture, width, height)
}

/// Makes both sides `n`, whatever that does to the aspect ratio; `None` where they are already.
pub(super) fn square_of(
    picture: &Picture,
    n: NonZeroU32,
) -> Result<Option<Picture>, TransformError> {
    to_size(picture, n.get().into(), n.get().into())
}

fn to_size(picture: &Picture, width: u64, height: u64) -> Result<Option<Picture>, TransformError> {
    if (width, height) == (picture.width.into(), picture.height.into()) {
        return Ok(None);
    }
    check_size(picture, width, height)?;
    resized(picture, width, height)
        .map(Some)
        .map_err(|source| TransformError::Resize {
            from_width: picture.width,
            from_height: picture.height,
            source,
        })
}

/// The typed form of the resizer: the other compiles all its pixel types into this crate.
fn resized(
    picture: &Picture,
    width: u64,
    height: u64,
) -> Result<Picture, Box<dyn Error + Send + Sync>> {
    let (width, height) = (width.try_into()?, height.try_into()?);
    let mut pixels = vec![0; width as usize * height as usize * 3];
    let from = TypedImageRef::<U8x3>::from_buffer(picture.width, picture.height, &picture.pixels)?;
    let mut into = TypedImage::<U8x3>::from_buffer(width, height, &mut pixels)?;
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
    Resizer::new().resize_typed(&from, &mut into, &options)?;
    Ok(Picture::rgb(width, height, pixels))
}

/// torchvision's rule: the shorter side n, the longer one `int(n * long / short)`.
///
/// That division is one of floats, but equal to the one of integers: a quotient of integers below
/// 2^53 never rounds up to the next integer.
pub(super) fn resized_size(width: u32, height: u32, n: NonZeroU32) -> (u64, u64) {
    let (short, long) = (u64::from(width.min(height)), u64::from(width.max(height)));
    let short_side = u64::from(n.get());
    let long_side = short_side.saturating_mul(long) / short.max(1);
    if width <= height {
        (short_side, long_side)
    } else {
        (long_side, short_side)
    }
}
