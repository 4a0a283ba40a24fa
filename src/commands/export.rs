//! `vggscope export`: the pictures of event files as files.

mod animation;
mod error;

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::event_runs::{EventRun, event_runs};
use crate::one_line::{listed, one_line};
use crate::settings::{ExportFormat, ExportSettings};
use feature_grid::Picture;
use tensorboard_events::{Content, EventReader, Inventory, Place, TagInventory, Value};

use animation::Animation;
pub(crate) use error::ExportError;
use error::write_error;

/// Pictures are shown by this plugin.
const IMAGES: &str = "images";

/// Bytes of a part of a path. File systems take 255, of which an ending and a number have some.
const LONGEST_PART: usize = 200;

/// Tags that a message names.
const NAMED: usize = 5;

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Exported {
    /// Files that were written.
    pub(crate) files: usize,
    /// What could not be taken, each with its reason.
    pub(crate) skipped: Vec<String>,
    /// Tags that have another path than their name, since that was taken.
    pub(crate) notes: Vec<String>,
    /// The paths that were given out, in lower case: some file systems do not tell cases apart.
    taken: HashSet<String>,
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

/// Writes the pictures.
pub(crate) fn export(settings: &ExportSettings) -> Result<Exported, ExportError> {
    let runs = event_runs(&settings.run)?;
    let mut exported = Exported::default();
    let mut first_error = None;
    let mut found = false;
    for run in &runs {
        // Of several runs each has a folder of its own.
        let below = run.path.strip_prefix(&settings.run);
        let out = match below {
            Ok(below) if runs.len() > 1 => settings.out.join(below),
            _ => settings.out.clone(),
        };
        match export_run(settings, run, &out, &mut exported) {
            Ok(()) => found = true,
            // Another run may have it.
            Err(error @ (ExportError::NoTag { .. } | ExportError::NoStep { .. })) => {
                first_error.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    match first_error {
        Some(error) if !found => Err(error),
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
    exported
        .skipped
        .extend(damage.map(|damage| one_line(damage)));
    let images = tags.into_iter().filter(|(_, tag)| tag.plugin == IMAGES);
    let images: BTreeMap<String, TagInventory> = images.collect();
    let is_chosen = |tag: &String| settings.tag.iter().any(|glob| glob.matches(tag));
    let chosen: Vec<_> = images.iter().filter(|(tag, _)| is_chosen(tag)).collect();
    if chosen.is_empty() {
        return Err(no_tag(settings, run, &images));
    }
    // Of the tags that have one path, the one that is called so has it.
    let mut chosen = chosen;
    chosen.sort_by_key(|(tag, _)| file_path(tag) != Path::new(tag));
    let mut first_error = None;
    let mut found = false;
    for (tag, inventory) in chosen {
        let steps: Vec<i64> = inventory.fast.iter().map(|place| place.step).collect();
        let is_taken = |place: &&Place| {
            let mut choices = settings.step.iter();
            choices.any(|choice| choice.takes(place.step, &steps))
        };
        let places: Vec<Place> = inventory.fast.iter().filter(is_taken).copied().collect();
        if places.is_empty() {
            first_error.get_or_insert_with(|| ExportError::NoStep {
                run: run.path.clone(),
                tag: tag.clone(),
                there: span(&steps),
            });
            continue;
        }
        found = true;
        let series = Series { run, tag, places };
        series.export(settings, out, exported)?;
    }
    match first_error {
        Some(error) if !found => Err(error),
        _ => Ok(()),
    }
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
            let note = format!(
                "{} is in {}: its own is another tag's",
                self.tag,
                path.display()
            );
            exported.notes.push(note);
        }
        match settings.format {
            ExportFormat::Png => self.write_each(&path, exported),
            format => {
                let mut animation = Animation::new(format, settings.delay);
                // Twice, so that one picture at a time is in memory.
                for place in &self.places {
                    self.each(place, exported, &mut |number, picture| {
                        animation.measure(number, place.step, &picture);
                        Ok(())
                    })?;
                }
                exported.files += animation.begin(&path, &mut |path| exported.claim(path))?;
                for place in &self.places {
                    let mut told = Exported::default();
                    self.each(place, &mut told, &mut |number, picture| {
                        animation.add(number, place.step, &picture)
                    })?;
                }
                animation.end()
            }
        }
    }

    fn write_each(&self, folder: &Path, exported: &mut Exported) -> Result<(), ExportError> {
        fs::create_dir_all(folder).map_err(|source| write_error(folder, source))?;
        for place in &self.places {
            let pictures = match self.read(place) {
                Ok(pictures) => pictures,
                Err(why) => {
                    exported.skipped.push(why);
                    continue;
                }
            };
            let count = pictures.len();
            for (number, bytes) in pictures.into_iter().enumerate() {
                let step = place.step;
                let name = match count {
                    1 => format!("step_{step:06}.png"),
                    _ => format!("step_{step:06}_{number}.png"),
                };
                let path = folder.join(name);
                let png = match as_png(bytes) {
                    Ok(png) => png,
                    Err(why) => {
                        exported.skipped.push(self.about(step, &why));
                        continue;
                    }
                };
                fs::write(&path, png).map_err(|source| write_error(&path, source))?;
                exported.files += 1;
            }
        }
        Ok(())
    }

    /// Calls `take` with the number and pixels of each picture of a step.
    fn each(
        &self,
        place: &Place,
        exported: &mut Exported,
        take: &mut dyn FnMut(usize, Picture) -> Result<(), ExportError>,
    ) -> Result<(), ExportError> {
        let pictures = match self.read(place) {
            Ok(pictures) => pictures,
            Err(why) => {
                exported.skipped.push(why);
                return Ok(());
            }
        };
        for (number, bytes) in pictures.iter().enumerate() {
            match decode(bytes) {
                Ok(picture) => take(number, picture)?,
                Err(why) => exported.skipped.push(self.about(place.step, &why)),
            }
        }
        Ok(())
    }

    fn about(&self, step: i64, why: &str) -> String {
        let run = self.run.path.display();
        format!("{run}: {} at step {step}: {why}", self.tag)
    }

    /// The encoded pictures of a step.
    fn read(&self, place: &Place) -> Result<Vec<Vec<u8>>, String> {
        let failed = |why: &str| self.about(place.step, why);
        let file = self.run.files.get(place.file);
        let file = file.ok_or_else(|| failed("its file is gone"))?;
        let mut events = EventReader::open(file).map_err(|error| failed(&one_line(&error)))?;
        events.set_plugin(self.tag, IMAGES);
        let sought = events.go_to(place.offset);
        sought.map_err(|error| failed(&error.to_string()))?;
        let event = match events.next() {
            Some(Ok(event)) => event,
            Some(Err(error)) => return Err(failed(&one_line(&error))),
            None => return Err(failed("its file became shorter")),
        };
        let Content::Summaries(summaries) = event.content else {
            return Err(failed("its file changed"));
        };
        // A later value of the same tag replaces it.
        let summary = summaries
            .into_iter()
            .rfind(|summary| summary.tag == self.tag);
        let summary = summary.ok_or_else(|| failed("its file changed"))?;
        match summary.value {
            Some(Value::Image { pngs, .. }) => Ok(pngs),
            _ => Err(failed("it is no picture")),
        }
    }
}

/// PNG as it is, anything else as PNG.
fn as_png(bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        return Ok(bytes);
    }
    let picture = image::load_from_memory(&bytes).map_err(|error| unreadable(&error))?;
    let mut png = io::Cursor::new(Vec::new());
    let written = picture.write_to(&mut png, image::ImageFormat::Png);
    written.map_err(|error| unreadable(&error))?;
    Ok(png.into_inner())
}

fn decode(bytes: &[u8]) -> Result<Picture, String> {
    let picture = image::load_from_memory(bytes).map_err(|error| unreadable(&error))?;
    let picture = picture.into_rgb8();
    Ok(Picture::rgb(
        picture.width(),
        picture.height(),
        picture.into_raw(),
    ))
}

fn unreadable(error: &image::ImageError) -> String {
    format!("the picture cannot be read: {}", one_line(error))
}

/// Where a tag's files go: a folder for each part of its name.
fn file_path(tag: &str) -> PathBuf {
    let plain = |c: char| {
        if c.is_alphanumeric() || "-_.+= ".contains(c) {
            c
        } else {
            '_'
        }
    };
    let part = |part: &str| -> String {
        let name: String = part.chars().map(plain).collect();
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
