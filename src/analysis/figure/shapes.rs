//! What figures are made of, and how that becomes pixels or SVG.

use std::fmt::Write as _;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use image::{RgbImage, imageops};
use plotters::backend::{BitMapBackend, DrawingBackend, SVGBackend};
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea};
use plotters::element::{Rectangle, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color as _, FontTransform, IntoFont, RGBColor, WHITE};

use crate::logger::text;
use feature_grid::{Color, Colormap, Picture};

/// The size that plotters gives a font in SVG, of lines of the height 1 in the embedded font.
const SVG_SIZE: f32 = 1.24 / 1.164;

/// Part of a figure. Units: pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(super) x: i32,
    pub(super) y: i32,
    pub(super) width: i32,
    pub(super) height: i32,
}

impl Place {
    pub(crate) fn new(x: i32, y: i32, width: i32, height: i32) -> Self {
        Self {
            x,
            y,
            width,
            height,
        }
    }

    pub(super) fn right(self) -> i32 {
        self.x + self.width
    }

    pub(super) fn bottom(self) -> i32 {
        self.y + self.height
    }

    pub(super) fn grown(self, by: i32) -> Self {
        let (width, height) = (self.width + 2 * by, self.height + 2 * by);
        Self::new(self.x - by, self.y - by, width, height)
    }
}

pub(crate) enum Shape<'a> {
    Fill(Place, [u8; 3]),
    Line(Line),
    /// A picture of the nearest pixels.
    Tile(Place, &'a Picture),
}

pub(crate) struct Line {
    pub(super) text: String,
    pub(super) size: f32,
    /// Where its end or middle is; the other coordinate is that of its middle.
    pub(super) at: [i32; 2],
    pub(super) anchor: HPos,
    pub(super) color: [u8; 3],
    /// From bottom to top; on its left is the bottom.
    pub(super) is_upward: bool,
}

impl Line {
    /// A black one from left to right.
    pub(crate) fn new(at: [i32; 2], anchor: HPos, text: String, size: f32) -> Self {
        Self {
            text,
            size,
            at,
            anchor,
            color: [0; 3],
            is_upward: false,
        }
    }
}

pub(super) fn width_of(text: &str, size: f32) -> i32 {
    i32::try_from(text::width_of(text, size)).unwrap_or(i32::MAX)
}

/// As much of a text as has room, with dots where more follows.
pub(super) fn fitted(text: &str, size: f32, room: i32) -> String {
    let ends = text.char_indices().map(|(end, _)| end).rev();
    first_fitting(
        text,
        ends.map(|end| format!("{}…", &text[..end])),
        size,
        room,
    )
}

/// As much of the end of a text as has room, behind dots: of the names of layers the ends differ.
pub(super) fn end_fitted(text: &str, size: f32, room: i32) -> String {
    let starts = text.char_indices().map(|(start, _)| start).skip(1);
    first_fitting(
        text,
        starts.map(|start| format!("…{}", &text[start..])),
        size,
        room,
    )
}

fn first_fitting(
    text: &str,
    shorter: impl Iterator<Item = String>,
    size: f32,
    room: i32,
) -> String {
    let mut all = std::iter::once(text.to_owned()).chain(shorter);
    all.find(|text| width_of(text, size) <= room)
        .unwrap_or_default()
}

pub(super) fn wrapped(texts: &[String], size: f32, room: i32) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for text in texts {
        let first = lines.len();
        for word in text.split_whitespace() {
            match lines.get_mut(first..).and_then(<[String]>::last_mut) {
                Some(line) if width_of(&format!("{line} {word}"), size) <= room => {
                    line.push(' ');
                    line.push_str(word);
                }
                _ => lines.push(word.to_owned()),
            }
        }
    }
    lines
}

pub(crate) fn picture(shapes: &[Shape<'_>], width: u32, height: u32) -> Picture {
    let mut pixels = vec![255; 3 * width as usize * height as usize];
    let area = BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area();
    // Pixels do not fail, and what is beyond the edges is left out.
    let _ = paint(shapes, &area, &write_dots);
    drop(area);
    let mut picture = rgb_image(width, height, pixels);
    for (place, tile) in tiles(shapes) {
        let [width, height] = [place.width, place.height].map(|side| side.max(0).unsigned_abs());
        let tile = rgb_image(width, height, scaled(tile, [width, height]).pixels);
        // Not by plotters, which panics where it is cut off on the left.
        imageops::replace(&mut picture, &tile, place.x.into(), place.y.into());
    }
    Picture::rgb(width, height, picture.into_raw())
}

fn rgb_image(width: u32, height: u32, pixels: Vec<u8>) -> RgbImage {
    RgbImage::from_raw(width, height, pixels).unwrap_or_default()
}

/// The same as SVG, for text in which letters are letters.
pub(super) fn svg(shapes: &[Shape<'_>], width: u32, height: u32) -> String {
    let mut text = String::new();
    let area = SVGBackend::with_string(&mut text, (width, height)).into_drawing_area();
    // Text does not fail.
    let _ = paint(shapes, &area, &write_text);
    drop(area);
    let rest = text.split_off(text.rfind("</svg>").unwrap_or(text.len()));
    // plotters knows pictures in SVG only together with an old version of image.
    for (place, tile) in tiles(shapes) {
        let (x, y, width, height) = (place.x, place.y, place.width, place.height);
        let png = BASE64_STANDARD.encode(tile.to_png().unwrap_or_default());
        let _ = writeln!(
            text,
            "<image x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" preserveAspectRatio=\"none\" style=\"image-rendering:pixelated\" href=\"data:image/png;base64,{png}\"/>"
        );
    }
    text + &rest
}

/// The tiles, which plotters does not draw: nothing stands over them.
fn tiles<'a>(shapes: &'a [Shape<'_>]) -> impl Iterator<Item = (Place, &'a Picture)> {
    shapes.iter().filter_map(|shape| match shape {
        Shape::Tile(place, tile) => Some((*place, *tile)),
        _ => None,
    })
}

type Area<B> = DrawingArea<B, Shift>;
type Painted<B> = Result<(), DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;

fn paint<B: DrawingBackend>(
    shapes: &[Shape<'_>],
    area: &Area<B>,
    write: &dyn Fn(&Line, &Area<B>) -> Painted<B>,
) -> Painted<B> {
    area.fill(&WHITE)?;
    for shape in shapes {
        match shape {
            Shape::Fill(place, color) if place.width > 0 && place.height > 0 => {
                let corners = [(place.x, place.y), (place.right(), place.bottom())];
                area.draw(&Rectangle::new(corners, rgb(*color).filled()))?;
            }
            Shape::Line(line) => write(line, area)?,
            Shape::Fill(..) | Shape::Tile(..) => {}
        }
    }
    Ok(())
}

fn rgb([red, green, blue]: [u8; 3]) -> RGBColor {
    RGBColor(red, green, blue)
}

fn write_text<B: DrawingBackend>(line: &Line, area: &Area<B>) -> Painted<B> {
    let turn = if line.is_upward {
        FontTransform::Rotate270
    } else {
        FontTransform::None
    };
    let font = ("sans-serif", line.size * SVG_SIZE).into_font();
    let style = font.transform(turn).color(&rgb(line.color));
    let style = style.pos(Pos::new(line.anchor, VPos::Center));
    area.draw(&Text::new(&*line.text, line.at.into(), style))
}

/// Not by plotters, which spaces letters of pixels unevenly.
fn write_dots<B: DrawingBackend>(line: &Line, area: &Area<B>) -> Painted<B> {
    let ([x, y], color) = (line.at, rgb(line.color));
    let before = match line.anchor {
        HPos::Left => 0,
        HPos::Center => width_of(&line.text, line.size) / 2,
        HPos::Right => width_of(&line.text, line.size),
    };
    for dot in text::dots(&line.text, line.size) {
        let along = i32::try_from(dot.x).unwrap_or(0) - before;
        let below = i32::try_from(dot.y).unwrap_or(0) - line.size as i32 / 2;
        let at = if line.is_upward {
            (x + below, y - along)
        } else {
            (x + along, y + below)
        };
        area.draw_pixel(at, &color.mix(f64::from(dot.cover)))?;
    }
    Ok(())
}

/// With this width and height, in RGB: of the nearest pixels.
pub(crate) fn scaled(picture: &Picture, [width, height]: [u32; 2]) -> Picture {
    let palette = match picture.color {
        Color::Rgb => None,
        Color::Gray => Some(Colormap::Gray.palette()),
        Color::Indexed(colormap) => Some(colormap.palette()),
    };
    let (colors, _) = picture.pixels.as_chunks::<3>();
    let mut pixels = Vec::with_capacity(3 * width as usize * height as usize);
    for (row, column) in (0..height).flat_map(|row| (0..width).map(move |column| (row, column))) {
        let [x, y] = [
            column * picture.width / width,
            row * picture.height / height,
        ];
        let at = (y * picture.width + x) as usize;
        pixels.extend(match palette {
            Some(palette) => palette[usize::from(picture.pixels[at])],
            None => colors[at],
        });
    }
    Picture::rgb(width, height, pixels)
}
