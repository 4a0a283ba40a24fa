//! Color -> gray.

use feature_grid::{Color, Picture};

/// Pillow's `convert("L")`, to the bit: ITU-R 601-2 luma in 16-bit fixed point.
///
/// Shapes: `[height, width, 3]` -> `[height, width, 1]`.
///
/// Source: `rgb2l` in Pillow's `src/libImaging/Convert.c`.
pub(super) fn luma(picture: &Picture) -> Picture {
    let (pixels, _) = picture.pixels.as_chunks::<3>();
    let gray = |rgb: &[u8; 3]| {
        let [r, g, b] = rgb.map(u32::from);
        // The weights add up to 1 << 16.
        let [.., level, _, _] = (r * 19595 + g * 38470 + b * 7471 + 0x8000).to_be_bytes();
        level
    };
    Picture {
        color: Color::Gray,
        pixels: pixels.iter().map(gray).collect(),
        ..*picture
    }
}
