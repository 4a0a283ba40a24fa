//! Feature maps, and first-layer kernels in their own colors, to grids.

use super::colormap::{Colormap, INFINITE, NAN, NEGATIVE_INFINITE};
use super::drawing::{Drawing, Rendered, Style};
use super::error::RenderError;
use super::extremes::Extremes;
use super::grid::{Grid, enlarge};
use super::maps::{Layout, Maps, check_length};
use super::picture::Color;
use super::quantize::{Scales, levels};

/// Renders the feature maps of one layer.
///
/// # Errors
///
/// The style asks for a fixed range that is none, or for a grid too large to show, or the values
/// cannot be read.
pub fn feature_maps(maps: &Maps<'_>, style: &Style) -> Result<Rendered, RenderError> {
    let drawing = Drawing::new([maps.channels, maps.height, maps.width], style)?;
    let grid = &drawing.small;
    let extremes = Extremes::find(maps, &drawing)?;
    let scales = Scales::new(&drawing, &extremes);
    let mut pixels = levels(maps, &scales, grid, drawing.ground)?;
    let mut color = drawing.color();
    if extremes.non_finite > 0 {
        let palette = drawing.colormap.palette();
        let colors = pixels.iter().map(|&level| palette[usize::from(level)]);
        pixels = colors.collect::<Vec<_>>().into_flattened();
        color = Color::Rgb;
        mark(&mut pixels, maps, grid)?;
    }
    Ok(finish(&drawing, pixels, color, &scales, &extremes))
}

/// Renders the kernels of a layer whose input is an image: one tile each, its three channels as red,
/// green and blue with one range for all three, so that the colors are the ones it looks for.
///
/// `bgr` says that the first channel is blue. Kernels over one channel are shown as feature maps
/// are; for three, `style.colormap` means nothing. A pixel that is NaN or infinite in any channel
/// is painted as one.
///
/// # Shapes
///
/// `weights` is `[kernels, channels, height, width]`, as `shape` says; channels is 3 or 1.
///
/// # Errors
///
/// The shape is empty or not that of `weights`, channels is neither 3 nor 1, the style asks for a
/// fixed range that is none, or the grid is too large to show.
pub fn kernels(
    weights: &[f32],
    shape: [usize; 4],
    bgr: bool,
    style: &Style,
) -> Result<Rendered, RenderError> {
    check_length(weights.len(), &shape)?;
    let [kernels, channels, height, width] = shape;
    // A kernel's channels lie one below the other, as one map that is `channels` times as high.
    let stacked = [kernels, channels * height, width];
    let stacked = Maps::new(&weights, stacked, Layout::Planar)?;
    match channels {
        1 => return feature_maps(&stacked, style),
        3 => {}
        _ => return Err(RenderError::KernelChannels { channels }),
    }
    let gray = Style {
        colormap: Colormap::Gray,
        ..*style
    };
    let drawing = Drawing::new([kernels, height, width], &gray)?;
    let grid = &drawing.small;
    let extremes = Extremes::find(&stacked, &drawing)?;
    let scales = Scales::new(&drawing, &extremes);
    let stacks = Grid::new(grid.count, width, stacked.height)?;
    let levels = levels(&stacked, &scales, &stacks, 0)?;
    let mut pixels = vec![0; 3 * grid.width() * grid.height()];
    for kernel in 0..grid.count {
        for row in 0..stacked.height {
            let (channel, y) = (row / height, row % height);
            let place = if bgr { 2 - channel } else { channel };
            let (from, to) = (stacks.start(kernel, row), grid.start(kernel, y));
            for x in 0..width {
                pixels[3 * (to + x) + place] = levels[from + x];
            }
        }
    }
    if extremes.non_finite > 0 {
        mark(&mut pixels, &stacked, grid)?;
    }
    Ok(finish(&drawing, pixels, Color::Rgb, &scales, &extremes))
}

fn finish(
    drawing: &Drawing,
    small: Vec<u8>,
    color: Color,
    scales: &Scales,
    extremes: &Extremes,
) -> Rendered {
    let pixels = if drawing.factor == 1 {
        small
    } else {
        enlarge(&small, color.channels(), &drawing.small, &drawing.large)
    };
    let (low, high) = scales.over_all;
    let mut rendered = drawing.rendered(pixels, low, high, extremes.statistics);
    rendered.picture.color = color;
    rendered.non_finite = extremes.non_finite;
    rendered
}

/// Paints the values that have no level into an RGB grid, whose tiles the maps may be several times as high as.
fn mark(pixels: &mut [u8], maps: &Maps<'_>, grid: &Grid) -> Result<(), RenderError> {
    let area = maps.width * maps.height;
    maps.in_pieces(grid.count, |first_row, piece| {
        for (at, &value) in (first_row * maps.row()..).zip(piece) {
            let color = match value {
                _ if value.is_finite() => continue,
                _ if value.is_nan() => NAN,
                f32::INFINITY => INFINITE,
                _ => NEGATIVE_INFINITE,
            };
            let (map, pixel) = match maps.layout {
                Layout::Planar => (at / area, at % area),
                Layout::Interleaved => (at % maps.channels, at / maps.channels),
            };
            if map < grid.count {
                let (x, y) = (pixel % maps.width, pixel / maps.width % grid.tile_height);
                let start = 3 * (grid.start(map, y) + x);
                pixels[start..start + 3].copy_from_slice(&color);
            }
        }
    })
}
