//! `vggscope diff`: what changed between two weights files, layer by layer.

mod layer;
mod representations;
mod table;
mod verdict;

use std::path::PathBuf;

use serde::Serialize;

use super::error::{CommandError, RunError};
use super::parameters::{choice_note, open_file};
use crate::commands::terminal::Terminal;
use crate::network::vgg::{Arch, Variant};
use crate::settings::{DiffOrder, DiffSettings};
use crate::weights::{Entry, WeightsError, WeightsErrorKind, WeightsFile};
use layer::{Event, LayerDiff, OldNew, is_weight, own_name};

/// The comparison. Its field names are the keys of `--json`.
#[derive(Debug, Default, Serialize)]
struct Diff {
    old: PathBuf,
    new: PathBuf,
    arch: String,
    equal: bool,
    images: Option<usize>,
    layers: Vec<LayerDiff>,
    /// Tensors that the other file does not have, under their names in the file.
    only_old: Vec<String>,
    only_new: Vec<String>,
    other_shape: Vec<OtherShape>,
    verdict: Vec<String>,
    #[serde(skip)]
    events: Vec<Event>,
}

#[derive(Debug, Serialize)]
struct OtherShape {
    name: String,
    #[serde(flatten)]
    shapes: OldNew<Vec<usize>>,
}

/// Compares the files; returns what is to be printed, and whether they are equal.
pub(crate) fn compare(
    settings: &DiffSettings,
    terminal: &Terminal,
) -> Result<(String, bool), RunError> {
    let (arch, old, new) = open(settings)?;
    for note in [&old, &new].into_iter().filter_map(choice_note) {
        terminal.note(&note);
    }
    let mut diff = Diff::between(arch, &old, &new)?;
    if !settings.images.is_empty() {
        let arch = arch.ok_or_else(|| {
            let path = settings.old.display();
            CommandError::failed(format!("{path} holds no VGG: what its layers make of images is not known from weights alone"))
        })?;
        let (similar, images) =
            representations::similarities(settings, arch, [&old, &new], terminal)?;
        diff.images = Some(images);
        for layer in &mut diff.layers {
            let name = layer.name.as_ref();
            layer.cka = name.and_then(|name| similar.get(name).copied());
        }
    }
    if settings.sort == DiffOrder::Change {
        diff.layers.sort_by(LayerDiff::by_change);
    }
    let text = if settings.json {
        serde_json::to_string_pretty(&diff)? + "\n"
    } else {
        table::text(&diff)
    };
    Ok((text, diff.equal))
}

/// Opens both files, as VGGs, or where neither is one, by their own names. The first layers alone fit several networks,
/// among which the other file's decides.
fn open(settings: &DiffSettings) -> Result<(Option<Arch>, WeightsFile, WeightsFile), RunError> {
    let key = settings.weights_key.as_deref();
    let files = [&settings.old, &settings.new];
    let [old, new] = files.map(|path| open_file(path, key, settings.arch));
    let is_other = |error: &RunError| {
        let weights = error.downcast_ref::<WeightsError>();
        weights.is_some_and(|error| matches!(error.kind, WeightsErrorKind::OtherNetwork(_)))
    };
    if let (Err(of_old), Err(of_new)) = (&old, &new)
        && is_other(of_old)
        && is_other(of_new)
        && settings.arch.is_none()
    {
        let both = files.map(|path| WeightsFile::open_any(path, key));
        // What is no network at all is said as it was.
        if let [Ok(old), Ok(new)] = both {
            return Ok((None, old, new));
        }
    }
    let ((of_old, old), (of_new, new)) = (old?, new?);
    let (of_old, of_new) = (of_old.arch, of_new.arch);
    let arch = if Variant::of(&new, Some(of_old)).is_ok() {
        of_old
    } else if Variant::of(&old, Some(of_new)).is_ok() {
        of_new
    } else {
        let (old, new) = (settings.old.display(), settings.new.display());
        return Err(CommandError::failed(format!(
            "{old} holds a {of_old} and {new} a {of_new}: only weights of the same network can be compared"
        ))
        .into());
    };
    Ok((Some(arch), old, new))
}

impl Diff {
    fn between(
        arch: Option<Arch>,
        old: &WeightsFile,
        new: &WeightsFile,
    ) -> Result<Self, WeightsError> {
        let mut diff = Self {
            old: old.path().to_owned(),
            new: new.path().to_owned(),
            arch: arch.map_or("another network".to_owned(), |arch| arch.to_string()),
            only_old: missing(old, new),
            only_new: missing(new, old),
            ..Self::default()
        };
        for (stem, tensors) in stems(old) {
            let mut shared = Vec::new();
            for tensor in tensors {
                let Some(other) = new.get(tensor.name()).filter(|other| is_of(new, other)) else {
                    continue;
                };
                if tensor.shape() == other.shape() {
                    shared.push(tensor);
                } else {
                    let [old, new] = [tensor, other].map(|tensor| tensor.shape().to_vec());
                    diff.other_shape.push(OtherShape {
                        name: tensor.raw_name().to_owned(),
                        shapes: OldNew { old, new },
                    });
                }
            }
            // Without its weights in both files, a layer has no row.
            let weight = format!("{stem}.weight");
            let has_weights = old.get(&weight).or(new.get(&weight)).is_some();
            if shared.is_empty() || has_weights && !shared.iter().any(|tensor| is_weight(tensor)) {
                continue;
            }
            let (layer, events) = LayerDiff::between(arch, stem, &shared, old, new)?;
            diff.layers.push(layer);
            diff.events.extend(events);
        }
        diff.equal = diff.layers.iter().all(|layer| layer.equal)
            && diff.only_old.is_empty()
            && diff.only_new.is_empty()
            && diff.other_shape.is_empty();
        diff.verdict = verdict::lines(&diff);
        Ok(diff)
    }
}

/// The tensors of each layer, in the network's order: `features.0` with its weight and bias.
fn stems(file: &WeightsFile) -> Vec<(&str, Vec<&Entry>)> {
    let mut stems: Vec<(&str, Vec<&Entry>)> = Vec::new();
    for entry in file.entries().filter(|entry| is_of(file, entry)) {
        let stem = entry.name().rsplit_once('.').map_or("", |(stem, _)| stem);
        match stems.iter_mut().find(|(known, _)| *known == stem) {
            Some((_, tensors)) => tensors.push(entry),
            None => stems.push((stem, vec![entry])),
        }
    }
    let place = |stem: &str| match stem.split_once('.') {
        Some(("features", index)) => (0, index.parse().unwrap_or(usize::MAX)),
        Some(("classifier", index)) => (1, index.parse().unwrap_or(usize::MAX)),
        _ => (2, 0),
    };
    // Other layers stay in the file's order.
    stems.sort_by_key(|(stem, _)| place(stem));
    stems
}

/// Whether a tensor is one of the network: neither a counter, as batch normalization has one, nor one of
/// another network that stands beside it.
fn is_of(file: &WeightsFile, entry: &Entry) -> bool {
    let is_parameter = is_weight(entry) || own_name(entry) == "bias";
    let is_number = entry.dtype().is_float() || is_parameter;
    let is_beside = |other: &str| {
        let rest = entry.raw_name().strip_prefix(other);
        other.starts_with(file.prefix()) && rest.is_some_and(|rest| rest.starts_with('.'))
    };
    is_number && !file.others().any(is_beside)
}

fn missing(file: &WeightsFile, other: &WeightsFile) -> Vec<String> {
    let has = |name: &str| other.get(name).is_some_and(|entry| is_of(other, entry));
    let own = file.entries().filter(|entry| is_of(file, entry));
    own.filter(|entry| !has(entry.name()))
        .map(|entry| entry.raw_name().to_owned())
        .collect()
}
