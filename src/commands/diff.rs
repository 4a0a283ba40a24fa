//! `vggscope diff`: what changed between two weights files, layer by layer.

mod layer;
mod representations;
mod table;
mod verdict;

use std::path::PathBuf;

use serde::Serialize;
use thiserror::Error;

use super::error::RunError;
use super::parameters::open_file;
use super::remarks::chosen;
use crate::commands::terminal::Terminal;
use crate::network::vgg::{Arch, Variant};
use crate::settings::{DiffOrder, DiffSettings};
use crate::weights::{DType, Entry, WeightsError, WeightsFile};
use layer::{Event, LayerDiff, Part};

/// Files that cannot be compared.
#[derive(Debug, Error)]
pub(crate) enum DiffError {
    #[error(
        "{old} holds a {of_old} and {new} a {of_new}: only weights of the same network can be compared"
    )]
    OtherArch {
        old: PathBuf,
        of_old: Arch,
        new: PathBuf,
        of_new: Arch,
    },
    #[error(
        "{0} takes color images and {1} gray ones, or the reverse: they cannot see the same ones; leave --images out"
    )]
    OtherColors(PathBuf, PathBuf),
}

/// The comparison. Its field names are the keys of `--json`.
#[derive(Debug, Serialize)]
struct Diff {
    old: PathBuf,
    new: PathBuf,
    arch: String,
    equal: bool,
    /// How many images CKA is over.
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

/// A tensor that the files hold in different shapes.
#[derive(Debug, Serialize)]
struct OtherShape {
    name: String,
    old: Vec<usize>,
    new: Vec<usize>,
}

/// Compares the files; returns what is to be printed, and whether they are equal.
pub(crate) fn compare(
    settings: &DiffSettings,
    terminal: &Terminal,
) -> Result<(String, bool), RunError> {
    let (arch, old, new) = open(settings)?;
    for file in [&old, &new] {
        if let Some(note) = chosen(file) {
            terminal.note(&note);
        }
    }
    let mut diff = Diff::between(arch, &old, &new)?;
    if !settings.images.is_empty() {
        let (similar, images) =
            representations::similarities(settings, arch, [&old, &new], terminal)?;
        diff.images = Some(images);
        for layer in &mut diff.layers {
            layer.cka = layer
                .name
                .as_ref()
                .and_then(|name| similar.get(name).copied());
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

/// Opens both files. The first layers alone fit several networks, among which the other file's decides.
fn open(settings: &DiffSettings) -> Result<(Arch, WeightsFile, WeightsFile), RunError> {
    let (of_old, old) = open_file(&settings.old, &settings.network())?;
    let (of_new, new) = open_file(&settings.new, &settings.network())?;
    let (of_old, of_new) = (of_old.arch, of_new.arch);
    let arch = if Variant::of(&new, Some(of_old)).is_ok() {
        of_old
    } else if Variant::of(&old, Some(of_new)).is_ok() {
        of_new
    } else {
        return Err(DiffError::OtherArch {
            old: settings.old.clone(),
            of_old,
            new: settings.new.clone(),
            of_new,
        }
        .into());
    };
    Ok((arch, old, new))
}

impl Diff {
    fn between(arch: Arch, old: &WeightsFile, new: &WeightsFile) -> Result<Self, WeightsError> {
        let mut diff = Self {
            old: old.path().to_owned(),
            new: new.path().to_owned(),
            arch: arch.to_string(),
            equal: false,
            images: None,
            layers: Vec::new(),
            only_old: missing(old, new),
            only_new: missing(new, old),
            other_shape: Vec::new(),
            verdict: Vec::new(),
            events: Vec::new(),
        };
        for (stem, parts) in stems(old) {
            let mut shared = Vec::new();
            for part in parts {
                let Some(other) = new.get(part.name()).filter(|other| is_of(new, other)) else {
                    continue;
                };
                if part.shape() == other.shape() {
                    shared.push(Part::new(part));
                } else {
                    diff.other_shape.push(OtherShape {
                        name: part.raw_name().to_owned(),
                        old: part.shape().to_vec(),
                        new: other.shape().to_vec(),
                    });
                }
            }
            // Without its weights in both files, a layer has no row.
            let has_weights = |file: &WeightsFile| file.get(&format!("{stem}.weight")).is_some();
            let has_weights = has_weights(old) || has_weights(new);
            if shared.is_empty() || has_weights && !shared.iter().any(Part::is_weight) {
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
            Some((_, parts)) => parts.push(entry),
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
    let is_number = !matches!(entry.dtype(), DType::Other(_)) || Part::new(entry).is_parameter();
    let mut others = file
        .others()
        .filter(|other| other.starts_with(file.prefix()));
    let beside = |other: &str| {
        let rest = entry.raw_name().strip_prefix(other);
        rest.is_some_and(|rest| rest.starts_with('.'))
    };
    is_number && !others.any(beside)
}

/// The tensors of `file` that `other` does not have.
fn missing(file: &WeightsFile, other: &WeightsFile) -> Vec<String> {
    let own = file.entries().filter(|entry| is_of(file, entry));
    let is_missing = |entry: &&Entry| {
        other
            .get(entry.name())
            .is_none_or(|entry| !is_of(other, entry))
    };
    own.filter(is_missing)
        .map(|entry| entry.raw_name().to_owned())
        .collect()
}
