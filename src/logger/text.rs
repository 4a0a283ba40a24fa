//! Text as pixels, in the embedded font.

use ab_glyph::{Font, FontRef, Glyph, PxScale, ScaleFont, point};

/// Cut from `DejaVu` Sans by `scripts/font.py`; see the LICENSE beside it.
static FONT: &[u8] = include_bytes!("font/DejaVuSans.ttf");

pub(crate) struct Dot {
    pub(crate) x: u32,
    pub(crate) y: u32,
    /// How much of it is covered, from 0 to 1.
    pub(crate) cover: f32,
}

/// How wide a line of text is whose height, from the highest letter to the lowest, is `size`. Units: pixels.
pub(crate) fn width_of(text: &str, size: f32) -> u32 {
    rounded_up(set(text, size).1)
}

/// The pixels of a line of text, from its upper left corner.
pub(crate) fn dots(text: &str, size: f32) -> Vec<Dot> {
    let mut dots = Vec::new();
    let (Ok(font), (glyphs, _)) = (FontRef::try_from_slice(FONT), set(text, size)) else {
        return dots;
    };
    for outline in glyphs
        .into_iter()
        .filter_map(|glyph| font.outline_glyph(glyph))
    {
        let [left, top] = [outline.px_bounds().min.x, outline.px_bounds().min.y].map(rounded_up);
        outline.draw(|x, y, cover| {
            dots.push(Dot {
                x: left + x,
                y: top + y,
                cover: cover.min(1.0),
            });
        });
    }
    dots
}

/// The letters in their places, and where the line ends.
fn set(text: &str, size: f32) -> (Vec<Glyph>, f32) {
    let Ok(font) = FontRef::try_from_slice(FONT) else {
        return (Vec::new(), 0.0);
    };
    let font = font.as_scaled(PxScale::from(size));
    let mut x = 0.0;
    let letter = |character| {
        let id = font.glyph_id(character);
        let glyph = id.with_scale_and_position(font.scale(), point(x, font.ascent()));
        x += font.h_advance(id);
        glyph
    };
    (text.chars().map(letter).collect(), x)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "pixels; negative ones are cut off"
)]
fn rounded_up(pixels: f32) -> u32 {
    pixels.ceil() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_stand_side_by_side_within_their_line() {
        assert_eq!(width_of("", 18.0), 0);
        let one = width_of("conv1_1", 18.0);
        assert!((50..70).contains(&one), "{one}");
        assert!(width_of("conv1_1", 36.0).abs_diff(2 * one) <= 1);
        let dots = dots("Åg|‖ ж 中", 18.0);
        assert!(dots.iter().all(|dot| dot.y < 18 && dot.cover <= 1.0));
        assert!(dots.iter().any(|dot| dot.cover > 0.99));
    }
}
