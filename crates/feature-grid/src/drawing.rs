//! How maps of one shape become a picture, and the picture.

use super::colormap::Colormap;
use super::error::RenderError;
use super::grid::Grid;
use super::picture::{Color, Picture};
use super::range::{Range, symmetric};
use super::statistics::Statistics;

/// How a layer is shown.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Style {
    /// What becomes black and white.
    pub range: Range,
    /// Only the first ones, and at least one, if given.
    pub max_maps: Option<usize>,
    /// Maps whose smaller side has fewer pixels are enlarged by the smallest whole factor that
    /// reaches it; every pixel becomes a square.
    pub min_tile: Option<u32>,
    /// The colors of levels.
    pub colormap: Colormap,
}

/// How maps of one shape become a grid: what a renderer must know that draws on another device, where
/// the maps are. [`rendered`](Self::rendered) takes its pixels.
///
/// Such a renderer is for maps whose values are all finite; others need colors, and their values for that. The level
/// of a value `v` is `trunc((clamp(v, low, high) - low) / max(high - low, NARROWEST) * 255)` with [`NARROWEST`],
/// and around the tiles [`ground`](Self::ground); a symmetric range goes from `-e` to `e`, where `e` is the larger
/// magnitude of its ends and at least [`NARROWEST_END`].
///
/// [`NARROWEST`]: super::NARROWEST
/// [`NARROWEST_END`]: super::NARROWEST_END
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drawing {
    /// What becomes black and white.
    pub range: Range,
    /// Whether ranges by map and by layer are made as wide below 0 as above.
    pub is_symmetric: bool,
    /// The level around and between tiles.
    pub ground: u8,
    /// How often every pixel is repeated across and down.
    pub factor: usize,
    pub(super) colormap: Colormap,
    /// Before it is enlarged.
    pub(super) small: Grid,
    pub(super) large: Grid,
}

impl Drawing {
    /// For maps of shape `[channels, height, width]`.
    ///
    /// # Errors
    ///
    /// The style asks for a fixed range that is none, or for a grid too large to show.
    pub fn new([channels, height, width]: [usize; 3], style: &Style) -> Result<Self, RenderError> {
        let fixed = style.range.fixed();
        let is_range = |(low, high): &(f32, f32)| low.is_finite() && high.is_finite() && low < high;
        if let Some((low, high)) = fixed.filter(|ends| !is_range(ends)) {
            return Err(RenderError::Fixed { low, high });
        }
        let most = style.max_maps.unwrap_or(channels);
        let small = Grid::new(most.clamp(1, channels.max(1)), width, height)?;
        let factor = small.factor(style.min_tile);
        Ok(Self {
            range: style.range,
            is_symmetric: style.colormap == Colormap::Diverging && fixed.is_none(),
            ground: style.colormap.ground(),
            factor,
            colormap: style.colormap,
            small,
            large: small.enlarged(factor)?,
        })
    }

    /// How many maps are shown.
    pub fn count(&self) -> usize {
        self.small.count
    }

    /// Tiles in a row.
    pub fn columns(&self) -> usize {
        self.small.columns
    }

    /// Rows of tiles.
    pub fn rows(&self) -> usize {
        self.small.rows()
    }

    /// Pixels around and between tiles.
    pub fn padding(&self) -> usize {
        self.small.padding
    }

    /// Height and width of the picture.
    pub fn size(&self) -> [usize; 2] {
        [self.large.height(), self.large.width()]
    }

    /// The grid of these levels, `[height, width]` of [`size`](Self::size), of maps whose lowest and highest value
    /// are given.
    pub fn rendered(
        &self,
        levels: Vec<u8>,
        low: f32,
        high: f32,
        statistics: Statistics,
    ) -> Rendered {
        Rendered {
            picture: Picture {
                width: pixels(self.large.width()),
                height: pixels(self.large.height()),
                color: self.color(),
                pixels: levels,
            },
            range: self.ends(low, high),
            non_finite: 0,
            statistics,
            grid: self.large,
        }
    }

    /// What a level is, where every value has one.
    pub(super) fn color(&self) -> Color {
        match self.colormap {
            Colormap::Gray => Color::Gray,
            colormap => Color::Indexed(colormap),
        }
    }

    pub(super) fn ends(&self, low: f32, high: f32) -> (f32, f32) {
        match self.range {
            Range::Fixed(low, high) => (low, high),
            _ if self.is_symmetric => symmetric(low, high),
            Range::Map | Range::Layer => (low, high),
        }
    }
}

/// A grid and what a description says about it.
#[derive(Debug, Clone)]
pub struct Rendered {
    /// All tiles.
    pub picture: Picture,
    /// From the lowest value that a level 0 stands for to the highest that a level 255 stands for.
    pub range: (f32, f32),
    /// How many values were NaN or infinite.
    pub non_finite: usize,
    /// How the values of all maps are distributed, shown or not.
    pub statistics: Statistics,
    grid: Grid,
}

impl Rendered {
    /// Where every tile stands in the picture: left, top, width and height.
    ///
    /// Units: pixels.
    pub fn tiles(&self) -> Vec<[usize; 4]> {
        let grid = &self.grid;
        let starts = (0..grid.count).map(|index| grid.start(index, 0));
        let place = |at| {
            [
                at % grid.width(),
                at / grid.width(),
                grid.tile_width,
                grid.tile_height,
            ]
        };
        starts.map(place).collect()
    }

    /// Every tile as a picture of its own, in order, just as it is in the grid.
    pub fn singles(&self) -> impl ExactSizeIterator<Item = Picture> {
        let Picture {
            color, pixels: all, ..
        } = &self.picture;
        let [width, channels] = [self.grid.tile_width, color.channels()];
        (0..self.grid.count).map(move |index| {
            let starts = (0..self.grid.tile_height).map(|y| self.grid.start(index, y) * channels);
            let rows = starts.map(|at| &all[at..at + width * channels]);
            Picture {
                width: pixels(width),
                height: pixels(self.grid.tile_height),
                color: *color,
                pixels: rows.collect::<Vec<_>>().concat(),
            }
        })
    }
}

/// A side of a picture; [`Grid::new`] has ensured that it fits.
fn pixels(side: usize) -> u32 {
    u32::try_from(side).unwrap_or(u32::MAX)
}
