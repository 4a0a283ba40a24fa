//! Pixels to draw on: rectangles, pictures and text.

use embedded_graphics::Drawable;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{OriginDimensions, Point, Size};
use embedded_graphics::mono_font::MonoTextStyle;
use embedded_graphics::mono_font::ascii::FONT_6X10;
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::text::{Baseline, Text};

use feature_grid::{Color, Colormap, Picture};

pub(super) type Rgb = [u8; 3];

pub(super) const WHITE: Rgb = [235; 3];

/// Width and height of a character at scale 1. Units: pixels.
pub(super) const GLYPH: (u32, u32) = (6, 10);

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

/// How wide a line of text is. Units: pixels.
pub(super) fn width_of(text: &str, scale: u32) -> u32 {
    let characters = u32::try_from(text.chars().count()).unwrap_or(u32::MAX / 64);
    characters * GLYPH.0 * scale
}

/// At most `most` characters; a longer text ends in dots.
pub(super) fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(2)).collect();
    kept + ".."
}

/// The pixels of a text that are set: column and row.
pub(super) fn mask(text: &str) -> Vec<(u32, u32)> {
    let mut mask = Mask(width_of(text, 1), Vec::new());
    let style = MonoTextStyle::new(&FONT_6X10, BinaryColor::On);
    // A mask does not fail.
    let _ = Text::with_baseline(text, Point::zero(), style, Baseline::Top).draw(&mut mask);
    mask.1
}

struct Mask(u32, Vec<(u32, u32)>);

impl OriginDimensions for Mask {
    fn size(&self) -> Size {
        Size::new(self.0, GLYPH.1)
    }
}

impl DrawTarget for Mask {
    type Color = BinaryColor;
    type Error = std::convert::Infallible;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), Self::Error>
    where
        I: IntoIterator<Item = embedded_graphics::Pixel<Self::Color>>,
    {
        for embedded_graphics::Pixel(point, color) in pixels {
            if let (BinaryColor::On, Ok(x), Ok(y)) =
                (color, u32::try_from(point.x), u32::try_from(point.y))
                && x < self.0
            {
                self.1.push((x, y));
            }
        }
        Ok(())
    }
}
