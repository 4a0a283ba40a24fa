//! Grids that a device draws where the maps are: what it must know, and what becomes of its pixels.
//!
//! For maps whose values are all finite; others need colors, and the values for it.

use super::colormap::Colormap;
use super::grid::Grid;
use super::picture::{Color, Picture};
use super::range::Range;
use super::statistics::Statistics;
use super::{RenderError, Rendered, Style, check_range, pixels, shown};

/// How maps of one shape become a grid.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drawing {
    /// What becomes black and white.
    pub range: Range,
    /// Whether ranges by map and by layer are made as wide below 0 as above.
    pub is_symmetric: bool,
    /// The lowest level in a tile: 0 is the padding's where there is a palette.
    pub lowest_level: u8,
    /// How often every pixel is repeated across and down.
    pub factor: usize,
    colormap: Colormap,
    /// Before it is enlarged.
    pub(super) small: Grid,
    pub(super) large: Grid,
}

impl Drawing {
    /// For maps of shape `[channels, height, width]`.
    ///
    /// # Errors
    ///
    /// As [`feature_maps`](super::feature_maps).
    pub fn new([channels, height, width]: [usize; 3], style: &Style) -> Result<Self, RenderError> {
        check_range(style.range)?;
        let small = Grid::new(shown(channels, style), width, height)?;
        let factor = small.factor(style.min_tile);
        let is_fixed = matches!(style.range, Range::Fixed(..));
        Ok(Self {
            range: style.range,
            is_symmetric: style.colormap == Colormap::Diverging && !is_fixed,
            lowest_level: u8::from(style.colormap != Colormap::Gray),
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
    pub fn rendered(&self, levels: Vec<u8>, range: (f32, f32), statistics: Statistics) -> Rendered {
        Rendered {
            picture: Picture {
                width: pixels(self.large.width()),
                height: pixels(self.large.height()),
                color: match self.colormap {
                    Colormap::Gray => Color::Gray,
                    colormap => Color::Indexed(colormap),
                },
                pixels: levels,
            },
            range: match self.range {
                Range::Fixed(low, high) => (low, high),
                _ if self.is_symmetric => super::range::symmetric(range.0, range.1),
                Range::Map | Range::Layer => range,
            },
            non_finite: 0,
            statistics,
            grid: self.large,
        }
    }
}
