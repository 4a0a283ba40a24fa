//! Kernels with a bar under each.

use super::canvas::{Canvas, GLYPH, Rgb, width_of};
use feature_grid::Picture;

/// Between kernels. Units: pixels.
const PADDING: u32 = 2;

/// The height of a bar, and of the gap above it. Units: pixels.
const BAR: u32 = 6;

/// Kernels in a grid, with a bar under each for its cosine to another, from -1 to 1: as long as it is large, green at 1,
/// red at 0 and below; and with its number, where kernels are wide enough.
pub(crate) fn kernel_bars(tiles: &[Picture], cosines: &[f64]) -> Picture {
    let side = |of: fn(&Picture) -> u32| tiles.iter().map(of).max().unwrap_or(1);
    let (width, height) = (side(|tile| tile.width), side(|tile| tile.height));
    let count = u32::try_from(tiles.len()).unwrap_or(0).max(1);
    let root = count.isqrt();
    let columns = root + u32::from(root * root < count);
    let is_numbered = width_of(&(count - 1).to_string(), 1) <= width;
    let number = if is_numbered { GLYPH.1 } else { 0 };
    let (wide, high) = (width + PADDING, height + BAR + number + PADDING);
    let rows = count.div_ceil(columns);
    let mut canvas = Canvas::new(columns * wide + PADDING, rows * high + PADDING);
    for (at, (tile, cosine)) in (0..).zip(tiles.iter().zip(cosines)) {
        let (x, y) = (at % columns * wide + PADDING, at / columns * high + PADDING);
        canvas.picture(x, y, tile, 1);
        canvas.fill([x, y + height + 2, width, BAR - 2], [45; 3]);
        let (length, color) = bar(*cosine, width);
        canvas.fill([x, y + height + 2, length, BAR - 2], color);
        if is_numbered {
            canvas.text(x, y + height + BAR, &at.to_string(), 1);
        }
    }
    canvas.into_picture()
}

fn bar(cosine: f64, width: u32) -> (u32, Rgb) {
    // NaN counts as 0.
    let part = if cosine > 0.0 { cosine.min(1.0) } else { 0.0 };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "pixels and levels"
    )]
    let (length, level) = (
        (part * f64::from(width)).round() as u32,
        (part * 200.0) as u8,
    );
    // A negative one is seen as well.
    (length.max(2), [230 - level, 30 + level, 40])
}
