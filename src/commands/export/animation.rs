//! All steps of a tag as one file that moves.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use image::codecs::gif::{GifEncoder, Repeat};
use image::{Delay, Frame, RgbImage};

use super::error::{ExportError, write_error};
use crate::analysis::figure::Frames;
use crate::settings::ExportFormat;
use feature_grid::Picture;

/// How thoroughly colors are chosen: 1 is best, 30 fastest.
const GIF_SPEED: i32 = 10;

/// The animations of a tag: one for each picture of a step.
pub(super) struct Animation {
    format: ExportFormat,
    delay: NonZeroU16,
    films: Vec<Film>,
}

/// One of them.
#[derive(Default)]
struct Film {
    frames: u32,
    size: [u32; 2],
    /// The characters of the longest label.
    characters: usize,
    writer: Option<(PathBuf, Frames, Writer)>,
    output: Option<Output>,
}

enum Writer {
    Apng(Box<png::Writer<Output>>),
    Gif(Box<GifEncoder<Output>>),
}

/// The file, to which encoders write their end without a word on whether that worked.
#[derive(Clone)]
struct Output(Rc<RefCell<BufWriter<File>>>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.borrow_mut().flush()
    }
}

fn label(step: i64) -> String {
    format!("step {step}")
}

impl Animation {
    pub(super) fn new(format: ExportFormat, delay: NonZeroU16) -> Self {
        Self {
            format,
            delay,
            films: Vec::new(),
        }
    }

    /// Makes room for the picture with this number of a step.
    pub(super) fn measure(&mut self, number: usize, step: i64, picture: &Picture) {
        if self.films.len() <= number {
            self.films.resize_with(number + 1, Film::default);
        }
        if let Some(film) = self.films.get_mut(number) {
            film.frames += 1;
            let [width, height] = film.size;
            film.size = [width.max(picture.width), height.max(picture.height)];
            film.characters = film.characters.max(label(step).len());
        }
    }

    /// Creates the files, and returns how many they are. `path` is theirs but for the ending, and for a number where
    /// they are several, which `claim` makes unlike those of other tags.
    pub(super) fn begin(
        &mut self,
        path: &Path,
        claim: &mut dyn FnMut(PathBuf) -> PathBuf,
    ) -> Result<usize, ExportError> {
        let folder = path.parent().unwrap_or(path);
        fs::create_dir_all(folder).map_err(|source| write_error(folder, source))?;
        let several = self.films.len() > 1;
        for (number, film) in self.films.iter_mut().enumerate() {
            let extension = match self.format {
                ExportFormat::Gif => "gif",
                ExportFormat::Apng | ExportFormat::Png => "apng",
            };
            let mut name = path.as_os_str().to_owned();
            if several {
                name.push(format!("_{number}"));
                name = claim(PathBuf::from(name)).into_os_string();
            }
            name.push(format!(".{extension}"));
            let path = PathBuf::from(name);
            let frames = Frames::new(film.size, film.characters);
            let file = File::create(&path).map_err(|source| write_error(&path, source))?;
            let file = Output(Rc::new(RefCell::new(BufWriter::new(file))));
            film.output = Some(file.clone());
            let writer = match self.format {
                ExportFormat::Gif => gif(file),
                ExportFormat::Apng | ExportFormat::Png => {
                    let (width, height) = frames.size();
                    apng(file, film.frames, width, height, self.delay)
                }
            };
            let writer = writer.map_err(|why| animate_error(&path, why))?;
            film.writer = Some((path, frames, writer));
        }
        Ok(self.films.len())
    }

    /// Adds the picture with this number of a step.
    pub(super) fn add(
        &mut self,
        number: usize,
        step: i64,
        picture: &Picture,
    ) -> Result<(), ExportError> {
        let film = self
            .films
            .get_mut(number)
            .and_then(|film| film.writer.as_mut());
        let Some((path, frames, writer)) = film else {
            return Ok(());
        };
        let Picture {
            width,
            height,
            pixels,
            ..
        } = frames.draw(picture, &label(step));
        let written = match writer {
            Writer::Apng(writer) => writer
                .write_image_data(&pixels)
                .map_err(|error| error.to_string()),
            Writer::Gif(writer) => {
                let delay = Duration::from_millis(u64::from(self.delay.get()));
                let delay = Delay::from_saturating_duration(delay);
                let picture = RgbImage::from_raw(width, height, pixels).unwrap_or_default();
                let picture = image::DynamicImage::from(picture).into_rgba8();
                let frame = Frame::from_parts(picture, 0, 0, delay);
                writer
                    .encode_frame(frame)
                    .map_err(|error| error.to_string())
            }
        };
        written.map_err(|why| animate_error(path, why))
    }

    /// Ends the files.
    pub(super) fn end(self) -> Result<(), ExportError> {
        for film in self.films {
            let (Some((path, _, writer)), Some(mut output)) = (film.writer, film.output) else {
                continue;
            };
            match writer {
                Writer::Apng(writer) => {
                    let ended = writer.finish();
                    ended.map_err(|error| animate_error(&path, error.to_string()))?;
                }
                Writer::Gif(writer) => drop(writer),
            }
            output
                .flush()
                .map_err(|source| write_error(&path, source))?;
        }
        Ok(())
    }
}

fn animate_error(path: &Path, why: String) -> ExportError {
    let path = path.to_owned();
    ExportError::Animate { path, why }
}

fn gif(file: Output) -> Result<Writer, String> {
    let mut encoder = GifEncoder::new_with_speed(file, GIF_SPEED);
    let set = encoder.set_repeat(Repeat::Infinite);
    set.map_err(|error| error.to_string())?;
    Ok(Writer::Gif(Box::new(encoder)))
}

/// Source: <https://www.w3.org/TR/png-3/>, chunks `acTL` and `fcTL`.
fn apng(
    file: Output,
    frames: u32,
    width: u32,
    height: u32,
    delay: NonZeroU16,
) -> Result<Writer, String> {
    let mut encoder = png::Encoder::new(file, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let set = encoder
        .set_animated(frames, 0)
        .and_then(|()| encoder.set_frame_delay(delay.get(), 1000));
    set.map_err(|error| error.to_string())?;
    let writer = encoder.write_header().map_err(|error| error.to_string())?;
    Ok(Writer::Apng(Box::new(writer)))
}
