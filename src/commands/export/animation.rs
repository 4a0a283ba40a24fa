//! All steps of a tag, or of several, as one file that moves.

use std::collections::BTreeSet;
use std::error::Error;
use std::ffi::OsString;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use png::EncodingError;

use super::series::{Series, pixels};
use super::{Exported, not_written};
use crate::analysis::figure::{self, HPos, Line, Place, Shape};
use crate::commands::error::CommandError;
use crate::logger::text::width_of;
use crate::settings::{ExportFormat, ExportSettings};
use feature_grid::Picture;

/// How thoroughly colors are chosen: 1 is best, 30 fastest.
const GIF_SPEED: i32 = 10;

/// How long the last frame stays at least. Units: milliseconds.
const HOLD: u16 = 2000;

/// Smaller pictures are enlarged to about this. Units: pixels.
const SIDE: u32 = 192;

/// Around a line of text. Units: pixels.
const PADDING: u32 = 4;

/// Between tags next to each other. Units: pixels.
const GAP: u32 = 8;

/// The longest side of a frame. Units: pixels.
const LONGEST: u32 = 16_384;

/// The pictures of one number of each step of a tag.
pub(super) struct Strip<'a> {
    series: &'a Series<'a>,
    number: usize,
    title: String,
    /// Of the largest picture. Units: pixels.
    size: [u32; 2],
    steps: Vec<i64>,
}

fn label(step: i64) -> String {
    format!("step {step}")
}

impl<'a> Strip<'a> {
    /// The first pictures of all steps, the second ones, if a step has them, and so on, measured.
    pub(super) fn all_of(series: &'a Series<'a>, exported: &mut Exported) -> Vec<Self> {
        let mut strips: Vec<Self> = Vec::new();
        for (step, pictures) in series.pictures() {
            let pictures = exported.or_skip(&series.name(step), pictures);
            for (number, bytes) in pictures.unwrap_or_default().into_iter().enumerate() {
                if strips.len() <= number {
                    let title = match number {
                        0 => series.tag.to_owned(),
                        _ => format!("{} {number}", series.tag),
                    };
                    strips.push(Strip {
                        series,
                        number,
                        title,
                        size: [0; 2],
                        steps: Vec::new(),
                    });
                }
                let strip = &mut strips[number];
                if let Some(picture) = exported.or_skip(&series.name(step), pixels(bytes)) {
                    let [width, height] = strip.size;
                    strip.size = [width.max(picture.width), height.max(picture.height)];
                    strip.steps.push(step);
                }
            }
        }
        strips
    }

    /// Its pictures, read again, so that one at a time is in memory.
    fn pictures(&self) -> impl Iterator<Item = (i64, Picture)> {
        self.series.pictures().filter_map(|(step, pictures)| {
            let mut pictures = pictures.ok()?;
            let bytes = pictures.get_mut(self.number).map(std::mem::take)?;
            Some((step, pixels(bytes).ok()?))
        })
    }
}

/// Writes strips next to each other, each step a frame; of one that has no picture at a step, the one before stays.
/// `name` is the file's but for the ending.
pub(super) fn write(
    strips: &[&Strip<'_>],
    mut name: OsString,
    settings: &ExportSettings,
) -> Result<(), CommandError> {
    let is_gif = settings.format == ExportFormat::Gif;
    name.push(if is_gif { ".gif" } else { ".apng" });
    let path = PathBuf::from(name);
    let steps: BTreeSet<i64> = strips
        .iter()
        .flat_map(|strip| &strip.steps)
        .copied()
        .collect();
    let layout = Layout::of(strips, &steps, settings);
    let Panel { width, height, .. } = layout.whole;
    if width.max(height) > LONGEST {
        return Err(CommandError::wrong_use(format!(
            "{}: its frames would be {width} x {height} pixels, and may be 16384 wide and high: use a smaller --scale, or \
             fewer tags with --together",
            path.display()
        )));
    }
    let mut shown: Vec<_> = strips
        .iter()
        .map(|strip| (strip.pictures().peekable(), None))
        .collect();
    let count = u32::try_from(steps.len()).unwrap_or(u32::MAX);
    let last = steps.last().copied();
    let frames = steps.into_iter().map(|step| {
        for (pictures, current) in &mut shown {
            while let Some((_, picture)) = pictures.next_if(|(next, _)| *next <= step) {
                *current = Some(picture);
            }
        }
        let current = shown.iter().map(|(_, current)| current.as_ref());
        let delay = settings.delay;
        let delay = if Some(step) == last {
            delay.max(HOLD)
        } else {
            delay
        };
        (delay, layout.draw(current, &label(step)))
    });
    let file = File::create(&path).map_err(|error| not_written(&path, error))?;
    let mut file = BufWriter::new(file);
    let written = if is_gif {
        let size = [width, height].map(|side| u16::try_from(side).unwrap_or(u16::MAX));
        write_gif(&mut file, size, frames).map_err(Into::into)
    } else {
        write_apng(&mut file, [width, height], count, frames).map_err(Into::into)
    };
    written.map_err(|error: Box<dyn Error + Send + Sync>| {
        CommandError::failed(format!("cannot write {} as an animation", path.display()))
            .because(error)
    })?;
    // Encoders write their end without a word on whether that worked.
    file.flush().map_err(|error| not_written(&path, error))
}

/// Pictures with a line of text above them. Units: pixels.
#[derive(Clone, Copy)]
struct Panel {
    /// How many times the pictures are enlarged.
    factor: u32,
    line: u32,
    width: u32,
    height: u32,
}

impl Panel {
    /// For pictures of at most this size, with text of at most so many characters.
    fn new([width, height]: [u32; 2], characters: usize, factor: Option<u32>) -> Self {
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

    fn top(&self) -> u32 {
        self.line + 2 * PADDING
    }

    /// Its line, where its upper left corner is here.
    fn line(&self, [left, top]: [u32; 2], text: &str) -> Shape<'static> {
        let at = [left + PADDING, top + PADDING + self.line / 2].map(u32::cast_signed);
        let size = self.line as f32;
        Shape::Line(Line::new(at, HPos::Left, text.to_owned(), size))
    }

    fn picture<'p>(&self, [left, top]: [u32; 2], picture: &'p Picture) -> Shape<'p> {
        let size = [picture.width, picture.height].map(|side| side * self.factor);
        let all = [left, top + self.top(), size[0], size[1]];
        let [x, y, width, height] = all.map(u32::cast_signed);
        Shape::Tile(Place::new(x, y, width, height), picture)
    }
}

struct Layout {
    /// That of each, from the left to the right, with its title where there are several.
    each: Vec<(Panel, Option<String>)>,
    whole: Panel,
}

impl Layout {
    fn of(strips: &[&Strip<'_>], steps: &BTreeSet<i64>, settings: &ExportSettings) -> Self {
        let longest = steps.iter().map(|step| label(*step).len()).max();
        let longest = longest.unwrap_or_default();
        if let [strip] = strips {
            let whole = Panel::new(strip.size, longest, settings.scale);
            let each = vec![(whole, None)];
            return Self { each, whole };
        }
        let (mut each, mut size) = (Vec::new(), [0_u32; 2]);
        for Strip {
            title, size: own, ..
        } in strips
        {
            let panel = Panel::new(*own, title.chars().count(), settings.scale);
            size = [
                size[0].saturating_add(panel.width + GAP),
                size[1].max(panel.height),
            ];
            each.push((panel, Some(title.clone())));
        }
        let whole = Panel::new(size, longest, Some(1));
        Self { each, whole }
    }

    fn draw<'p>(
        &self,
        pictures: impl Iterator<Item = Option<&'p Picture>>,
        label: &str,
    ) -> Picture {
        let mut shapes = vec![self.whole.line([0; 2], label)];
        let mut left = 0;
        for ((panel, title), picture) in self.each.iter().zip(pictures) {
            let place = [left, title.as_ref().map_or(0, |_| self.whole.top())];
            shapes.extend(title.as_ref().map(|title| panel.line(place, title)));
            shapes.extend(picture.map(|picture| panel.picture(place, picture)));
            left += panel.width + GAP;
        }
        figure::picture(&shapes, self.whole.width, self.whole.height)
    }
}

/// Source: <https://www.w3.org/TR/png-3/>, chunks `acTL` and `fcTL`. Delays are in milliseconds.
fn write_apng(
    file: &mut BufWriter<File>,
    [width, height]: [u32; 2],
    count: u32,
    frames: impl Iterator<Item = (u16, Picture)>,
) -> Result<(), EncodingError> {
    let mut encoder = png::Encoder::new(file, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_animated(count, 0)?;
    let mut writer = encoder.write_header()?;
    for (delay, picture) in frames {
        writer.set_frame_delay(delay, 1000)?;
        writer.write_image_data(&picture.pixels)?;
    }
    writer.finish()
}

/// Delays are in milliseconds.
fn write_gif(
    file: &mut BufWriter<File>,
    [width, height]: [u16; 2],
    frames: impl Iterator<Item = (u16, Picture)>,
) -> Result<(), gif::EncodingError> {
    let mut encoder = gif::Encoder::new(file, width, height, &[])?;
    encoder.set_repeat(gif::Repeat::Infinite)?;
    for (delay, picture) in frames {
        let mut frame = gif::Frame::from_rgb_speed(width, height, &picture.pixels, GIF_SPEED);
        reverse_palette(&mut frame);
        frame.delay = delay / 10;
        encoder.write_frame(&frame)?;
    }
    Ok(())
}

/// Brings the colors of a frame into the reverse order: a palette of all grays from black to white is none to Pillow, which
/// then shows the frame black.
fn reverse_palette(frame: &mut gif::Frame<'_>) {
    let Some(palette) = &mut frame.palette else {
        return;
    };
    let (colors, _) = palette.as_chunks_mut::<3>();
    colors.reverse();
    let last = u8::try_from(colors.len().saturating_sub(1)).unwrap_or(u8::MAX);
    for index in frame.buffer.to_mut() {
        *index = last - *index;
    }
}
