//! From floats to gray levels, straight into the grid.

use pulp::{Arch, Simd, WithSimd};

use super::drawing::Drawing;
use super::error::RenderError;
use super::extremes::Extremes;
use super::grid::Grid;
use super::maps::{Layout, Maps};
use super::range::{NARROWEST, Range};

/// 1.5 * 2^23: a small float added to it leaves its nearest integer in the lowest bits.
const ROUNDER: f32 = 12_582_912.0;

/// For every map the ends of its range, ready to compute levels with.
///
/// Everything is halved, values too before they are compared: the width of a range can be twice
/// the largest `f32`. Halving changes no level: it lowers exponents by one, and the last bit that
/// it takes from values below 1e-37 is negligible next to the narrowest range.
#[derive(Debug)]
pub(super) struct Scales {
    low: Vec<f32>,
    high: Vec<f32>,
    span: Vec<f32>,
    pub(super) over_all: (f32, f32),
}

impl Scales {
    pub(super) fn new(drawing: &Drawing, extremes: &Extremes) -> Self {
        let (lowest, highest) = extremes.over_all();
        let over_all = drawing.ends(lowest, highest);
        let ends = extremes.low.iter().zip(&extremes.high);
        let ends = ends.map(|(&low, &high)| match drawing.range {
            Range::Map if low <= high => drawing.ends(low, high),
            Range::Map => drawing.ends(0.0, 0.0),
            Range::Layer | Range::Fixed(..) => over_all,
        });
        let ends: Vec<_> = ends.collect();
        Self {
            low: ends.iter().map(|&(low, _)| low * 0.5).collect(),
            high: ends.iter().map(|&(_, high)| high * 0.5).collect(),
            span: ends
                .iter()
                .map(|&(low, high)| half_span(low, high))
                .collect(),
            over_all,
        }
    }
}

/// Half the width of a range, computed in doubles and rounded once, as Python does it for
/// `make_grid`.
#[expect(
    clippy::cast_possible_truncation,
    reason = "half the distance of two f32 is within f32"
)]
fn half_span(low: f32, high: f32) -> f32 {
    ((f64::from(high) - f64::from(low)).max(NARROWEST) * 0.5) as f32
}

/// The level of a value, 0 to 255: `trunc((clamp(value) - low) / span * 255)`, the very operations,
/// in the same order and precision, of torchvision's `make_grid` and `SummaryWriter.add_image`.
///
/// NaN has some level or other; such values are painted over.
#[inline(always)]
fn level(value: f32, low: f32, high: f32, span: f32) -> u32 {
    let value = value * 0.5;
    let value = if value < low { low } else { value };
    let value = if value > high { high } else { value };
    let exact = (value - low) / span * 255.0;
    // `exact as u8` would do, but with its saturation it takes twice as long.
    let rounded = exact + ROUNDER;
    let too_far = rounded - ROUNDER > exact;
    rounded.to_bits().wrapping_sub(u32::from(too_far)) & 0xff
}

pub(super) fn levels(
    maps: &Maps<'_>,
    scales: &Scales,
    grid: &Grid,
    ground: u8,
) -> Result<Vec<u8>, RenderError> {
    let mut out = vec![ground; grid.width() * grid.height()];
    let mut words = match maps.layout {
        Layout::Planar => Vec::new(),
        Layout::Interleaved => vec![0; maps.width.div_ceil(4) * grid.count],
    };
    let arch = Arch::new();
    maps.in_pieces(grid.count, |first_row, piece| {
        arch.dispatch(Fill {
            maps,
            first_row,
            piece,
            scales,
            grid,
            words: &mut words,
            out: &mut out,
        });
    })?;
    Ok(out)
}

struct Fill<'a> {
    maps: &'a Maps<'a>,
    first_row: usize,
    piece: &'a [f32],
    scales: &'a Scales,
    grid: &'a Grid,
    /// Room for a row of pixels, where maps are interleaved.
    words: &'a mut [u32],
    out: &'a mut [u8],
}

impl WithSimd for Fill<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        match self.maps.layout {
            Layout::Planar => self.planar(),
            Layout::Interleaved => self.interleaved(),
        }
    }
}

impl Fill<'_> {
    #[inline(always)]
    fn planar(self) {
        let Self {
            maps, scales, grid, ..
        } = self;
        for (row, values) in (self.first_row..).zip(self.piece.chunks_exact(maps.width)) {
            let (map, y) = (row / maps.height, row % maps.height);
            let (low, high, span) = (scales.low[map], scales.high[map], scales.span[map]);
            let start = grid.start(map, y);
            let out = &mut self.out[start..start + maps.width];
            for (out, &value) in out.iter_mut().zip(values) {
                *out = level(value, low, high, span).to_le_bytes()[0];
            }
        }
    }

    /// Takes every row of pixels in two steps, both in the first-level cache: the levels of all
    /// maps, four pixels of a map in one word, then the words of each map to their places.
    #[inline(always)]
    fn interleaved(self) {
        let Self {
            maps, scales, grid, ..
        } = self;
        for (y, row) in (self.first_row..).zip(self.piece.chunks_exact(maps.row())) {
            for (x, words) in self.words.chunks_exact_mut(grid.count).enumerate() {
                let pixel = |i: usize| {
                    // Past the end of the row the last pixel stands in; its level is not used.
                    let start = (4 * x + i).min(maps.width - 1) * maps.channels;
                    &row[start..start + grid.count]
                };
                let pixels = [pixel(0), pixel(1), pixel(2), pixel(3)];
                quantize(pixels, scales, words);
            }
            for map in 0..grid.count {
                let start = grid.start(map, y);
                let (whole, rest) = self.out[start..start + maps.width].as_chunks_mut::<4>();
                let mut words = self.words[map..].iter().step_by(grid.count);
                for (out, word) in whole.iter_mut().zip(&mut words) {
                    *out = word.to_le_bytes();
                }
                if let Some(word) = words.next() {
                    let length = rest.len();
                    rest.copy_from_slice(&word.to_le_bytes()[..length]);
                }
            }
        }
    }
}

#[inline(always)]
fn quantize(pixels: [&[f32]; 4], scales: &Scales, words: &mut [u32]) {
    let n = words.len();
    let [first, second, third, fourth] = pixels.map(|pixel| &pixel[..n]);
    let (low, high, span) = (&scales.low[..n], &scales.high[..n], &scales.span[..n]);
    for i in 0..n {
        let level = |pixel: &[f32]| level(pixel[i], low[i], high[i], span[i]);
        words[i] = level(first) | level(second) << 8 | level(third) << 16 | level(fourth) << 24;
    }
}
