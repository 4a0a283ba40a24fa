//! The smallest and the largest value of every map, read from memory once.

#![expect(
    clippy::inline_always,
    reason = "pulp compiles for AVX2 only what is inlined into its dispatcher"
)]

use pulp::{Arch, Simd, WithSimd};

use super::RenderError;
use super::maps::{Layout, Maps};
use super::range::Range;
use super::statistics::Statistics;

/// Floats in a block of pixels that is gone over once for every few channels: half of a small
/// first-level cache.
const BLOCK: usize = 4096;

/// The smallest and largest value of every map that is shown.
#[derive(Debug)]
pub(super) struct Extremes {
    pub(super) low: Vec<f32>,
    pub(super) high: Vec<f32>,
    /// Values that are NaN or infinite, and were left out.
    pub(super) non_finite: usize,
    /// Of all maps, shown or not.
    pub(super) statistics: Statistics,
}

impl Extremes {
    /// Looks at the first `count` maps. A map without a finite value has an infinite minimum and a
    /// maximum below it. Values that a fixed `range` clips are counted.
    pub(super) fn find(maps: &Maps<'_>, count: usize, range: Range) -> Result<Self, RenderError> {
        let mut found = Self::none(count);
        found.statistics = Statistics::within(match range {
            Range::Fixed(low, high) => Some((low, high)),
            Range::Map | Range::Layer => None,
        });
        let mut finite = true;
        let arch = Arch::new();
        maps.in_pieces(maps.channels, |first_row, piece| {
            finite &= arch.dispatch(Search {
                maps,
                first_row,
                piece,
                low: &mut found.low,
                high: &mut found.high,
                statistics: &mut found.statistics,
            });
        })?;
        if finite {
            return Ok(found);
        }
        Ok(Self {
            statistics: found.statistics,
            ..Self::find_finite(maps, count)?
        })
    }

    fn none(count: usize) -> Self {
        Self {
            low: vec![f32::INFINITY; count],
            high: vec![f32::NEG_INFINITY; count],
            non_finite: 0,
            statistics: Statistics::default(),
        }
    }

    /// The same, a value at a time, where some values must be left out.
    fn find_finite(maps: &Maps<'_>, count: usize) -> Result<Self, RenderError> {
        let mut found = Self::none(count);
        maps.in_pieces(count, |first_row, piece| match maps.layout {
            Layout::Planar => {
                for (row, values) in (first_row..).zip(piece.chunks_exact(maps.width)) {
                    for &value in values {
                        found.add(row / maps.height, value);
                    }
                }
            }
            Layout::Interleaved => {
                for pixel in piece.chunks_exact(maps.channels) {
                    for (map, &value) in pixel[..count].iter().enumerate() {
                        found.add(map, value);
                    }
                }
            }
        })?;
        Ok(found)
    }

    fn add(&mut self, map: usize, value: f32) {
        if value.is_finite() {
            self.low[map] = self.low[map].min(value);
            self.high[map] = self.high[map].max(value);
        } else {
            self.non_finite += 1;
        }
    }

    /// The smallest and the largest of all; zeros where there is none.
    pub(super) fn over_all(&self) -> (f32, f32) {
        let low = self.low.iter().copied().fold(f32::INFINITY, f32::min);
        let high = self.high.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        if low <= high { (low, high) } else { (0.0, 0.0) }
    }
}

/// The search for extremes over finite values. Says whether all of the maps that are shown were finite.
struct Search<'a> {
    maps: &'a Maps<'a>,
    first_row: usize,
    piece: &'a [f32],
    low: &'a mut [f32],
    high: &'a mut [f32],
    statistics: &'a mut Statistics,
}

impl WithSimd for Search<'_> {
    type Output = bool;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> bool {
        let Self {
            maps,
            first_row,
            piece,
            low,
            high,
            statistics,
        } = self;
        match maps.layout {
            Layout::Planar => {
                let (mut row, mut rest) = (first_row, piece);
                let mut finite = true;
                while !rest.is_empty() {
                    // To the end of the map that this row belongs to, or of the piece.
                    let (map, y) = (row / maps.height, row % maps.height);
                    let length = rest.len().min((maps.height - y) * maps.width);
                    let (plane, after) = rest.split_at(length);
                    for block in plane.chunks(BLOCK) {
                        statistics.add(block);
                        if map < low.len() {
                            finite &= search_plane(block, &mut low[map], &mut high[map]);
                        }
                    }
                    row += maps.height - y;
                    rest = after;
                }
                finite
            }
            Layout::Interleaved => search_pixels(piece, maps.channels, low, high, statistics),
        }
    }
}

/// Running extremes of `N` channels side by side, in registers.
struct Lanes<const N: usize> {
    low: [f32; N],
    high: [f32; N],
    /// Stays 0 while values are finite: 0 times anything else is NaN, and so is every later sum.
    finite: [f32; N],
}

impl<const N: usize> Lanes<N> {
    #[inline(always)]
    fn new() -> Self {
        Self {
            low: [f32::INFINITY; N],
            high: [f32::NEG_INFINITY; N],
            finite: [0.0; N],
        }
    }

    #[inline(always)]
    fn add(&mut self, values: &[f32; N]) {
        for (i, &value) in values.iter().enumerate() {
            // One instruction each, which f32::min and max with their care for NaN are not.
            self.low[i] = if value < self.low[i] {
                value
            } else {
                self.low[i]
            };
            self.high[i] = if value > self.high[i] {
                value
            } else {
                self.high[i]
            };
            self.finite[i] += value * 0.0;
        }
    }

    #[inline(always)]
    fn all_finite(&self) -> bool {
        self.finite.iter().all(|&sum| sum == 0.0)
    }
}

#[inline(always)]
fn search_plane(plane: &[f32], low: &mut f32, high: &mut f32) -> bool {
    let (words, rest) = plane.as_chunks::<32>();
    let mut lanes = Lanes::<32>::new();
    for word in words {
        lanes.add(word);
    }
    let mut last = Lanes::<1>::new();
    for &value in rest {
        last.add(&[value]);
    }
    *low = lanes
        .low
        .iter()
        .copied()
        .fold(low.min(last.low[0]), f32::min);
    *high = lanes
        .high
        .iter()
        .copied()
        .fold(high.max(last.high[0]), f32::max);
    lanes.all_finite() && last.all_finite()
}

/// Goes over the pixels block by block, so that every float is fetched from memory once.
#[inline(always)]
fn search_pixels(
    data: &[f32],
    channels: usize,
    low: &mut [f32],
    high: &mut [f32],
    statistics: &mut Statistics,
) -> bool {
    let mut finite = true;
    for block in data.chunks((BLOCK / channels).max(1) * channels) {
        statistics.add(block);
        let mut first = 0;
        while low.len() - first >= 32 {
            finite &= search_columns::<32>(block, channels, first, low, high);
            first += 32;
        }
        while low.len() - first >= 8 {
            finite &= search_columns::<8>(block, channels, first, low, high);
            first += 8;
        }
        while first < low.len() {
            finite &= search_columns::<1>(block, channels, first, low, high);
            first += 1;
        }
    }
    finite
}

/// Looks at channels `first .. first + N` of every pixel.
#[inline(always)]
fn search_columns<const N: usize>(
    pixels: &[f32],
    channels: usize,
    first: usize,
    low: &mut [f32],
    high: &mut [f32],
) -> bool {
    let mut lanes = Lanes::<N>::new();
    for pixel in pixels.chunks_exact(channels) {
        if let Some(values) = pixel[first..].first_chunk() {
            lanes.add(values);
        }
    }
    for (low, lane) in low[first..].iter_mut().zip(lanes.low) {
        *low = low.min(lane);
    }
    for (high, lane) in high[first..].iter_mut().zip(lanes.high) {
        *high = high.max(lane);
    }
    lanes.all_finite()
}
