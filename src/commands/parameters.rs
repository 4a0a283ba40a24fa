//! A network's parameters, opened before anything is computed.

use std::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use super::context::Context;
use super::error::RunError;
use super::terminal::{Terminal, Unit};
use crate::data::prepared::file_name;
use crate::data::transform::Crop;
use crate::network::vgg::{
    self, Arch, Extent, NetworkError, ParameterSource, RandomParameters, Sizes, Variant, Vgg,
    input_side,
};
use crate::network::{Architecture, Layer, Model, ModelError, Network, Placement};
use crate::one_line::{listed, one_line, panic_text};
use crate::settings::{IMAGENET, NetworkSettings, RunSettings};
use crate::weights::{WeightsFile, imagenet, sha256};

/// A network that a command starts from.
pub(crate) struct OpenNetwork {
    pub(crate) variant: Variant,
    pub(crate) parameters: Box<dyn ParameterSource>,
    /// What they are called in descriptions.
    pub(crate) label: Box<dyn FnOnce() -> String + Send>,
}

impl OpenNetwork {
    /// One with random parameters, with a note that says so.
    pub(crate) fn random(
        arch: Arch,
        sizes: Sizes,
        seed: u64,
        label: &str,
        terminal: &Terminal,
    ) -> Self {
        terminal.note(&format!(
            "no --weights given: {arch} with random weights, seed {seed}, initialized as torchvision does"
        ));
        let label = format!("{label}random, seed {seed}");
        Self {
            variant: Variant::whole(arch, sizes.widths),
            parameters: Box::new(RandomParameters::new(arch, sizes, seed)),
            label: Box::new(|| label),
        }
    }

    pub(crate) fn build(&self, extent: Extent, place: Placement<'_>) -> Result<Vgg, NetworkError> {
        vgg::build(&*self.parameters, &self.variant, extent, place)
    }
}

type Build = dyn FnOnce(&[Layer], Placement<'_>) -> Result<Box<dyn Network>, ModelError>;

/// A network that images go through, opened before they are read.
pub(crate) struct ShownNetwork {
    pub(crate) architecture: Arc<dyn Architecture>,
    pub(crate) build: Box<Build>,
    pub(crate) label: Box<dyn FnOnce() -> String + Send>,
}

impl ShownNetwork {
    /// That of a weights file, or of the file of the network itself, or a random one; with notes on how it was read.
    pub(crate) fn open(
        model: &Model,
        weights: Option<&Path>,
        seed: u64,
        settings: &RunSettings,
        context: &Context,
    ) -> Result<Self, RunError> {
        let (network, terminal) = (&settings.network, &context.terminal);
        let path = weights_file(weights, network.arch, context)?.or_else(|| network.model.clone());
        let Some(path) = path else {
            let arch = network.arch.unwrap_or(Arch::VGG16);
            let random = OpenNetwork::random(arch, Sizes::PUBLISHED, seed, "", terminal);
            return Ok(Self {
                architecture: Arc::new(random.variant.clone()),
                label: Box::new(move || format!("random, seed {seed}")),
                build: Box::new(move |wanted, place| {
                    let deepest = wanted.last().map_or(0, |layer| layer.index);
                    Ok(Box::new(random.build(Extent::Features { deepest }, place)?))
                }),
            });
        };
        let file = model.weights(&path, network.weights_key.as_deref())?;
        let architecture = model.architecture(&file)?;
        terminal.notes(&notes(&file, model, settings.input.preprocess().crop));
        let (model, hashed) = (model.clone(), path.clone());
        let hash = move || sha256(&mut File::open(&hashed)?);
        Ok(Self {
            architecture,
            build: Box::new(move |wanted, place| model.build(&file, wanted, place)),
            label: hashed_label(file_name(&path), network, hash),
        })
    }
}

pub(crate) fn open_model(settings: &NetworkSettings) -> Result<Model, ModelError> {
    Model::open(settings.model.as_deref(), settings.arch)
}

/// The file that `--weights` names, downloaded where it is "imagenet"; `None` for random weights.
pub(crate) fn weights_file(
    weights: Option<&Path>,
    arch: Option<Arch>,
    context: &Context,
) -> Result<Option<PathBuf>, RunError> {
    Ok(match weights {
        Some(name) if name == IMAGENET => Some(download(arch.unwrap_or(Arch::VGG16), context)?),
        weights => weights.map(Path::to_owned),
    })
}

fn download(arch: Arch, context: &Context) -> Result<PathBuf, RunError> {
    let terminal = &context.terminal;
    let mut begun = false;
    let mut progress = |done: u64, total: Option<u64>| {
        if !begun {
            terminal.begin(0, total.unwrap_or_default(), Unit::Bytes);
            begun = true;
        }
        terminal.reached(done, "ImageNet weights");
        !context.interrupt.is_requested()
    };
    let places = imagenet::Locations::from_env();
    let path = imagenet::resolve(&arch.to_string(), &places, &mut progress)?;
    terminal.end();
    Ok(path)
}

pub(crate) fn open_file(
    path: &Path,
    key: Option<&str>,
    arch: Option<Arch>,
) -> Result<(Variant, WeightsFile), RunError> {
    let file = WeightsFile::open_under(path, key)?;
    let variant = Variant::of(&file, arch)?;
    Ok((variant, file))
}

/// What the weights are called in descriptions: `label` and the file's hash, computed on a thread of its
/// own while the first forward pass runs.
pub(crate) fn hashed_label<E: Error + Send + 'static>(
    mut label: String,
    settings: &NetworkSettings,
    hash: impl FnOnce() -> Result<String, E> + Send + 'static,
) -> Box<dyn FnOnce() -> String + Send> {
    if let Some(key) = &settings.weights_key {
        label = format!("{label}, the network under `{key}`");
    }
    let hash = thread::Builder::new().spawn(hash);
    Box::new(move || {
        let unknown = |why: &str| format!("{label}, SHA-256 unknown: {why}");
        match hash.map(thread::JoinHandle::join) {
            Ok(Ok(Ok(hash))) => format!("{label}, SHA-256 {hash}"),
            Ok(Ok(Err(error))) => unknown(&one_line(&error)),
            Ok(Err(panic)) => unknown(panic_text(&*panic)),
            Err(error) => unknown(&error.to_string()),
        }
    })
}

/// What there is to say of how a weights file was read.
pub(crate) fn notes(file: &WeightsFile, model: &Model, crop: Option<Crop>) -> Vec<String> {
    let name = file.path().display();
    let mut notes: Vec<String> = choice_note(file).into_iter().collect();
    if let Model::Exported(program) = model {
        notes.extend(program.unknown_note());
    }
    let prefix = file.prefix().trim_end_matches('.');
    if notes.is_empty() && !prefix.is_empty() {
        notes.push(format!("{name}: the network is the one under `{prefix}`"));
    }
    if let Model::Vgg(asked) = model
        && let Ok(variant) = Variant::of(file, *asked)
    {
        notes.extend(notes_on_vgg(file, &variant, crop));
    }
    notes
}

fn notes_on_vgg(file: &WeightsFile, variant: &Variant, crop: Option<Crop>) -> Vec<String> {
    let (name, arch) = (file.path().display(), variant.arch);
    let mut notes = Vec::new();
    let (held, all) = (variant.layers(), variant.all_layers());
    if let Some(last) = held.last().filter(|_| held.len() < all.len()) {
        notes.push(format!(
            "{name} holds the first layers of a {arch}, up to {}: --layers all means those",
            last.name()
        ));
    }
    let beyond = &file.layout().beyond;
    if !beyond.is_empty() {
        notes.push(format!(
            "{name} continues after {arch} (convolutions at {}): those are not shown, and pooling is torchvision's, 2 x 2 \
             and rounded down, where SSD rounds pool3 up and pool5 keeps the size",
            listed(beyond, ", ", usize::MAX)
        ));
    }
    if let (Some(trained), Some(crop)) = (input_side(file, arch), crop)
        && crop.sides() != [trained; 2]
    {
        let [height, width] = crop.sides();
        notes.push(format!(
            "{name}: its classifier takes as many values as {trained} x {trained} inputs give; shown at {height} x {width}: \
             --resize {trained} --crop {trained} shows it as it was trained"
        ));
    }
    if variant.is_gray() {
        notes.push(format!(
            "{name} takes gray images: it is fed luma, normalized by the mean of the three channels' numbers"
        ));
    }
    notes
}

/// Which network of a file is shown, where it holds several.
pub(crate) fn choice_note(file: &WeightsFile) -> Option<String> {
    let others: Vec<String> = file.others().map(|other| format!("`{other}`")).collect();
    if others.is_empty() {
        return None;
    }
    let shown = match file.prefix().trim_end_matches('.') {
        "" => "the top level".to_owned(),
        prefix => format!("`{prefix}`"),
    };
    Some(format!(
        "{} holds several networks; shown is the one under {shown}, not {}: choose with --weights-key",
        file.path().display(),
        others.join(", ")
    ))
}
