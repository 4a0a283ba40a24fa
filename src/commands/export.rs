//! `vggscope export`: what event files hold as files: pictures, animations, scalars, figures and their numbers.

mod animation;
mod figures;
pub(super) mod names;
mod scalars;
mod series;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::slice;

use super::error::{CommandError, RunError};
use super::event_runs::{EventRun, event_runs};
use crate::analysis::figure;
use crate::one_line::{listed, one_line};
use crate::settings::{ExportFormat, ExportSettings};
use animation::Strip;
use names::{Names, file_path};
use series::Series;
use tensorboard_events::{Inventory, Place, TagInventory};

/// What is exported: the plugin of its tags, and what one of its values is called.
struct Kind {
    plugin: &'static str,
    one: &'static str,
}

impl Kind {
    const fn new(plugin: &'static str, one: &'static str) -> Self {
        Self { plugin, one }
    }
}

const IMAGES: Kind = Kind::new("images", "image");
const SCALARS: Kind = Kind::new("scalars", "scalar");
const FIGURES: Kind = Kind::new(figure::PLUGIN, "figure");

fn kinds(settings: &ExportSettings) -> &'static [Kind] {
    match settings.format {
        ExportFormat::Csv => &[SCALARS, FIGURES],
        ExportFormat::Npz | ExportFormat::Svg => &[FIGURES],
        ExportFormat::Png if settings.size.is_some() => &[FIGURES],
        ExportFormat::Png | ExportFormat::Apng | ExportFormat::Gif => &[IMAGES],
    }
}

/// What a tag is called: the data of a figure as its picture.
fn name_of(tag: &str) -> &str {
    tag.strip_suffix(figure::ENDING).unwrap_or(tag)
}

/// Where all tags of `--together` are, and all scalars.
const TOGETHER: &str = "together";
const TABLE: &str = "scalars.csv";

const NAMED: usize = 5;

#[derive(Debug, Default)]
pub(crate) struct Exported {
    pub(crate) files: usize,
    /// What could not be taken, each with its reason.
    pub(crate) skipped: Vec<String>,
    /// Tags that have another path than their name, since that was taken.
    pub(crate) notes: Vec<String>,
    names: Names,
    /// Whether a tag and a step of it are asked for.
    has_any: bool,
    /// The first tag or run of which nothing is asked for.
    nothing: Option<CommandError>,
    /// The scalars of all runs, as rows of a table.
    table: String,
}

impl Exported {
    /// What is there; or nothing, and why among what was skipped.
    fn or_skip<T>(&mut self, what: &str, read: Result<T, RunError>) -> Option<T> {
        let skip = |error: &RunError| {
            (self.skipped).push(format!("{what}: {}", one_line(&**error)));
        };
        read.inspect_err(skip).ok()
    }

    fn write(&mut self, path: &Path, bytes: impl AsRef<[u8]>) -> Result<(), CommandError> {
        make_folder(path.parent().unwrap_or(path))?;
        fs::write(path, bytes).map_err(|error| not_written(path, error))?;
        self.files += 1;
        Ok(())
    }
}

pub(crate) fn export(settings: &ExportSettings) -> Result<Exported, RunError> {
    let runs = event_runs(&settings.run)?;
    let mut exported = Exported::default();
    for run in &runs {
        let below = run.path.strip_prefix(&settings.run).ok();
        // Of several runs each has a folder of its own.
        let out = match below {
            Some(below) if runs.len() > 1 => settings.out.join(below),
            _ => settings.out.clone(),
        };
        export_run(settings, run, &out, &mut exported)?;
    }
    match exported.nothing.take() {
        Some(error) if !exported.has_any => return Err(error.into()),
        _ => {}
    }
    if settings.format == ExportFormat::Csv && !exported.table.is_empty() {
        let table = format!("{}{}", scalars::HEADER, exported.table);
        exported.write(&settings.out.join(TABLE), table)?;
    }
    Ok(exported)
}

fn export_run(
    settings: &ExportSettings,
    run: &EventRun,
    out: &Path,
    exported: &mut Exported,
) -> Result<(), CommandError> {
    let Inventory { files, tags, .. } = Inventory::of(&run.files);
    let damage = files.iter().filter_map(|file| file.damage.as_ref());
    let damage = damage.map(|damage| one_line(damage));
    exported.skipped.extend(damage);
    let kinds = kinds(settings);
    let tags = tags.into_iter().filter(|(_, tag)| {
        let mut kinds = kinds.iter();
        kinds.any(|kind| kind.plugin == tag.plugin)
    });
    let tags: BTreeMap<String, TagInventory> = tags.collect();
    let is_chosen = |tag: &String| settings.tag.iter().any(|glob| glob.matches(name_of(tag)));
    let mut chosen: Vec<_> = tags.iter().filter(|(tag, _)| is_chosen(tag)).collect();
    if chosen.is_empty() {
        let kinds: Vec<&str> = kinds.iter().map(|kind| kind.one).collect();
        let error = no_tag(settings, run, &kinds.join(" or "), &tags);
        exported.nothing.get_or_insert(error);
    }
    if settings.format != ExportFormat::Csv {
        // Of the tags that have one path, the one that is called so has it.
        chosen.sort_by_key(|(tag, _)| file_path(tag) != Path::new(tag));
    }
    let mut all = Vec::new();
    for (tag, inventory) in chosen {
        let steps: Vec<i64> = inventory.fast.iter().map(|place| place.step).collect();
        let is_taken = |place: &&Place| {
            let mut choices = settings.step.iter();
            choices.any(|choice| choice.takes(place.step, &steps))
        };
        let places: Vec<Place> = inventory.fast.iter().filter(is_taken).copied().collect();
        if places.is_empty() {
            exported.nothing.get_or_insert_with(|| {
                CommandError::wrong_use(format!(
                    "{}: {tag} has no step that --step names; it has {}",
                    run.path.display(),
                    span(&steps)
                ))
            });
            continue;
        }
        exported.has_any = true;
        all.push(Series {
            run,
            tag,
            plugin: &inventory.plugin,
            places,
        });
    }
    if settings.together && all.len() > 1 {
        all.sort_by(|a, b| a.tag.cmp(b.tag));
        return animate(&all, settings, &out.join(TOGETHER), exported);
    }
    for series in &all {
        if series.plugin == SCALARS.plugin {
            scalars::add(series, &settings.run, exported);
            continue;
        }
        let path = claim(name_of(series.tag), out, exported);
        if series.plugin == FIGURES.plugin {
            figures::write(series, settings, &path, exported)?;
        } else if settings.is_animation() {
            animate(slice::from_ref(series), settings, &path, exported)?;
        } else {
            series.write_pictures(&path, exported)?;
        }
    }
    Ok(())
}

/// Where a tag's files go, with a note where that is another tag's place.
fn claim(tag: &str, out: &Path, exported: &mut Exported) -> PathBuf {
    let own = out.join(file_path(tag));
    let path = exported.names.claim(own.clone());
    if path != own {
        exported.notes.push(format!(
            "{tag} is in {}: its own is another tag's",
            path.display()
        ));
    }
    path
}

/// Writes one animation of all tags next to each other; of a single tag one of the first pictures of all steps, one of
/// the second ones, if a step has them, and so on.
fn animate(
    all: &[Series<'_>],
    settings: &ExportSettings,
    path: &Path,
    exported: &mut Exported,
) -> Result<(), CommandError> {
    make_folder(path.parent().unwrap_or(path))?;
    let mut strips = Vec::new();
    for series in all {
        strips.extend(Strip::all_of(series, exported));
    }
    let strips: Vec<&Strip<'_>> = strips.iter().collect();
    let together = if all.len() > 1 { strips.len() } else { 1 };
    for (number, strips_of_file) in strips.chunks(together.max(1)).enumerate() {
        let mut name = path.as_os_str().to_owned();
        if together < strips.len() {
            name.push(format!("_{number}"));
        }
        if strips.len() > 1 {
            name = exported.names.claim(PathBuf::from(name)).into_os_string();
        }
        animation::write(strips_of_file, name, settings)?;
        exported.files += 1;
    }
    Ok(())
}

fn no_tag(
    settings: &ExportSettings,
    run: &EventRun,
    kinds: &str,
    tags: &BTreeMap<String, TagInventory>,
) -> CommandError {
    let given = settings.tag.iter().map(|glob| format!("'{glob}'"));
    let there = match tags.len() {
        0 => "none".to_owned(),
        _ => listed(tags.keys().map(|tag| name_of(tag)), ", ", NAMED),
    };
    CommandError::wrong_use(format!(
        "{}: no {kinds} tag is matched by --tag {}; it has {there}",
        run.path.display(),
        given.collect::<Vec<_>>().join(" or ")
    ))
}

fn span(steps: &[i64]) -> String {
    match steps {
        [] => "none".to_owned(),
        [step] => format!("step {step}"),
        [first, .., last] => format!("{} from {first} to {last}", steps.len()),
    }
}

fn make_folder(folder: &Path) -> Result<(), CommandError> {
    fs::create_dir_all(folder).map_err(|error| not_written(folder, error))
}

fn not_written(path: &Path, error: io::Error) -> CommandError {
    let path = path.display();
    let text = format!("cannot write {path}: free some space, or choose another folder with --out");
    CommandError::failed(text).because(error)
}
