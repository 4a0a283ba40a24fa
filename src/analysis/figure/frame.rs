//! A picture of an animation, with a line above it that says what it is.

use plotters::backend::BitMapBackend;
use plotters::drawing::IntoDrawingArea;

use super::painter::{Anchor, Painter, Place};
use super::rgb;
use crate::logger::text::width_of;
use feature_grid::Picture;

/// Smaller pictures are enlarged to about this. Units: pixels.
const SIDE: u32 = 192;

/// Space around the line. Units: pixels.
const PADDING: u32 = 4;

/// Frames of one size.
pub(crate) struct Frames {
    /// How many times the pictures are enlarged.
    factor: u32,
    /// The height of the line above. Units: pixels.
    line: u32,
    width: u32,
    height: u32,
}

impl Frames {
    /// For pictures of at most this size, with labels of at most so many characters, enlarged so many times.
    pub(crate) fn new([width, height]: [u32; 2], characters: usize, factor: Option<u32>) -> Self {
        let fitting = (SIDE / width.max(height).max(1)).max(1);
        let factor = factor.unwrap_or(fitting);
        let (width, height) = (width.saturating_mul(factor), height.saturating_mul(factor));
        let line = (height / 17).max(16);
        let longest = width_of(&"0".repeat(characters), line as f32) + 2 * PADDING;
        Self {
            factor,
            line,
            width: width.max(longest),
            height: height.saturating_add(line + 2 * PADDING),
        }
    }

    pub(crate) fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    pub(crate) fn draw(&self, picture: &Picture, label: &str) -> Picture {
        let mut pixels = vec![255; 3 * self.width as usize * self.height as usize];
        let size = (self.width, self.height);
        let area = BitMapBackend::with_buffer(&mut pixels, size).into_drawing_area();
        let [line, padding] = [self.line, PADDING].map(|pixels| pixels as i32);
        let painter = Painter {
            area: &area,
            size: self.line as f32,
            is_svg: false,
        };
        // Pixels do not fail.
        let _ = painter.text(padding, padding + line / 2, Anchor::Left, label, [0; 3]);
        drop(area);
        let place = Place {
            x: 0,
            y: line + 2 * padding,
            width: (picture.width * self.factor) as i32,
            height: (picture.height * self.factor) as i32,
        };
        place.paste(
            &rgb(picture),
            [picture.width, picture.height],
            &mut pixels,
            self.width,
        );
        Picture::rgb(self.width, self.height, pixels)
    }
}
