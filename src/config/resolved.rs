//! The resolved configuration: written beside the event file, and as text into it.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::resolved_training::ResolvedTraining;
use super::{Config, Size, Source, WeightsChoice, colormap_word, range_word};
use crate::device::DeviceChoice;
use crate::input::checkpoints::StepFrom;
use crate::vgg::{Arch, Layer};

/// Every setting with the value it took; `--config` reads it back to the same run.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Resolved {
    command: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checkpoints: Vec<PathBuf>,
    images: Vec<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    step_from: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weights: Option<PathBuf>,
    #[serde(flatten)]
    training: Option<ResolvedTraining>,
    arch: String,
    layers: Vec<String>,
    device: String,
    seed: u64,
    batch: usize,
    preset: &'static str,
    resize: String,
    crop: String,
    range: String,
    max_maps: String,
    min_tile: String,
    colormap: &'static str,
    no_kernels: bool,
    logdir: PathBuf,
    run: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    png: Option<PathBuf>,
    on_error: String,
    timings: bool,
}

impl Resolved {
    /// Fills in what was left to be chosen: the network, its layers and the device. Paths become
    /// absolute, so that the file works from anywhere.
    #[must_use]
    pub fn new(config: &Config, arch: Arch, layers: &[Layer], device: DeviceChoice) -> Self {
        let (checkpoints, step_from, weights) = match &config.source {
            Source::Images { weights } => (Vec::new(), None, weights_word(weights)),
            Source::Checkpoints { files, step_from } => {
                (absolute_all(files), Some(step_word(*step_from)), None)
            }
            Source::Training(training) => (Vec::new(), None, weights_word(&training.weights)),
        };
        let training = match &config.source {
            Source::Training(training) => Some(ResolvedTraining::from(&**training)),
            Source::Images { .. } | Source::Checkpoints { .. } => None,
        };
        let size = |side: Option<NonZeroU32>| {
            side.map_or(Size::Off, |side| Size::Pixels(side.get()))
                .to_string()
        };
        let pictures = &config.pictures;
        Self {
            command: config.source.command(),
            checkpoints,
            images: absolute_all(&config.images),
            step_from,
            weights,
            training,
            arch: arch.to_string(),
            layers: layers.iter().map(|layer| layer.name()).collect(),
            device: device.to_string(),
            seed: config.seed,
            batch: config.batch,
            preset: config.preset.name(),
            resize: size(config.preprocess.resize),
            crop: size(config.preprocess.crop),
            range: range_word(pictures.range),
            max_maps: pictures.max_maps.to_string(),
            min_tile: pictures.min_tile.to_string(),
            colormap: colormap_word(pictures.colormap),
            no_kernels: !pictures.kernels,
            logdir: absolute(&config.logdir),
            run: config.run.clone(),
            png: config.png.as_deref().map(absolute),
            on_error: config.on_error.to_string(),
            timings: config.timings,
        }
    }

    /// The file's text. To run it again, another `--run` is needed, since this one is taken.
    ///
    /// # Errors
    ///
    /// A path that is not UTF-8, which TOML cannot hold.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        let settings = toml::to_string(self)?;
        let resume = match self.training {
            Some(_) => {
                "# Go on with it, killed or not, with\n#     vggscope train --config THIS_FILE --resume\n"
            }
            None => "",
        };
        Ok(format!(
            "# Written by vggscope {version}. Run it again with\n#     vggscope {command} --config THIS_FILE --run ANOTHER_NAME\n{resume}{settings}",
            version = env!("CARGO_PKG_VERSION"),
            command = self.command,
        ))
    }
}

/// The same as Markdown, for TensorBoard's Text tab.
#[must_use]
pub fn as_markdown(toml: &str) -> String {
    // Four spaces make a code block in every Markdown dialect.
    toml.lines()
        .fold(String::new(), |text, line| text + "    " + line + "\n")
}

fn weights_word(weights: &WeightsChoice) -> Option<PathBuf> {
    match weights {
        WeightsChoice::Random => None,
        WeightsChoice::Imagenet => Some(PathBuf::from("imagenet")),
        WeightsChoice::File(path) => Some(absolute(path)),
    }
}

const fn step_word(step_from: StepFrom) -> &'static str {
    match step_from {
        StepFrom::Name => "name",
        StepFrom::Index => "index",
    }
}

fn absolute_all(paths: &[PathBuf]) -> Vec<PathBuf> {
    paths.iter().map(|path| absolute(path)).collect()
}

/// The path from the root, symbolic links and patterns left as they are.
pub(super) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
