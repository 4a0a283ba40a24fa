//! torchvision's `Resize` of an image of Pillow, equal to the bit: bilinear, with antialias.
//!
//! `fast_image_resize` rounds its weights to 16 bits where Pillow has 22: a sixth of the pixels are off by
//! one gray level, which becomes 255 in maps that are shown with a range of their own.
//!
//! Source: `src/libImaging/Resample.c` in Pillow 13.

use std::num::NonZeroU32;
use std::ops::Range;

use feature_grid::Picture;

use crate::data::error::{ImageError, check_resized};

/// Bits of a weight's fraction: those of 32 that neither a pixel nor overflow needs.
const BITS: u32 = 32 - 8 - 2;
/// Half of a gray level, with which a sum begins to be rounded.
const HALF: i32 = 1 << (BITS - 1);

/// Red, green, blue.
const CHANNELS: usize = 3;

/// Scales the shorter side to `n`; `None` where the image has that size already, which
/// torchvision leaves untouched too.
pub(super) fn shorter_side_to(
    picture: &Picture,
    n: NonZeroU32,
) -> Result<Option<Picture>, ImageError> {
    let (width, height) = resized_size(picture.width, picture.height, n);
    to_size(picture, width, height)
}

/// Makes the sides these, whatever that does to the aspect ratio; `None` where they are already.
pub(super) fn to_size(
    picture: &Picture,
    width: u64,
    height: u64,
) -> Result<Option<Picture>, ImageError> {
    if (width, height) == (picture.width.into(), picture.height.into()) {
        return Ok(None);
    }
    check_resized(picture, width, height)?;
    let [width, height] = [width, height].map(|side| u32::try_from(side).unwrap_or(u32::MAX));
    let narrowed = i64::from(picture.width) - i64::from(width);
    let lowered = i64::from(picture.height) - i64::from(height);
    // Each pass rounds, so their order matters; Pillow begins with the one that leaves less to do.
    let rows_first = lowered > 0 && lowered > 2 * narrowed;
    Ok(Some(if rows_first {
        to_width(&to_height(picture, height), width)
    } else {
        to_height(&to_width(picture, width), height)
    }))
}

/// The pixels that one pixel of the result is made of, along one side, and how much of each.
struct Window {
    from: Range<usize>,
    weights: Vec<i32>,
}

/// The windows of a side of `length` pixels that becomes `wanted`: a triangle over each pixel's place,
/// as wide as the scale.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "sides of images, and Pillow's conversions"
)]
fn windows(length: usize, wanted: usize) -> Vec<Window> {
    let scale = length as f64 / wanted as f64;
    let support = scale.max(1.0);
    let per_pixel = 1.0 / support;
    let window = |at: usize| {
        let center = (at as f64 + 0.5) * scale;
        let first = (center - support + 0.5).max(0.0) as usize;
        let end = ((center + support + 0.5) as usize).min(length);
        let weight =
            |from: usize| (1.0 - ((from as f64 - center + 0.5) * per_pixel).abs()).max(0.0);
        let sum: f64 = (first..end).map(weight).sum();
        let fixed = |from| (weight(from) / sum * f64::from(1 << BITS) + 0.5) as i32;
        Window {
            from: first..end,
            weights: (first..end).map(fixed).collect(),
        }
    };
    (0..wanted).map(window).collect()
}

fn to_width(picture: &Picture, width: u32) -> Picture {
    if width == picture.width {
        return picture.clone();
    }
    let windows = windows(picture.width as usize, width as usize);
    let mut pixels = vec![0; width as usize * picture.height as usize * CHANNELS];
    let into = pixels.chunks_exact_mut(width as usize * CHANNELS);
    for (into, row) in into.zip(
        picture
            .pixels
            .chunks_exact(picture.width as usize * CHANNELS),
    ) {
        let (row, _) = row.as_chunks::<CHANNELS>();
        for (into, window) in into.as_chunks_mut::<CHANNELS>().0.iter_mut().zip(&windows) {
            let mut sums = [HALF; CHANNELS];
            for (pixel, weight) in row[window.from.clone()].iter().zip(&window.weights) {
                for (sum, value) in sums.iter_mut().zip(pixel) {
                    *sum += i32::from(*value) * weight;
                }
            }
            *into = sums.map(to_level);
        }
    }
    Picture::rgb(width, picture.height, pixels)
}

fn to_height(picture: &Picture, height: u32) -> Picture {
    if height == picture.height {
        return picture.clone();
    }
    let row = picture.width as usize * CHANNELS;
    let mut pixels = Vec::with_capacity(row * height as usize);
    let mut sums = vec![0; row];
    for window in windows(picture.height as usize, height as usize) {
        sums.fill(HALF);
        let rows = picture.pixels[window.from.start * row..].chunks_exact(row);
        for (values, weight) in rows.zip(window.weights) {
            for (sum, value) in sums.iter_mut().zip(values) {
                *sum += i32::from(*value) * weight;
            }
        }
        pixels.extend(sums.iter().copied().map(to_level));
    }
    Picture::rgb(picture.width, height, pixels)
}

#[expect(clippy::cast_sign_loss, reason = "clipped to 0 to 255")]
fn to_level(sum: i32) -> u8 {
    (sum >> BITS).clamp(0, 255) as u8
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
