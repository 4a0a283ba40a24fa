//! Labeled pictures: numbers and pictures in, a picture out.
//!
//! TensorBoard's Time Series tab shows a picture about 170 pixels high until it is opened, so text grows with
//! the picture.

mod bars;
mod canvas;
mod frame;
mod heat_map;
mod strip;
mod table;

pub(crate) use bars::kernel_bars;
pub(crate) use frame::Frames;
pub(crate) use heat_map::HeatMap;
pub(crate) use strip::Strip;

/// Lines of text that the height of a picture has room for: each can be read at 170 pixels.
const LINES: u32 = 17;

/// The text size that can be read in a picture of this height. Units: pixels, and multiples of the font.
fn text_scale(height: u32) -> u32 {
    height.div_ceil(LINES * canvas::GLYPH.1).max(1)
}

/// At most `most` of the numbers below `count`, evenly taken, the first and the last among them.
pub(crate) fn evenly(count: usize, most: usize) -> Vec<usize> {
    if count <= most {
        return (0..count).collect();
    }
    if most < 2 {
        return (0..most).collect();
    }
    // Rounded to the nearest.
    let place = |n: usize| (2 * n * (count - 1) + most - 1) / (2 * (most - 1));
    (0..most).map(place).collect()
}

#[cfg(test)]
mod tests;
