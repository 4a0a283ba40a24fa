//! First-layer kernels in their own colors.

use super::extremes::Extremes;
use super::grid::Grid;
use super::maps::{Layout, Maps, check_length};
use super::picture::Color;
use super::scales::Scales;
use super::{
    RenderError, Rendered, Style, check_range, feature_maps, finish, paint, quantize, shown,
};

/// Renders the kernels of a layer that sees a picture: one tile each, its three channels as red,
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
    let stacked = Maps::new(weights, kernels, channels * height, width, Layout::Planar)?;
    match channels {
        1 => feature_maps(&stacked, style),
        3 => colored(weights, &stacked, bgr, style),
        _ => Err(RenderError::KernelChannels { channels }),
    }
}

/// `stacked` holds the three channels of each kernel, the `weights`, one below the other.
fn colored(
    weights: &[f32],
    stacked: &Maps<'_>,
    bgr: bool,
    style: &Style,
) -> Result<Rendered, RenderError> {
    check_range(style.range)?;
    let count = shown(stacked.channels, style);
    let (width, height) = (stacked.width, stacked.height / 3);
    let grid = Grid::new(count, width, height)?;
    let large = grid.enlarged(grid.factor(style.min_tile))?;
    let extremes = Extremes::find(stacked, count, style.range)?;
    let scales = Scales::new(style.range, false, &extremes);
    let stacks = Grid::new(count, width, stacked.height)?;
    let levels = quantize::levels(stacked, &scales, &stacks)?;
    let mut pixels = vec![0; 3 * grid.width() * grid.height()];
    for kernel in 0..count {
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
        let volume = stacked.height * width;
        for (at, &value) in weights[..count * volume].iter().enumerate() {
            let (kernel, place) = (at / volume, at % (height * width));
            paint::mark(
                &mut pixels,
                grid.start(kernel, place / width) + place % width,
                value,
            );
        }
    }
    Ok(finish(
        pixels,
        Color::Rgb,
        &grid,
        large,
        scales.over_all,
        &extremes,
    ))
}
