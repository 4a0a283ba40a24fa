//! Pixels to draw on: rectangles, pictures and text.

use crate::logger::text::mask;
pub(super) use crate::logger::text::{GLYPH, width_of};
use feature_grid::{Color, Colormap, Picture};

pub(super) type Rgb = [u8; 3];

pub(super) const WHITE: Rgb = [235; 3];

/// Black at first.
pub(super) struct Canvas {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
}

impl Canvas {
    pub(super) fn new(width: u32, height: u32) -> Self {
        let (width, height) = (width.max(1), height.max(1));
        Self {
            width,
            height,
            pixels: vec![0; 3 * width as usize * height as usize],
        }
    }

    pub(super) fn into_picture(self) -> Picture {
        Picture::rgb(self.width, self.height, self.pixels)
    }

    /// Sets a pixel; one beyond the edges is left out.
    pub(super) fn set(&mut self, x: u32, y: u32, color: Rgb) {
        if x < self.width && y < self.height {
            let at = 3 * (y as usize * self.width as usize + x as usize);
            self.pixels[at..at + 3].copy_from_slice(&color);
        }
    }

    pub(super) fn fill(&mut self, [x, y, width, height]: [u32; 4], color: Rgb) {
        for y in y..y + height {
            for x in x..x + width {
                self.set(x, y, color);
            }
        }
    }

    /// Draws a picture, every pixel as a square of `factor` pixels.
    pub(super) fn picture(&mut self, x: u32, y: u32, picture: &Picture, factor: u32) {
        let palette = match picture.color {
            Color::Indexed(colormap) => colormap.palette(),
            Color::Gray | Color::Rgb => Colormap::Gray.palette(),
        };
        let channels = picture.color.channels();
        for (at, pixel) in (0..).zip(picture.pixels.chunks_exact(channels)) {
            let color = match pixel {
                [level] => palette[usize::from(*level)],
                [red, green, blue] => [*red, *green, *blue],
                _ => continue,
            };
            let (column, row) = (at % picture.width, at / picture.width);
            self.fill(
                [x + column * factor, y + row * factor, factor, factor],
                color,
            );
        }
    }

    /// Writes a line of text whose upper left corner is given.
    pub(super) fn text(&mut self, x: u32, y: u32, text: &str, scale: u32) {
        for (column, row) in mask(text) {
            self.fill([x + column * scale, y + row * scale, scale, scale], WHITE);
        }
    }

    /// Writes a line of text from bottom to top; the corner is the upper left one of the whole.
    pub(super) fn upward_text(&mut self, x: u32, y: u32, text: &str, scale: u32) {
        let length = width_of(text, 1);
        for (column, row) in mask(text) {
            let above = length - 1 - column;
            self.fill([x + row * scale, y + above * scale, scale, scale], WHITE);
        }
    }
}

/// At most `most` characters; a longer text ends in dots.
pub(super) fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(2)).collect();
    kept + ".."
}
