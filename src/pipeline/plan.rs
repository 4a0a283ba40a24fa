//! Everything that is checked and opened before the first forward pass.

use std::path::Path;
use std::sync::Arc;

use super::describe::{Describer, WeightsLabel, preprocessing_in_words};
use super::open::{Networks, Opened, Parameters, open_one, open_sequence};
use super::pictures::Studio;
use super::{Interrupt, RunError, train};
use crate::config::{Config, Resolved, Source};
use crate::device::OpenDevice;
use crate::events::{EventFile, holds_event_files};
use crate::input::checkpoints::list_checkpoints;
use crate::input::list::{ImageFile, list_images};
use crate::input::transform::ChannelOrder;
use crate::render::{Layout, Style};
use crate::terminal::Terminal;
use crate::vgg::{self, Arch, Layer};

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
    /// The resolved configuration, in TOML.
    pub(super) resolved: String,
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
        Source::Images { .. } | Source::Training(_) => None,
    };
    let device = OpenDevice::open(config.device)?;
    if !config.resumes() {
        refuse_used_folder(config)?;
    }

    let Opened {
        arch,
        networks,
        label,
    } = match (&config.source, sequence) {
        (Source::Checkpoints { .. }, Some(sequence)) => open_sequence(config, sequence)?,
        (Source::Images { weights }, _) => open_one(config, weights, terminal, interrupt)?,
        (Source::Training(training), _) => train::open(config, training, terminal, interrupt)?,
        (Source::Checkpoints { .. }, None) => return Err(RunError::Crashed),
    };
    let layers = vgg::select(&arch.layers(), &arch.to_string(), &config.layers)?;
    check_size(config, arch, &layers)?;
    if config.verbose {
        list_unused(&networks, &layers, terminal);
    }

    let resolved = Resolved::new(config, arch, &layers, device.kind).to_toml()?;
    let events = match (&networks, &config.source) {
        (Networks::Training(start), Source::Training(training)) => {
            start.begin_events(config, training, &resolved, terminal)?
        }
        _ => EventFile::create(&config.run_folder())?,
    };
    write_config(&config.run_folder(), &resolved)?;
    Ok(Plan {
        studio: Arc::new(studio(config, &device, arch, label)),
        device,
        arch,
        layers,
        images,
        networks,
        events,
        resolved,
    })
}

/// How this run's pictures are made.
fn studio(config: &Config, device: &OpenDevice, arch: Arch, weights: WeightsLabel) -> Studio {
    let style = Style {
        range: config.pictures.range,
        max_maps: config.pictures.max_maps.count(),
        min_tile: config.pictures.min_tile.pixels(),
        colormap: config.pictures.colormap,
    };
    Studio {
        maps: style,
        kernels: Style {
            max_maps: None,
            min_tile: Some(KERNEL_TILE),
            ..style
        },
        bgr: config.preprocess.normalise.order == ChannelOrder::Bgr,
        layout: if device.prefers_interleaved() {
            Layout::Interleaved
        } else {
            Layout::Planar
        },
        describer: Describer {
            arch,
            weights,
            preprocessing: preprocessing_in_words(&config.preprocess),
        },
        png: config.png.clone(),
    }
}

/// TensorBoard shows all event files of a folder as one run, so a second run there would garble both.
fn refuse_used_folder(config: &Config) -> Result<(), RunError> {
    let folder = config.run_folder();
    match holds_event_files(&folder) {
        Ok(None) => Ok(()),
        Ok(Some(file)) => Err(RunError::UsedFolder {
            folder,
            file,
            or: match config.source {
                Source::Training(_) => "go on with it (--resume), or delete the folder",
                Source::Images { .. } | Source::Checkpoints { .. } => "or delete the folder",
            },
        }),
        Err(source) => Err(RunError::RunFolder { folder, source }),
    }
}

fn write_config(folder: &Path, toml: &str) -> Result<(), RunError> {
    let path = folder.join("config.toml");
    std::fs::write(&path, toml).map_err(|source| RunError::WriteConfig { path, source })
}

/// Where the crop decides the size, a layer that nothing would be left of is found at once.
fn check_size(config: &Config, arch: Arch, layers: &[Layer]) -> Result<(), RunError> {
    let Some(side) = config.preprocess.crop else {
        return Ok(());
    };
    let all = arch.layers();
    let side = side.get() as usize;
    let check = |layers| vgg::output_shapes(layers, &[1; 16], [side, side]).map(drop);
    if matches!(config.source, Source::Training(_)) {
        return check(&all).map_err(|error| RunError::TrainingSize {
            side,
            layer: error.layer,
        });
    }
    let deepest = layers.last().map_or(0, |layer| layer.index);
    Ok(check(&all[..=deepest])?)
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
