//! Rows of a picture, filtered, in pieces of a size that stays in the cache.

use pulp::{Arch, Simd, WithSimd};

use crate::picture::Picture;

/// Bytes in a block, give or take a row. It must stay in the second-level cache between filtering,
/// counting and writing; larger blocks save Huffman tables, smaller ones fit their code better.
const BLOCK: usize = 128 << 10;

/// The number of the Paeth filter.
const PAETH: u8 = 4;

/// The rows of a picture, in blocks that are filtered each for itself: Paeth needs no more than the pixels.
pub(super) struct Rows<'a> {
    pixels: &'a [u8],
    /// Bytes in a row.
    stride: usize,
    /// Bytes in a pixel.
    channels: usize,
    /// What stands above the first row.
    zeros: Vec<u8>,
    arch: Arch,
}

impl<'a> Rows<'a> {
    pub(super) fn new(picture: &'a Picture, channels: usize) -> Self {
        let stride = picture.width as usize * channels;
        Self {
            pixels: &picture.pixels,
            stride,
            channels,
            zeros: vec![0; stride],
            arch: Arch::new(),
        }
    }

    pub(super) fn blocks(&self) -> usize {
        self.pixels.len().div_ceil(self.block_len())
    }

    fn block_len(&self) -> usize {
        BLOCK.div_ceil(self.stride + 1) * self.stride
    }

    /// Filters the rows of a block, each after the number of its filter.
    pub(super) fn filter(&self, block: usize, filtered: &mut Vec<u8>) {
        let start = block * self.block_len();
        let end = self.pixels.len().min(start + self.block_len());
        let rows = (start..end).step_by(self.stride);
        filtered.resize(rows.len() * (self.stride + 1), 0);
        for (start, out) in rows.zip(filtered.chunks_exact_mut(self.stride + 1)) {
            let row = &self.pixels[start..start + self.stride];
            let above = match start.checked_sub(self.stride) {
                Some(above) => &self.pixels[above..start],
                None => &self.zeros,
            };
            let (number, out) = out.split_at_mut(1);
            number[0] = PAETH;
            self.arch.dispatch(Paeth {
                row,
                above,
                channels: self.channels,
                out,
            });
        }
    }
}

struct Paeth<'a> {
    row: &'a [u8],
    above: &'a [u8],
    channels: usize,
    out: &'a mut [u8],
}

impl WithSimd for Paeth<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self {
            row,
            above,
            channels,
            out,
        } = self;
        let (first, rest) = out.split_at_mut(channels);
        for ((out, &x), &up) in first.iter_mut().zip(row).zip(above) {
            // Left of the first pixel everything is 0, and so Paeth's choice is the byte above.
            *out = x.wrapping_sub(up);
        }
        let here = row[channels..].iter().zip(&above[channels..]);
        for ((out, (&x, &up)), (&left, &corner)) in
            rest.iter_mut().zip(here).zip(row.iter().zip(above))
        {
            *out = x.wrapping_sub(predict(left, up, corner));
        }
    }
}

/// The neighbor nearest to `left + up - corner`; on a tie left goes before up and up before corner.
#[inline(always)]
fn predict(left: u8, up: u8, corner: u8) -> u8 {
    let [a, b, c] = [left, up, corner].map(i16::from);
    let to_left = (b - c).abs();
    let to_up = (a - c).abs();
    let to_corner = (a - c + b - c).abs();
    // Written as two choices and not as a chain of ifs, so that it vectorises.
    let (nearer, distance) = if to_up < to_left {
        (up, to_up)
    } else {
        (left, to_left)
    };
    if to_corner < distance { corner } else { nearer }
}
