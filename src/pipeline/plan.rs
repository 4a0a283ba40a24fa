//! Everything that is checked and opened before the first forward pass.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use super::describe::{Describer, WeightsLabel, preprocessing_in_words};
use super::load::file_name;
use super::pictures::Studio;
use super::{Interrupt, RunError};
use crate::config::{Config, OnError, Resolved, Source, WeightsChoice, as_markdown};
use crate::device::OpenDevice;
use crate::events::{EventFile, holds_event_files};
use crate::input::checkpoints::{Checkpoint, list_checkpoints};
use crate::input::list::{ImageFile, list_images};
use crate::input::transform::ChannelOrder;
use crate::render::{Layout, Style};
use crate::terminal::{Terminal, Unit};
use crate::vgg::{self, Arch, Layer, PUBLISHED_CLASSES, PUBLISHED_HIDDEN, RandomParameters};
use crate::weights::{WeightsFile, imagenet};

/// Kernels are 3 pixels wide; enlarged to this they can be seen.
const KERNEL_TILE: u32 = 24;

/// A run that can begin.
pub(super) struct Plan {
    pub(super) device: OpenDevice,
    pub(super) arch: Arch,
    /// The layers to show, in the network's order.
    pub(super) layers: Vec<Layer>,
    pub(super) images: Vec<ImageFile>,
    pub(super) networks: Networks,
    pub(super) studio: Arc<Studio>,
    pub(super) events: EventFile,
    /// The resolved configuration as Markdown.
    pub(super) config_text: String,
}

/// Where networks come from.
pub(super) enum Networks {
    /// One, whose parameters are already open.
    One(Parameters),
    /// One a checkpoint.
    Sequence(Vec<Checkpoint>),
}

/// Parameters of one network.
pub(super) enum Parameters {
    File(WeightsFile),
    Random(RandomParameters),
}

/// Checks and opens in the order in which mistakes are cheapest to find.
pub(super) fn plan(
    config: &Config,
    terminal: &Terminal,
    interrupt: &Interrupt,
) -> Result<Plan, RunError> {
    let images = list_images(&config.images)?;
    let sequence = match &config.source {
        Source::Checkpoints { files, step_from } => Some(list_checkpoints(files, *step_from)?),
        Source::Images { .. } => None,
    };
    let device = OpenDevice::open(config.device)?;
    refuse_used_folder(&config.run_folder())?;

    let Opened {
        arch,
        networks,
        label,
    } = match (&config.source, sequence) {
        (Source::Checkpoints { .. }, Some(sequence)) => open_sequence(config, sequence)?,
        (Source::Images { weights }, _) => open_one(config, weights, terminal, interrupt)?,
        (Source::Checkpoints { .. }, None) => return Err(RunError::Crashed),
    };
    let layers = vgg::select(&arch.layers(), &arch.to_string(), &config.layers)?;
    check_size(config, arch, &layers)?;
    if config.verbose {
        list_unused(&networks, &layers, terminal);
    }

    let resolved = Resolved::new(config, arch, &layers, device.kind).to_toml()?;
    let events = EventFile::create(&config.run_folder())?;
    write_config(&config.run_folder(), &resolved)?;
    let studio = Studio {
        maps: Style {
            range: config.pictures.range,
            max_maps: config.pictures.max_maps.count(),
            min_tile: config.pictures.min_tile.pixels(),
            colormap: config.pictures.colormap,
        },
        kernels: Style {
            range: config.pictures.range,
            max_maps: None,
            min_tile: Some(KERNEL_TILE),
            colormap: config.pictures.colormap,
        },
        bgr: config.preprocess.normalise.order == ChannelOrder::Bgr,
        layout: if device.prefers_interleaved() {
            Layout::Interleaved
        } else {
            Layout::Planar
        },
        describer: Describer {
            arch,
            weights: label,
            preprocessing: preprocessing_in_words(&config.preprocess),
        },
        png: config.png.clone(),
    };
    Ok(Plan {
        device,
        arch,
        layers,
        images,
        networks,
        studio: Arc::new(studio),
        events,
        config_text: as_markdown(&resolved),
    })
}

/// TensorBoard shows all event files of a folder as one run, so a second run there would garble both.
fn refuse_used_folder(folder: &Path) -> Result<(), RunError> {
    match holds_event_files(folder) {
        Ok(None) => Ok(()),
        Ok(Some(file)) => Err(RunError::UsedFolder {
            folder: folder.to_owned(),
            file,
        }),
        Err(source) => Err(RunError::RunFolder {
            folder: folder.to_owned(),
            source,
        }),
    }
}

fn write_config(folder: &Path, toml: &str) -> Result<(), RunError> {
    let path = folder.join("config.toml");
    std::fs::write(&path, toml).map_err(|source| RunError::WriteConfig { path, source })
}

/// Parameters that are open, and what they are.
struct Opened {
    arch: Arch,
    networks: Networks,
    label: WeightsLabel,
}

fn open_one(
    config: &Config,
    weights: &WeightsChoice,
    terminal: &Terminal,
    interrupt: &Interrupt,
) -> Result<Opened, RunError> {
    let path = match weights {
        WeightsChoice::Random => return Ok(random(config, terminal)),
        WeightsChoice::File(path) => path.clone(),
        WeightsChoice::Imagenet => {
            published(config.arch.unwrap_or(Arch::VGG16), terminal, interrupt)?
        }
    };
    let file = WeightsFile::open(&path)?;
    let arch = arch_of(&file, config.arch)?;
    Ok(Opened {
        arch,
        label: hashed_label(file_name(&path), path),
        networks: Networks::One(Parameters::File(file)),
    })
}

fn random(config: &Config, terminal: &Terminal) -> Opened {
    let arch = config.arch.unwrap_or(Arch::VGG16);
    let seed = config.seed;
    terminal.note(&format!(
        "no --weights given: {arch} with random weights, seed {seed}, initialised as torchvision does"
    ));
    let parameters = RandomParameters::new(arch, PUBLISHED_CLASSES, PUBLISHED_HIDDEN, seed);
    Opened {
        arch,
        label: WeightsLabel::known(format!("random, seed {seed}")),
        networks: Networks::One(Parameters::Random(parameters)),
    }
}

/// The published ImageNet weights, downloaded if they are nowhere yet.
fn published(arch: Arch, terminal: &Terminal, interrupt: &Interrupt) -> Result<PathBuf, RunError> {
    let mut begun = false;
    let mut progress = |done: u64, total: Option<u64>| {
        if !begun {
            terminal.begin(total.unwrap_or_default(), Unit::Bytes);
            begun = true;
        }
        terminal.reached(done, "ImageNet weights");
        !interrupt.is_asked()
    };
    let places = imagenet::Places::from_env();
    let path = imagenet::resolve(&arch.to_string(), &places, &mut progress)?;
    terminal.end();
    Ok(path)
}

/// The first checkpoint that can be read decides which network it is.
fn open_sequence(config: &Config, sequence: Vec<Checkpoint>) -> Result<Opened, RunError> {
    let mut first_error = None;
    for checkpoint in &sequence {
        match WeightsFile::open(&checkpoint.path) {
            Ok(file) => {
                let arch = arch_of(&file, config.arch)?;
                let label = format!(
                    "the first of {} checkpoints is {}",
                    sequence.len(),
                    file_name(&checkpoint.path)
                );
                return Ok(Opened {
                    arch,
                    label: hashed_label(label, checkpoint.path.clone()),
                    networks: Networks::Sequence(sequence),
                });
            }
            Err(error) if config.on_error == OnError::Stop => return Err(error.into()),
            Err(error) => {
                first_error.get_or_insert(error);
            }
        }
    }
    Err(first_error.map_or(RunError::Crashed, RunError::from))
}

/// The network that was asked for, if the weights can be its; else the one whose weights they are.
fn arch_of(file: &WeightsFile, asked: Option<Arch>) -> Result<Arch, RunError> {
    let fitting = file.architectures();
    let vgg16 = Arch::VGG16.to_string();
    let arch = asked
        .or_else(|| {
            let name = fitting
                .iter()
                .find(|name| **name == vgg16)
                .or(fitting.first());
            name?.parse().ok()
        })
        .unwrap_or(Arch::VGG16);
    file.expect_arch(&arch.to_string())?;
    Ok(arch)
}

fn hashed_label(label: String, path: PathBuf) -> WeightsLabel {
    let thread = thread::spawn(move || {
        WeightsFile::open(&path)
            .and_then(|file| file.fingerprint())
            .map_err(|error| error.to_string())
    });
    WeightsLabel::with_hash(label, thread)
}

/// Where the crop decides the size, a layer that nothing would be left of is found at once.
fn check_size(config: &Config, arch: Arch, layers: &[Layer]) -> Result<(), RunError> {
    let Some(side) = config.preprocess.crop else {
        return Ok(());
    };
    let deepest = layers.last().map_or(0, |layer| layer.index);
    let all = arch.layers();
    let side = side.get() as usize;
    vgg::output_shapes(&all[..=deepest], &[1; 16], [side, side])?;
    Ok(())
}

fn list_unused(networks: &Networks, layers: &[Layer], terminal: &Terminal) {
    let Networks::One(Parameters::File(file)) = networks else {
        return;
    };
    let deepest = layers.last().map_or(0, |layer| layer.index);
    let needed: Vec<String> = file
        .entries()
        .map(|entry| entry.name().to_owned())
        .filter(|name| feature_index(name).is_some_and(|index| index <= deepest))
        .collect();
    for entry in file.unused(&needed) {
        terminal.note(&format!("unused: {} {:?}", entry.raw_name(), entry.shape()));
    }
}

/// The `14` of `features.14.weight`.
fn feature_index(name: &str) -> Option<usize> {
    name.strip_prefix("features.")?
        .split('.')
        .next()?
        .parse()
        .ok()
}
