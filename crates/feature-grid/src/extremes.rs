//! The smallest and the largest value of every map, read from memory once.

use pulp::{Arch, Simd, WithSimd};

use super::drawing::Drawing;
use super::error::RenderError;
use super::maps::{Layout, Maps};
use super::statistics::Statistics;

/// Floats in a block of pixels that is gone over once for every few channels: half of a small
/// first-level cache.
const BLOCK: usize = 4096;

/// The smallest and largest finite value of every map that is shown. A map without one has an infinite
/// minimum and a maximum below it.
#[derive(Debug)]
pub(super) struct Extremes {
    pub(super) low: Vec<f32>,
    pub(super) high: Vec<f32>,
    /// Values that are NaN or infinite, and were left out.
    pub(super) non_finite: usize,
    pub(super) statistics: Statistics,
}

impl Extremes {
    pub(super) fn find(maps: &Maps<'_>, drawing: &Drawing) -> Result<Self, RenderError> {
        let mut found = Self {
            low: vec![f32::INFINITY; drawing.count()],
            high: vec![f32::NEG_INFINITY; drawing.count()],
            non_finite: 0,
            statistics: Statistics {
                fixed: drawing.range.fixed(),
                ..Statistics::default()
            },
        };
        let arch = Arch::new();
        maps.in_pieces(maps.channels, |first_row, piece| {
            arch.dispatch(Search {
                maps,
                first_row,
                piece,
                found: &mut found,
            });
        })?;
        Ok(found)
    }

    /// The smallest and the largest of all; zeros where there is none.
    pub(super) fn over_all(&self) -> (f32, f32) {
        let low = self.low.iter().copied().fold(f32::INFINITY, f32::min);
        let high = self.high.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        if low <= high { (low, high) } else { (0.0, 0.0) }
    }

    #[inline(always)]
    fn search_plane(&mut self, map: usize, plane: &[f32]) {
        for block in plane.chunks(BLOCK) {
            let of_block = self.statistics.add(block);
            let (Some(low), Some(high)) = (self.low.get_mut(map), self.high.get_mut(map)) else {
                continue;
            };
            if let Some(of_block) = of_block {
                *low = low.min(of_block.min);
                *high = high.max(of_block.max);
                continue;
            }
            for &value in block {
                if value.is_finite() {
                    *low = low.min(value);
                    *high = high.max(value);
                } else {
                    self.non_finite += 1;
                }
            }
        }
    }

    /// Goes over pixels of all maps block by block, so that every float is fetched from memory once.
    #[inline(always)]
    fn search_pixels(&mut self, pixels: &[f32], channels: usize) {
        let count = self.low.len();
        for block in pixels.chunks((BLOCK / channels).max(1) * channels) {
            self.statistics.add(block);
            let (mut first, mut finite) = (0, true);
            while count - first >= 32 {
                finite &= self.search_columns::<32>(block, channels, first);
                first += 32;
            }
            while count - first >= 8 {
                finite &= self.search_columns::<8>(block, channels, first);
                first += 8;
            }
            while first < count {
                finite &= self.search_columns::<1>(block, channels, first);
                first += 1;
            }
            if !finite {
                let shown = block.chunks_exact(channels).flat_map(|all| &all[..count]);
                self.non_finite += shown.filter(|value| !value.is_finite()).count();
            }
        }
    }

    /// Goes over channels `first .. first + N` of every pixel, side by side in registers. Says whether all were finite.
    #[inline(always)]
    fn search_columns<const N: usize>(
        &mut self,
        pixels: &[f32],
        channels: usize,
        first: usize,
    ) -> bool {
        let (mut low, mut high) = ([f32::INFINITY; N], [f32::NEG_INFINITY; N]);
        // 0 times what is not finite is NaN, and so is every later sum.
        let mut sums = [0.0_f32; N];
        for pixel in pixels.chunks_exact(channels) {
            let Some(values) = pixel[first..].first_chunk::<N>() else {
                continue;
            };
            for (i, &value) in values.iter().enumerate() {
                let zero = value * 0.0;
                sums[i] += zero;
                // NaN is neither below nor above anything, and infinity becomes NaN.
                let value = value + zero;
                // One instruction each, which f32::min and max with their care for NaN are not.
                low[i] = if value < low[i] { value } else { low[i] };
                high[i] = if value > high[i] { value } else { high[i] };
            }
        }
        for i in 0..N {
            self.low[first + i] = self.low[first + i].min(low[i]);
            self.high[first + i] = self.high[first + i].max(high[i]);
        }
        sums.iter().all(|&sum| sum == 0.0)
    }
}

struct Search<'a> {
    maps: &'a Maps<'a>,
    first_row: usize,
    piece: &'a [f32],
    found: &'a mut Extremes,
}

impl WithSimd for Search<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let maps = self.maps;
        if maps.layout == Layout::Interleaved {
            return self.found.search_pixels(self.piece, maps.channels);
        }
        let (mut row, mut rest) = (self.first_row, self.piece);
        while !rest.is_empty() {
            // To the end of the map that this row belongs to, or of the piece.
            let (map, y) = (row / maps.height, row % maps.height);
            let length = rest.len().min((maps.height - y) * maps.width);
            let (plane, after) = rest.split_at(length);
            self.found.search_plane(map, plane);
            row += maps.height - y;
            rest = after;
        }
    }
}
