//! The values of a tag that are exported.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

use image::ImageFormat;
use thiserror::Error;

use super::Exported;
use crate::commands::error::CommandError;
use crate::commands::event_runs::EventRun;
use crate::data::decode;
use crate::data::error::ImageError;
use feature_grid::Picture;
use feature_grid::png::PngError;
use tensorboard_events::{Content, EventReader, Place, ReadError, Value};

#[derive(Debug, Error)]
pub(super) enum ValueError {
    #[error("the file was changed meanwhile")]
    Changed,
    #[error("the event cannot be read")]
    Seek(#[from] io::Error),
    #[error("{0}")]
    Event(#[from] ReadError),
    #[error("the picture cannot be read")]
    Image(#[from] image::ImageError),
    #[error("the picture cannot be read")]
    Jpeg(#[from] ImageError),
    #[error("the figure is of another version")]
    Figure,
    #[error("the figure cannot be drawn")]
    Png(#[from] PngError),
    #[error("the arrays cannot be written")]
    Zip(#[from] zip::result::ZipError),
}

pub(super) struct Series<'a> {
    pub(super) run: &'a EventRun,
    pub(super) tag: &'a str,
    pub(super) plugin: &'a str,
    pub(super) places: Vec<Place>,
}

/// A value, and when it was written. Units: seconds since 1970.
pub(super) struct Point {
    pub(super) wall_time: f64,
    pub(super) value: Value,
}

/// An event file that stays open while values are read of it.
struct Open {
    file: usize,
    events: EventReader<BufReader<File>>,
}

impl Series<'_> {
    /// Each step with its value, one at a time.
    pub(super) fn read(&self) -> impl Iterator<Item = (i64, Result<Point, ValueError>)> {
        let mut open = None;
        self.places.iter().map(move |place| {
            let point = self.point(place, &mut open);
            if point.is_err() {
                open = None;
            }
            (place.step, point)
        })
    }

    fn point(&self, place: &Place, open: &mut Option<Open>) -> Result<Point, ValueError> {
        if open.as_ref().is_none_or(|open| open.file != place.file) {
            let path = self.run.files.get(place.file).ok_or(ValueError::Changed)?;
            let mut events = EventReader::open(path)?;
            events.set_plugin(self.tag, self.plugin);
            let file = place.file;
            *open = Some(Open { file, events });
        }
        let events = &mut open.as_mut().ok_or(ValueError::Changed)?.events;
        events.go_to(place.offset)?;
        let event = events.next().ok_or(ValueError::Changed)??;
        let Content::Summaries(summaries) = event.content else {
            return Err(ValueError::Changed);
        };
        // A later value of the same tag replaces it.
        let mut summaries = summaries.into_iter();
        let summary = summaries.rfind(|summary| summary.tag == self.tag);
        let value = summary.and_then(|summary| summary.value);
        Ok(Point {
            wall_time: event.wall_time,
            value: value.ok_or(ValueError::Changed)?,
        })
    }

    pub(super) fn pictures(&self) -> impl Iterator<Item = (i64, Result<Vec<Vec<u8>>, ValueError>)> {
        self.read().map(|(step, point)| match point {
            Ok(Point {
                value: Value::Image { pngs, .. },
                ..
            }) => (step, Ok(pngs)),
            Ok(_) => (step, Err(ValueError::Changed)),
            Err(error) => (step, Err(error)),
        })
    }

    /// What its value at a step is called where it is left out.
    pub(super) fn name(&self, step: i64) -> String {
        let (run, tag) = (self.run.path.display(), self.tag);
        format!("{run}: {tag} at step {step}")
    }

    /// Writes the pictures of each step into a folder, as they were logged.
    pub(super) fn write_pictures(
        &self,
        folder: &Path,
        exported: &mut Exported,
    ) -> Result<(), CommandError> {
        for (step, pictures) in self.pictures() {
            let pictures = exported.or_skip(&self.name(step), pictures);
            let pictures = pictures.unwrap_or_default();
            let count = pictures.len();
            for (number, bytes) in pictures.into_iter().enumerate() {
                let name = match count {
                    1 => format!("step_{step:06}"),
                    _ => format!("step_{step:06}_{number}"),
                };
                if let Some(ending) = exported.or_skip(&self.name(step), ending(&bytes)) {
                    exported.write(&folder.join(format!("{name}.{ending}")), bytes)?;
                }
            }
        }
        Ok(())
    }
}

fn ending(bytes: &[u8]) -> Result<&'static str, ValueError> {
    let endings = image::guess_format(bytes)?.extensions_str();
    Ok(endings.first().copied().unwrap_or("png"))
}

/// The pixels of a picture, of an animation its first one.
pub(super) fn pixels(bytes: Vec<u8>) -> Result<Picture, ValueError> {
    if image::guess_format(&bytes)? == ImageFormat::Jpeg {
        return Ok(decode::decode_bytes(bytes)?);
    }
    let picture = image::load_from_memory(&bytes)?.into_rgb8();
    let (width, height) = picture.dimensions();
    Ok(Picture::rgb(width, height, picture.into_raw()))
}
