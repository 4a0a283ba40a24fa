//! A picture of an animation, with a line above it that says what it is.

use super::canvas::{Canvas, GLYPH, width_of};
use feature_grid::Picture;

/// Smaller pictures are enlarged to about this. Units: pixels.
const SIDE: u32 = 192;

/// Space around the line. Units: pixels.
const PADDING: u32 = 4;

/// Frames of one size.
pub(crate) struct Frames {
    /// How many times the pictures are enlarged.
    factor: u32,
    /// The size of the text. Units: multiples of the font.
    scale: u32,
    width: u32,
    height: u32,
}

impl Frames {
    /// For pictures of at most this size, with labels of at most so many characters.
    pub(crate) fn new([width, height]: [u32; 2], characters: usize) -> Self {
        let factor = (SIDE / width.max(height).max(1)).max(1);
        let (width, height) = (width * factor, height * factor);
        let scale = super::text_scale(height);
        let longest = width_of(&"0".repeat(characters), scale) + 2 * PADDING;
        Self {
            factor,
            scale,
            width: width.max(longest),
            height: height + Self::line(scale),
        }
    }

    pub(crate) fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// The height of the line above a picture. Units: pixels.
    fn line(scale: u32) -> u32 {
        GLYPH.1 * scale + 2 * PADDING
    }

    pub(crate) fn draw(&self, picture: &Picture, label: &str) -> Picture {
        let mut canvas = Canvas::new(self.width, self.height);
        canvas.text(PADDING, PADDING, label, self.scale);
        canvas.picture(0, Self::line(self.scale), picture, self.factor);
        canvas.into_picture()
    }
}
