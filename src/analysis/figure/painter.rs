//! What figures are drawn with.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use plotters::backend::DrawingBackend;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind};
use plotters::element::{Rectangle, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontTransform, IntoFont, RGBColor};

use crate::logger::text::{dots, width_of};

pub(super) type Drawn<B, T> = Result<T, DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;

/// The size that plotters gives a font in SVG, of lines of the height 1 in the embedded font.
const SVG_SIZE: f32 = 1.24 / 1.164;

/// Part of a figure. Units: pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) x: i32,
    pub(super) y: i32,
    pub(super) width: i32,
    pub(super) height: i32,
}

impl Place {
    pub(super) fn right(self) -> i32 {
        self.x + self.width
    }

    pub(super) fn bottom(self) -> i32 {
        self.y + self.height
    }

    /// Larger by so much on each side.
    pub(super) fn grown(self, by: i32) -> Self {
        Self {
            x: self.x - by,
            y: self.y - by,
            width: self.width + 2 * by,
            height: self.height + 2 * by,
        }
    }

    /// A PNG in it, for SVG.
    pub(super) fn svg_image(self, png: &[u8]) -> String {
        let Self {
            x,
            y,
            width,
            height,
        } = self;
        let png = BASE64_STANDARD.encode(png);
        format!(
            "<image x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" preserveAspectRatio=\"none\" style=\"image-rendering:pixelated\" href=\"data:image/png;base64,{png}\"/>\n"
        )
    }

    /// Copies an RGB tile of a size into it, in a picture of a width, as the nearest pixels.
    pub(super) fn paste(self, tile: &[u8], size: [u32; 2], pixels: &mut [u8], width: u32) {
        let [tile_width, tile_height] = size.map(i64::from);
        for (x, y) in (0..self.height).flat_map(|y| (0..self.width).map(move |x| (x, y))) {
            let from_x = i64::from(x) * tile_width / i64::from(self.width);
            let from_y = i64::from(y) * tile_height / i64::from(self.height);
            let from = usize::try_from(3 * (from_y * tile_width + from_x)).unwrap_or(usize::MAX);
            let [x, y] = [self.x + x, self.y + y].map(i64::from);
            let to = usize::try_from(3 * (y * i64::from(width) + x)).unwrap_or(usize::MAX);
            let source = tile.get(from..from.saturating_add(3));
            let is_inside = x >= 0 && x < i64::from(width);
            if let (true, Some(to), Some(source)) =
                (is_inside, pixels.get_mut(to..to.saturating_add(3)), source)
            {
                to.copy_from_slice(source);
            }
        }
    }
}

/// Which end of a text its place is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Left,
    Center,
    Right,
}

/// Draws on one area.
pub(super) struct Painter<'a, B: DrawingBackend> {
    pub(super) area: &'a DrawingArea<B, Shift>,
    /// The height of a line of text. Units: pixels.
    pub(super) size: f32,
    /// Whether letters stay letters.
    pub(super) is_svg: bool,
}

impl<B: DrawingBackend> Painter<'_, B> {
    pub(super) fn width_of(&self, text: &str) -> i32 {
        i32::try_from(width_of(text, self.size)).unwrap_or(i32::MAX)
    }

    /// The height of a line. Units: pixels.
    pub(super) fn line(&self) -> i32 {
        self.size as i32
    }

    /// As much of a text as has room, with dots where more follows.
    pub(super) fn fitted(&self, text: &str, room: i32) -> String {
        if self.width_of(text) <= room {
            return text.to_owned();
        }
        let ends = text.char_indices().map(|(end, _)| end).rev();
        let mut shorter = ends.map(|end| format!("{}…", &text[..end]));
        let fitting = shorter.find(|shorter| self.width_of(shorter) <= room);
        fitting.unwrap_or_default()
    }

    /// Texts in lines that have room.
    pub(super) fn wrapped(&self, texts: &[String], room: i32) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for text in texts {
            let first = lines.len();
            for word in text.split_whitespace() {
                match lines.get_mut(first..).and_then(<[String]>::last_mut) {
                    Some(line) if self.width_of(&format!("{line} {word}")) <= room => {
                        line.push(' ');
                        line.push_str(word);
                    }
                    _ => lines.push(word.to_owned()),
                }
            }
        }
        lines
    }

    pub(super) fn fill(&self, place: Place, [red, green, blue]: [u8; 3]) -> Drawn<B, ()> {
        if place.width <= 0 || place.height <= 0 {
            return Ok(());
        }
        let corners = [(place.x, place.y), (place.right(), place.bottom())];
        let color = RGBColor(red, green, blue).filled();
        self.area.draw(&Rectangle::new(corners, color))
    }

    /// The edge of a place, inside of it.
    pub(super) fn frame(&self, place: Place, thick: i32, color: [u8; 3]) -> Drawn<B, ()> {
        let across = Place {
            height: thick,
            ..place
        };
        let down = Place {
            width: thick,
            ..place
        };
        self.fill(across, color)?;
        self.fill(
            Place {
                y: place.bottom() - thick,
                ..across
            },
            color,
        )?;
        self.fill(down, color)?;
        self.fill(
            Place {
                x: place.right() - thick,
                ..down
            },
            color,
        )
    }

    /// A line of text whose middle is at the height `y`.
    pub(super) fn text(
        &self,
        x: i32,
        y: i32,
        anchor: Anchor,
        text: &str,
        color: [u8; 3],
    ) -> Drawn<B, ()> {
        self.write([x, y], anchor, text, color, false)
    }

    /// A line of text from bottom to top, whose middle is at `x`; on its left is the bottom.
    pub(super) fn upward(&self, x: i32, y: i32, anchor: Anchor, text: &str) -> Drawn<B, ()> {
        self.write([x, y], anchor, text, [0; 3], true)
    }

    fn write(
        &self,
        [x, y]: [i32; 2],
        anchor: Anchor,
        text: &str,
        color: [u8; 3],
        is_upward: bool,
    ) -> Drawn<B, ()> {
        let color = RGBColor(color[0], color[1], color[2]);
        if self.is_svg {
            let place = match anchor {
                Anchor::Left => HPos::Left,
                Anchor::Center => HPos::Center,
                Anchor::Right => HPos::Right,
            };
            let turn = if is_upward {
                FontTransform::Rotate270
            } else {
                FontTransform::None
            };
            let font = ("sans-serif", self.size * SVG_SIZE)
                .into_font()
                .transform(turn);
            let style = font.color(&color).pos(Pos::new(place, VPos::Center));
            return self.area.draw(&Text::new(text, (x, y), style));
        }
        let before = match anchor {
            Anchor::Left => 0,
            Anchor::Center => self.width_of(text) / 2,
            Anchor::Right => self.width_of(text),
        };
        for dot in dots(text, self.size) {
            let along = i32::try_from(dot.x).unwrap_or(0) - before;
            let below = i32::try_from(dot.y).unwrap_or(0) - self.line() / 2;
            let at = if is_upward {
                (x + below, y - along)
            } else {
                (x + along, y + below)
            };
            self.area.draw_pixel(at, &color.mix(f64::from(dot.cover)))?;
        }
        Ok(())
    }
}
