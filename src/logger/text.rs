//! Text as pixels.

use embedded_graphics::Drawable;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{OriginDimensions, Point, Size};
use embedded_graphics::mono_font::MonoTextStyle;
use embedded_graphics::mono_font::ascii::FONT_6X10;
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::text::{Baseline, Text};

/// Width and height of a character at scale 1. Units: pixels.
pub(crate) const GLYPH: (u32, u32) = (6, 10);

/// How wide a line of text is. Units: pixels.
pub(crate) fn width_of(text: &str, scale: u32) -> u32 {
    let characters = u32::try_from(text.chars().count()).unwrap_or(u32::MAX / 64);
    characters * GLYPH.0 * scale
}

/// The pixels of a text that are set: column and row.
pub(crate) fn mask(text: &str) -> Vec<(u32, u32)> {
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
