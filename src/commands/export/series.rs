//! The values of a tag that are exported.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use image::ImageFormat;

use super::Exported;
use crate::commands::error::{CommandError, RunError};
use crate::commands::event_runs::EventRun;
use crate::data::decode;
use feature_grid::Picture;
use tensorboard_events::{Content, EventReader, Place, Value};

/// Of a file that was changed while it was read.
pub(super) fn changed() -> RunError {
    CommandError::failed("the file was changed meanwhile").into()
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

impl Series<'_> {
    /// Each step with its value, one at a time.
    pub(super) fn read(&self) -> impl Iterator<Item = (i64, Result<Point, RunError>)> {
        let mut open = None;
        self.places.iter().map(move |place| {
            let point = self.point(place, &mut open);
            if point.is_err() {
                open = None;
            }
            (place.step, point)
        })
    }

    /// Reads a value; its file, which has a number, stays `open` for the next ones.
    fn point(
        &self,
        place: &Place,
        open: &mut Option<(usize, EventReader<BufReader<File>>)>,
    ) -> Result<Point, RunError> {
        if open.as_ref().is_none_or(|(file, _)| *file != place.file) {
            let path = self.run.files.get(place.file).ok_or_else(changed)?;
            let mut events = EventReader::open(path)?;
            events.set_plugin(self.tag, self.plugin);
            *open = Some((place.file, events));
        }
        let (_, events) = open.as_mut().ok_or_else(changed)?;
        events.go_to(place.offset)?;
        let event = events.next().ok_or_else(changed)??;
        let Content::Summaries(summaries) = event.content else {
            return Err(changed());
        };
        // A later value of the same tag replaces it.
        let mut summaries = summaries.into_iter();
        let summary = summaries.rfind(|summary| summary.tag == self.tag);
        let value = summary.and_then(|summary| summary.value);
        Ok(Point {
            wall_time: event.wall_time,
            value: value.ok_or_else(changed)?,
        })
    }

    pub(super) fn pictures(&self) -> impl Iterator<Item = (i64, Result<Vec<Vec<u8>>, RunError>)> {
        self.read().map(|(step, point)| match point {
            Ok(Point {
                value: Value::Image { pngs, .. },
                ..
            }) => (step, Ok(pngs)),
            Ok(_) => (step, Err(changed())),
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

fn ending(bytes: &[u8]) -> Result<&'static str, RunError> {
    let endings = image::guess_format(bytes)?.extensions_str();
    Ok(endings.first().copied().unwrap_or("png"))
}

/// The pixels of a picture, of an animation its first one.
pub(super) fn pixels(bytes: Vec<u8>) -> Result<Picture, RunError> {
    if image::guess_format(&bytes)? == ImageFormat::Jpeg {
        return Ok(decode::decode_bytes(bytes)?);
    }
    let picture = image::load_from_memory(&bytes)?.into_rgb8();
    let (width, height) = picture.dimensions();
    Ok(Picture::rgb(width, height, picture.into_raw()))
}
