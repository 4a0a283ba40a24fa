//! `vggscope export`: the pictures of event files as files.

mod animation;
pub(super) mod error;

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use image::ImageError;
use thiserror::Error;

use super::error::RunError;
use super::event_runs::{EventRun, event_runs};
use crate::one_line::{listed, one_line};
use crate::settings::{ExportFormat, ExportSettings};
use animation::Animation;
use error::ExportError;
use feature_grid::Picture;
use tensorboard_events::{Content, EventReader, Inventory, Place, ReadError, TagInventory, Value};

const IMAGES: &str = "images";

/// Bytes of a part of a path. File systems take 255, of which an ending and a number have some.
const LONGEST_PART: usize = 200;

const NAMED: usize = 5;

/// Why a picture is left out.
#[derive(Debug, Error)]
enum PictureError {
    #[error("the file was changed meanwhile")]
    Changed,
    #[error("the event cannot be read")]
    Seek(#[from] io::Error),
    #[error("{0}")]
    Event(#[from] ReadError),
    #[error("the picture cannot be read")]
    Image(#[from] ImageError),
}

#[derive(Debug, Default)]
pub(crate) struct Exported {
    pub(crate) files: usize,
    /// What could not be taken, each with its reason.
    pub(crate) skipped: Vec<String>,
    /// Tags that have another path than their name, since that was taken.
    pub(crate) notes: Vec<String>,
    /// The paths that were given out, in lower case: some file systems do not tell cases apart.
    taken: HashSet<String>,
    /// Whether a tag and a step of it are asked for.
    has_any: bool,
    /// The first tag or run of which nothing is asked for.
    nothing: Option<ExportError>,
}

impl Exported {
    /// The path, or the first with a number behind it that no other tag or animation has.
    fn claim(&mut self, path: PathBuf) -> PathBuf {
        let numbered = |number: usize| {
            let mut name = path.as_os_str().to_owned();
            name.push(format!("_{number}"));
            PathBuf::from(name)
        };
        let mut candidates = std::iter::once(path.clone()).chain((2..).map(numbered));
        let is_free = |path: &PathBuf| self.taken.insert(path.to_string_lossy().to_lowercase());
        candidates.find(is_free).unwrap_or(path)
    }
}

pub(crate) fn export(settings: &ExportSettings) -> Result<Exported, RunError> {
    let runs = event_runs(&settings.run)?;
    let mut exported = Exported::default();
    for run in &runs {
        // Of several runs each has a folder of its own.
        let out = match run.path.strip_prefix(&settings.run) {
            Ok(below) if runs.len() > 1 => settings.out.join(below),
            _ => settings.out.clone(),
        };
        export_run(settings, run, &out, &mut exported)?;
    }
    match exported.nothing.take() {
        Some(error) if !exported.has_any => Err(error.into()),
        _ => Ok(exported),
    }
}

fn export_run(
    settings: &ExportSettings,
    run: &EventRun,
    out: &Path,
    exported: &mut Exported,
) -> Result<(), ExportError> {
    let Inventory { files, tags, .. } = Inventory::of(&run.files);
    let damage = files.iter().filter_map(|file| file.damage.as_ref());
    let damage = damage.map(|damage| one_line(damage));
    exported.skipped.extend(damage);
    let images = tags.into_iter().filter(|(_, tag)| tag.plugin == IMAGES);
    let images: BTreeMap<String, TagInventory> = images.collect();
    let is_chosen = |tag: &String| settings.tag.iter().any(|glob| glob.matches(tag));
    let mut chosen: Vec<_> = images.iter().filter(|(tag, _)| is_chosen(tag)).collect();
    if chosen.is_empty() {
        let error = no_tag(settings, run, &images);
        exported.nothing.get_or_insert(error);
    }
    // Of the tags that have one path, the one that is called so has it.
    chosen.sort_by_key(|(tag, _)| file_path(tag) != Path::new(tag));
    for (tag, inventory) in chosen {
        let steps: Vec<i64> = inventory.fast.iter().map(|place| place.step).collect();
        let is_taken = |place: &&Place| {
            let mut choices = settings.step.iter();
            choices.any(|choice| choice.takes(place.step, &steps))
        };
        let places: Vec<Place> = inventory.fast.iter().filter(is_taken).copied().collect();
        if places.is_empty() {
            exported.nothing.get_or_insert_with(|| ExportError::NoStep {
                run: run.path.clone(),
                tag: tag.clone(),
                there: span(&steps),
            });
            continue;
        }
        exported.has_any = true;
        Series { run, tag, places }.export(settings, out, exported)?;
    }
    Ok(())
}

fn no_tag(
    settings: &ExportSettings,
    run: &EventRun,
    images: &BTreeMap<String, TagInventory>,
) -> ExportError {
    let given = settings.tag.iter().map(|glob| format!("'{glob}'"));
    let there = match images.len() {
        0 => "it has no pictures".to_owned(),
        _ => format!("it has {}", listed(images.keys(), ", ", NAMED)),
    };
    ExportError::NoTag {
        run: run.path.clone(),
        given: given.collect::<Vec<_>>().join(" or "),
        there,
    }
}

fn span(steps: &[i64]) -> String {
    match steps {
        [] => "none".to_owned(),
        [step] => format!("step {step}"),
        [first, .., last] => format!("{} from {first} to {last}", steps.len()),
    }
}

/// The pictures of a tag that are exported.
struct Series<'a> {
    run: &'a EventRun,
    tag: &'a str,
    places: Vec<Place>,
}

impl Series<'_> {
    fn export(
        &self,
        settings: &ExportSettings,
        out: &Path,
        exported: &mut Exported,
    ) -> Result<(), ExportError> {
        let own = out.join(file_path(self.tag));
        let path = exported.claim(own.clone());
        if path != own {
            exported.notes.push(format!(
                "{} is in {}: its own is another tag's",
                self.tag,
                path.display()
            ));
        }
        if settings.format != ExportFormat::Png {
            return self.animate(settings, &path, exported);
        }
        make_folder(&path)?;
        for place in &self.places {
            let step = place.step;
            let pictures = self.read_or_skip(place, &mut exported.skipped);
            let count = pictures.len();
            for (number, bytes) in pictures.into_iter().enumerate() {
                let name = match count {
                    1 => format!("step_{step:06}"),
                    _ => format!("step_{step:06}_{number}"),
                };
                let ending = ending(&bytes);
                if let Some(ending) = self.or_skip(step, ending, &mut exported.skipped) {
                    let path = path.join(format!("{name}.{ending}"));
                    fs::write(&path, bytes).map_err(|error| ExportError::Write(path, error))?;
                    exported.files += 1;
                }
            }
        }
        Ok(())
    }

    /// Writes an animation of the first pictures of all steps, one of the second ones, if a step has them, and so on.
    fn animate(
        &self,
        settings: &ExportSettings,
        path: &Path,
        exported: &mut Exported,
    ) -> Result<(), ExportError> {
        make_folder(path.parent().unwrap_or(path))?;
        let mut animations: Vec<Animation> = Vec::new();
        for place in &self.places {
            let pictures = self.read_or_skip(place, &mut exported.skipped);
            for (number, bytes) in pictures.iter().enumerate() {
                if animations.len() <= number {
                    animations.push(Animation::default());
                }
                let picture = self.or_skip(place.step, decode(bytes), &mut exported.skipped);
                if let Some(picture) = picture {
                    animations[number].measure(place.step, &picture);
                }
            }
        }
        for (number, animation) in animations.iter().enumerate() {
            let mut name = path.as_os_str().to_owned();
            if animations.len() > 1 {
                name.push(format!("_{number}"));
                name = exported.claim(PathBuf::from(name)).into_os_string();
            }
            // Read again, so that one picture at a time is in memory.
            let pictures = self.places.iter().filter_map(|place| {
                let pictures = self.read(place).ok()?;
                Some((place.step, decode(pictures.get(number)?).ok()?))
            });
            animation.write(name, settings, pictures)?;
            exported.files += 1;
        }
        Ok(())
    }

    /// What is there; or nothing, and why in `skipped`.
    fn or_skip<T>(
        &self,
        step: i64,
        read: Result<T, PictureError>,
        skipped: &mut Vec<String>,
    ) -> Option<T> {
        let skip = |error: &PictureError| {
            let (run, tag) = (self.run.path.display(), self.tag);
            skipped.push(format!("{run}: {tag} at step {step}: {}", one_line(error)));
        };
        read.inspect_err(skip).ok()
    }

    fn read_or_skip(&self, place: &Place, skipped: &mut Vec<String>) -> Vec<Vec<u8>> {
        let pictures = self.or_skip(place.step, self.read(place), skipped);
        pictures.unwrap_or_default()
    }

    fn read(&self, place: &Place) -> Result<Vec<Vec<u8>>, PictureError> {
        let file = self.run.files.get(place.file);
        let mut events = EventReader::open(file.ok_or(PictureError::Changed)?)?;
        events.set_plugin(self.tag, IMAGES);
        events.go_to(place.offset)?;
        let event = events.next().ok_or(PictureError::Changed)??;
        let Content::Summaries(summaries) = event.content else {
            return Err(PictureError::Changed);
        };
        // A later value of the same tag replaces it.
        let mut summaries = summaries.into_iter();
        let summary = summaries.rfind(|summary| summary.tag == self.tag);
        match summary.and_then(|summary| summary.value) {
            Some(Value::Image { pngs, .. }) => Ok(pngs),
            _ => Err(PictureError::Changed),
        }
    }
}

fn make_folder(folder: &Path) -> Result<(), ExportError> {
    fs::create_dir_all(folder).map_err(|error| ExportError::Write(folder.to_owned(), error))
}

/// How the name of a picture's file ends, which is written as it was logged.
fn ending(bytes: &[u8]) -> Result<&'static str, PictureError> {
    let endings = image::guess_format(bytes)?.extensions_str();
    Ok(endings.first().copied().unwrap_or("png"))
}

fn decode(bytes: &[u8]) -> Result<Picture, PictureError> {
    let picture = image::load_from_memory(bytes)?.into_rgb8();
    let (width, height) = picture.dimensions();
    Ok(Picture::rgb(width, height, picture.into_raw()))
}

/// Where a tag's files go: a folder for each part of its name.
fn file_path(tag: &str) -> PathBuf {
    let is_special = |c: char| !c.is_alphanumeric() && !"-_.+= ".contains(c);
    let part = |part: &str| -> String {
        let name = part.replace(is_special, "_");
        let end = name.floor_char_boundary(LONGEST_PART);
        // No part leads out of the folder, and none is hidden.
        match name[..end].trim().trim_matches('.') {
            "" => "_".to_owned(),
            name => name.to_owned(),
        }
    };
    tag.split('/').map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_becomes_a_path_that_stays_in_the_folder() {
        for (tag, path) in [
            ("feature_maps/05_conv2_1", "feature_maps/05_conv2_1"),
            ("a b/c:d", "a b/c_d"),
            ("../../etc/x", "_/_/etc/x"),
            ("/root", "_/root"),
            ("", "_"),
            ("a.", "a"),
        ] {
            assert_eq!(file_path(tag), Path::new(path), "{tag}");
        }
        let long = file_path(&"é".repeat(300));
        assert_eq!(long.as_os_str().len(), LONGEST_PART);
    }

    #[test]
    fn no_two_tags_have_one_path() {
        let mut exported = Exported::default();
        let claimed = ["out/a_b", "out/a_b", "out/A_B", "out/a_b_2", "out/c"]
            .map(|path| exported.claim(PathBuf::from(path)));
        let paths = ["out/a_b", "out/a_b_2", "out/A_B_3", "out/a_b_2_2", "out/c"];
        assert_eq!(claimed, paths.map(PathBuf::from));
    }
}
