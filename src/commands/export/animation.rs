//! All steps of a tag as one file that moves.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::time::Duration;

use image::codecs::gif::{GifEncoder, Repeat};
use image::{Delay, DynamicImage, Frame, ImageResult, RgbImage};
use png::EncodingError;

use super::error::ExportError;
use crate::analysis::figure::Frames;
use crate::settings::{ExportFormat, ExportSettings};
use feature_grid::Picture;

/// How thoroughly colors are chosen: 1 is best, 30 fastest.
const GIF_SPEED: i32 = 10;

/// What its pictures have in common.
#[derive(Default)]
pub(super) struct Animation {
    frames: u32,
    size: [u32; 2],
    /// The characters of the longest label.
    characters: usize,
}

fn label(step: i64) -> String {
    format!("step {step}")
}

impl Animation {
    /// Makes room for the picture of a step.
    pub(super) fn measure(&mut self, step: i64, picture: &Picture) {
        self.frames += 1;
        let [width, height] = self.size;
        self.size = [width.max(picture.width), height.max(picture.height)];
        self.characters = self.characters.max(label(step).len());
    }

    /// Writes the pictures that were measured, each with its step. `name` is the file's but for the ending.
    pub(super) fn write(
        &self,
        mut name: OsString,
        settings: &ExportSettings,
        pictures: impl Iterator<Item = (i64, Picture)>,
    ) -> Result<(), ExportError> {
        let is_gif = settings.format == ExportFormat::Gif;
        name.push(if is_gif { ".gif" } else { ".apng" });
        let path = PathBuf::from(name);
        let frames = Frames::new(self.size, self.characters);
        let pictures = pictures.map(|(step, picture)| frames.draw(&picture, &label(step)));
        let file = File::create(&path).map_err(|error| ExportError::Write(path.clone(), error))?;
        let mut file = BufWriter::new(file);
        let delay = settings.delay.get();
        let written = if is_gif {
            write_gif(&mut file, delay, pictures).map_err(Into::into)
        } else {
            self.write_apng(&mut file, delay, &frames, pictures)
                .map_err(Into::into)
        };
        written.map_err(|error| ExportError::Animate(path.clone(), error))?;
        // Encoders write their end without a word on whether that worked.
        file.flush()
            .map_err(|error| ExportError::Write(path, error))
    }

    /// Source: <https://www.w3.org/TR/png-3/>, chunks `acTL` and `fcTL`. `delay` is in milliseconds.
    fn write_apng(
        &self,
        file: &mut BufWriter<File>,
        delay: u16,
        frames: &Frames,
        pictures: impl Iterator<Item = Picture>,
    ) -> Result<(), EncodingError> {
        let (width, height) = frames.size();
        let mut encoder = png::Encoder::new(file, width, height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_animated(self.frames, 0)?;
        encoder.set_frame_delay(delay, 1000)?;
        let mut writer = encoder.write_header()?;
        for picture in pictures {
            writer.write_image_data(&picture.pixels)?;
        }
        writer.finish()
    }
}

fn write_gif(
    file: &mut BufWriter<File>,
    delay: u16,
    pictures: impl Iterator<Item = Picture>,
) -> ImageResult<()> {
    let mut encoder = GifEncoder::new_with_speed(file, GIF_SPEED);
    encoder.set_repeat(Repeat::Infinite)?;
    let delay = Delay::from_saturating_duration(Duration::from_millis(delay.into()));
    for picture in pictures {
        let Picture {
            width,
            height,
            pixels,
            ..
        } = picture;
        let picture = RgbImage::from_raw(width, height, pixels).unwrap_or_default();
        let picture = DynamicImage::from(picture).into_rgba8();
        encoder.encode_frame(Frame::from_parts(picture, 0, 0, delay))?;
    }
    Ok(())
}
