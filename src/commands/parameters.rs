//! A network's parameters, opened before anything is computed.

use std::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::thread;

use super::context::Context;
use super::error::RunError;
use super::remarks::notes;
use crate::commands::terminal::{Terminal, Unit};
use crate::data::prepared::file_name;
use crate::network::vgg::{
    self, Arch, Extent, Grafted, NetworkError, NewPart, ParameterSource, Placement,
    RandomParameters, Sizes, Variant, Vgg,
};
use crate::one_line::one_line;
use crate::settings::{IMAGENET, NetworkSettings, RunSettings};
use crate::weights::{WeightsFile, imagenet, sha256};

/// Where a network's parameters come from.
pub(crate) enum Parameters {
    /// All of them random.
    Random(RandomParameters),
    /// From a file that holds all that are needed.
    File(WeightsFile),
    /// From a file, with a new classifier or last layer.
    Grafted {
        file: WeightsFile,
        fresh: RandomParameters,
        part: NewPart,
    },
}

impl Parameters {
    pub(crate) fn build(
        &self,
        variant: &Variant,
        extent: Extent,
        place: Placement<'_>,
    ) -> Result<Vgg, NetworkError> {
        match self {
            Self::Random(source) => Ok(vgg::build(source, variant, extent, place)?),
            Self::File(file) => vgg::build_from(file, file.path(), variant, extent, place),
            Self::Grafted { file, fresh, part } => {
                let source = grafted(file, fresh, *part);
                vgg::build_from(&source, file.path(), variant, extent, place)
            }
        }
    }

    /// The first dimension of a parameter, 0 where there is none of that name.
    pub(crate) fn rows(&self, name: &str) -> usize {
        let shape = match self {
            Self::Random(source) => source.shape(name),
            Self::File(file) => ParameterSource::shape(file, name),
            Self::Grafted { file, fresh, part } => grafted(file, fresh, *part).shape(name),
        };
        let shape = shape.unwrap_or_default();
        shape.first().copied().unwrap_or_default()
    }
}

fn grafted<'a>(
    file: &'a WeightsFile,
    fresh: &RandomParameters,
    part: NewPart,
) -> Grafted<'a, WeightsFile> {
    Grafted {
        base: file,
        fresh: fresh.clone(),
        part,
    }
}

/// A network that a command starts from.
pub(crate) struct OpenNetwork {
    pub(crate) variant: Variant,
    pub(crate) parameters: Parameters,
    /// What the weights are called in descriptions.
    pub(crate) label: Box<dyn FnOnce() -> String + Send>,
}

impl OpenNetwork {
    /// That of a weights file, or a random one; with notes on how it was read.
    pub(crate) fn of(
        weights: Option<&Path>,
        seed: u64,
        settings: &RunSettings,
        context: &Context,
    ) -> Result<Self, RunError> {
        let asked = settings.network.arch;
        let Some(path) = weights_file(weights, asked, context)? else {
            let arch = asked.unwrap_or(Arch::VGG16);
            return Ok(Self {
                variant: Variant::published(arch),
                parameters: random(arch, Sizes::PUBLISHED, seed, &context.terminal),
                label: Box::new(move || format!("random, seed {seed}")),
            });
        };
        let (variant, file) = open_with_notes(&path, &settings.network, &context.terminal)?;
        let name = file_name(&path);
        let hash = move || sha256(&mut File::open(&path)?);
        let label = hashed_label(name, &settings.network, hash);
        Ok(Self {
            variant,
            parameters: Parameters::File(file),
            label,
        })
    }
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

/// The published ImageNet weights, downloaded if they are nowhere yet.
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

/// Opens a file and says which network it holds.
pub(crate) fn open_file(
    path: &Path,
    settings: &NetworkSettings,
) -> Result<(Variant, WeightsFile), RunError> {
    let file = WeightsFile::open_under(path, settings.weights_key.as_deref())?;
    let variant = Variant::of(&file, settings.arch)?;
    Ok((variant, file))
}

/// Like [`open_file`], with notes on what was read how.
pub(crate) fn open_with_notes(
    path: &Path,
    settings: &NetworkSettings,
    terminal: &Terminal,
) -> Result<(Variant, WeightsFile), RunError> {
    let (held, file) = open_file(path, settings)?;
    for note in notes(&file, &held) {
        terminal.note(&note);
    }
    Ok((held, file))
}

/// Random parameters, with a note that says so.
pub(crate) fn random(arch: Arch, sizes: Sizes, seed: u64, terminal: &Terminal) -> Parameters {
    terminal.note(&format!(
        "no --weights given: {arch} with random weights, seed {seed}, initialized as torchvision does"
    ));
    Parameters::Random(RandomParameters::new(arch, sizes, seed))
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
    let hash = thread::spawn(hash);
    Box::new(move || match hash.join() {
        Ok(Ok(hash)) => format!("{label}, SHA-256 {hash}"),
        Ok(Err(error)) => format!("{label}, SHA-256 unknown: {}", one_line(&error)),
        Err(_) => label,
    })
}
