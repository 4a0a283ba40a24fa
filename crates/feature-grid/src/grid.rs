//! Where every map stands in the picture.

use super::error::RenderError;

/// Pixels of the ground around and between the tiles, `make_grid`'s `padding`. Two would leave lines where a grid is
/// shown smaller than it is.
const PADDING: usize = 1;

/// A grid above this many pixels is refused: no browser shows it, and a slip of the finger in a
/// size must not ask for all memory there is.
const MOST_PIXELS: usize = 1 << 29;

/// Equal tiles in rows of `ceil(sqrt(count))`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grid {
    pub(super) count: usize,
    pub(super) columns: usize,
    pub(super) tile_width: usize,
    pub(super) tile_height: usize,
    /// None around a single tile.
    pub(super) padding: usize,
}

impl Grid {
    pub(super) fn new(
        count: usize,
        tile_width: usize,
        tile_height: usize,
    ) -> Result<Self, RenderError> {
        let root = count.isqrt();
        let columns = if root * root < count { root + 1 } else { root };
        let padding = if count == 1 { 0 } else { PADDING };
        let grid = Self {
            count,
            columns,
            tile_width,
            tile_height,
            padding,
        };
        let side = |tiles: usize, size: usize| {
            let tile = size.checked_add(padding)?;
            tile.checked_mul(tiles)?.checked_add(padding)
        };
        let sides = side(columns, tile_width).zip(side(grid.rows(), tile_height));
        match sides.and_then(|(width, height)| width.checked_mul(height)) {
            Some(1..=MOST_PIXELS) => Ok(grid),
            _ => Err(RenderError::TooLarge {
                count,
                tile_width,
                tile_height,
            }),
        }
    }

    pub(super) const fn rows(&self) -> usize {
        self.count.div_ceil(self.columns)
    }

    pub(super) const fn width(&self) -> usize {
        self.columns * (self.tile_width + self.padding) + self.padding
    }

    pub(super) const fn height(&self) -> usize {
        self.rows() * (self.tile_height + self.padding) + self.padding
    }

    /// The pixel, counted through the picture row by row, where row `y` of tile `index` begins.
    pub(super) const fn start(&self, index: usize, y: usize) -> usize {
        let row = index / self.columns * (self.tile_height + self.padding) + self.padding + y;
        let column = index % self.columns * (self.tile_width + self.padding) + self.padding;
        row * self.width() + column
    }

    /// How often tiles must be enlarged for their smaller side to have `min_tile` pixels.
    pub(super) fn factor(&self, min_tile: Option<u32>) -> usize {
        let side = self.tile_width.min(self.tile_height);
        min_tile.map_or(1, |least| (least as usize).div_ceil(side).max(1))
    }

    pub(super) fn enlarged(&self, factor: usize) -> Result<Self, RenderError> {
        Self::new(
            self.count,
            self.tile_width.saturating_mul(factor),
            self.tile_height.saturating_mul(factor),
        )
    }
}

/// Repeats every pixel of every tile `factor` times across and down; the padding keeps its width.
pub(super) fn enlarge(pixels: &[u8], channels: usize, small: &Grid, large: &Grid) -> Vec<u8> {
    // A grid begins with a pixel of the ground, or is one tile.
    let mut out = pixels[..channels].repeat(large.width() * large.height());
    let factor = large.tile_width / small.tile_width;
    let (short, long) = (small.tile_width * channels, large.tile_width * channels);
    for index in 0..small.count {
        for y in 0..small.tile_height {
            let from = small.start(index, y) * channels;
            let to = large.start(index, y * factor) * channels;
            let source = pixels[from..from + short].chunks_exact(channels);
            let squares = out[to..to + long].chunks_exact_mut(factor * channels);
            for (square, pixel) in squares.zip(source) {
                let copies = square.chunks_exact_mut(channels);
                copies.for_each(|copy| copy.copy_from_slice(pixel));
            }
            for below in 1..factor {
                let below = large.start(index, y * factor + below) * channels;
                out.copy_within(to..to + long, below);
            }
        }
    }
    out
}
