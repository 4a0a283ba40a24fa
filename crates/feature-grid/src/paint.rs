//! From levels to what the picture holds: gray, indices, or colors where a value has no level.

use super::RenderError;
use super::colormap::{Colormap, INFINITE, NAN, NEGATIVE_INFINITE};
use super::grid::Grid;
use super::maps::{Layout, Maps};
use super::picture::Color;

/// Colors the `levels` of a grid; `in_colors` when some values of `maps` are not finite.
pub(super) fn levels(
    mut levels: Vec<u8>,
    maps: &Maps<'_>,
    colormap: Colormap,
    grid: &Grid,
    in_colors: bool,
) -> Result<(Color, Vec<u8>), RenderError> {
    if colormap != Colormap::Gray {
        keep_padding_apart(&mut levels, grid);
    }
    if in_colors {
        let palette = colormap.palette();
        let mut pixels: Vec<u8> = levels
            .iter()
            .flat_map(|&level| palette[usize::from(level)])
            .collect();
        mark_maps(&mut pixels, maps, grid)?;
        return Ok((Color::Rgb, pixels));
    }
    Ok(match colormap {
        Colormap::Gray => (Color::Gray, levels),
        _ => (Color::Indexed(colormap), levels),
    })
}

/// Raises level 0 to 1 in the tiles, because 0 is the padding's index in a palette.
fn keep_padding_apart(levels: &mut [u8], grid: &Grid) {
    for index in 0..grid.count {
        for y in 0..grid.tile_height {
            let start = grid.start(index, y);
            for level in &mut levels[start..start + grid.tile_width] {
                *level = (*level).max(1);
            }
        }
    }
}

/// Paints the values that have no level into an RGB grid.
fn mark_maps(pixels: &mut [u8], maps: &Maps<'_>, grid: &Grid) -> Result<(), RenderError> {
    let area = maps.width * maps.height;
    maps.in_pieces(grid.count, |first_row, piece| {
        for (at, &value) in (first_row * maps.row()..).zip(piece) {
            let (map, pixel) = match maps.layout {
                Layout::Planar => (at / area, at % area),
                Layout::Interleaved => (at % maps.channels, at / maps.channels),
            };
            if map < grid.count {
                mark(
                    pixels,
                    grid.start(map, pixel / maps.width) + pixel % maps.width,
                    value,
                );
            }
        }
    })
}

/// Paints pixel number `at` of an RGB picture if `value` has no level.
pub(super) fn mark(pixels: &mut [u8], at: usize, value: f32) {
    let color = if value.is_finite() {
        return;
    } else if value.is_nan() {
        NAN
    } else if value > 0.0 {
        INFINITE
    } else {
        NEGATIVE_INFINITE
    };
    pixels[3 * at..3 * at + 3].copy_from_slice(&color);
}
