//! Feature maps and kernels, as floats, to pictures of eight bits a channel.
//!
//! A layer becomes a grid of all its maps, `ceil(sqrt(n))` in a row, with two black pixels around
//! each. With the defaults the grid is the one that torchvision's `make_grid(maps, nrow, normalize,
//! scale_each)` makes and `SummaryWriter.add_image` stores, level for level, as one channel.
//!
//! Values that are NaN or infinite never take part in a range. They are counted and painted
//! magenta (NaN), cyan (infinite) and green (negative infinite), which no colormap has; such a
//! picture has three channels.

pub mod png;

mod colormap;
mod drawing;
mod extremes;
mod floats;
mod grid;
mod kernels;
mod maps;
mod paint;
mod parse;
mod picture;
mod quantize;
mod range;
mod scales;
mod statistics;

use thiserror::Error;

pub use colormap::{Colormap, Palette};
pub use drawing::Drawing;
pub use floats::Floats;
pub use kernels::kernels;
pub use maps::{Layout, Maps};
pub use parse::ParseStyleError;
pub use picture::{Color, Picture};
pub use range::Range;
pub use statistics::Statistics;
pub use {range::NARROWEST_END, scales::NARROWEST};

use extremes::Extremes;
use grid::Grid;
use scales::Scales;

/// Why there is no picture.
#[derive(Debug, Error, PartialEq)]
pub enum RenderError {
    /// Nothing to show.
    #[error("values of shape {shape:?} make no picture: every dimension must be at least 1")]
    Shape {
        /// What was handed over.
        shape: Vec<usize>,
    },
    /// The slice does not fit the shape.
    #[error("shape {shape:?} needs {expected} values, found {found}")]
    Length {
        /// What the slice was said to hold.
        shape: Vec<usize>,
        /// The product of the shape.
        expected: usize,
        /// The length of the slice.
        found: usize,
    },
    /// The ends of a fixed range.
    #[error("a fixed range must go from one finite number to a larger one, found {low} to {high}")]
    Fixed {
        /// The first end.
        low: f32,
        /// The second.
        high: f32,
    },
    /// More pixels than anything shows.
    #[error(
        "a grid of {count} tiles of {tile_width} x {tile_height} pixels is too large: choose a smaller --min-tile, --max-maps or --crop"
    )]
    TooLarge {
        /// Maps or kernels.
        count: usize,
        /// After enlarging.
        tile_width: usize,
        /// After enlarging.
        tile_height: usize,
    },
    /// Kernels that are neither gray nor colored.
    #[error(
        "kernels over {channels} input channels cannot be shown as colors, only 3 or 1 can: leave the kernels out with --no-kernels"
    )]
    KernelChannels {
        /// The second dimension of the kernels.
        channels: usize,
    },
    /// [`Floats`] that cannot be had.
    #[error("the values could not be read: {why}")]
    Read {
        /// What they say.
        why: String,
    },
}

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
    #[must_use]
    pub fn tiles(&self) -> Vec<[usize; 4]> {
        let grid = &self.grid;
        let tile = |index| {
            let start = grid.start(index, 0);
            [
                start % grid.width(),
                start / grid.width(),
                grid.tile_width,
                grid.tile_height,
            ]
        };
        (0..grid.count).map(tile).collect()
    }

    /// Every tile as a picture of its own, in order, just as it is in the grid.
    #[must_use]
    pub fn singles(&self) -> impl ExactSizeIterator<Item = Picture> {
        let color = self.picture.color;
        (0..self.grid.count).map(move |index| Picture {
            width: pixels(self.grid.tile_width),
            height: pixels(self.grid.tile_height),
            color,
            pixels: self
                .grid
                .tile(&self.picture.pixels, color.channels(), index),
        })
    }
}

/// Renders the feature maps of one layer.
///
/// # Errors
///
/// The style asks for a fixed range that is none, or for a grid too large to show, or the values
/// cannot be read.
pub fn feature_maps(maps: &Maps<'_>, style: &Style) -> Result<Rendered, RenderError> {
    let drawing = Drawing::new([maps.channels, maps.height, maps.width], style)?;
    let (grid, large) = (drawing.small, drawing.large);
    let extremes = Extremes::find(maps, grid.count, style.range)?;
    let scales = Scales::new(style.range, drawing.is_symmetric, &extremes);
    let levels = quantize::levels(maps, &scales, &grid)?;
    let (color, pixels) =
        paint::levels(levels, maps, style.colormap, &grid, extremes.non_finite > 0)?;
    Ok(finish(
        pixels,
        color,
        &grid,
        large,
        scales.over_all,
        &extremes,
    ))
}

/// How many of `count` tiles the style shows.
fn shown(count: usize, style: &Style) -> usize {
    style.max_maps.map_or(count, |most| most.clamp(1, count))
}

fn check_range(range: Range) -> Result<(), RenderError> {
    match range {
        Range::Fixed(low, high) if !(low.is_finite() && high.is_finite() && low < high) => {
            Err(RenderError::Fixed { low, high })
        }
        _ => Ok(()),
    }
}

/// Enlarges what is to be enlarged.
fn finish(
    small: Vec<u8>,
    color: Color,
    grid: &Grid,
    large: Grid,
    range: (f32, f32),
    extremes: &Extremes,
) -> Rendered {
    let pixels_of = if large == *grid {
        small
    } else {
        grid::enlarge(&small, color.channels(), grid, &large)
    };
    let picture = Picture {
        width: pixels(large.width()),
        height: pixels(large.height()),
        color,
        pixels: pixels_of,
    };
    Rendered {
        picture,
        range,
        non_finite: extremes.non_finite,
        statistics: extremes.statistics,
        grid: large,
    }
}

/// A side of a picture; [`Grid::new`] has seen to it that it fits.
fn pixels(side: usize) -> u32 {
    u32::try_from(side).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
