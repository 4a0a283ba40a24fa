//! The settings that all commands that run a network have.

use std::num::NonZeroU32;
use std::path::{Component, Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::error::{SettingsError, exclude};
use super::paths::absolute;
use super::pictures::PictureSettings;
use super::text::as_list;
use super::tuning::Normalize;
use super::values::{CropSize, Size};
use crate::data::on_error::OnError;
use crate::data::transform::{ChannelOrder, Crop, Preprocess, Preset};
use crate::device::{Devices, Precision};
use crate::network::vgg::Arch;
use crate::network::{ForwardPass, Layer};
use crate::tags::Scalars;

/// Settings of every command that runs the network.
#[derive(Debug, Clone, PartialEq, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct RunSettings {
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) network: NetworkSettings,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) compute: ComputeSettings,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) input: InputSettings,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) pictures: PictureSettings,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) output: OutputSettings,
}

/// Which network.
#[derive(Debug, Clone, PartialEq, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
#[command(next_help_heading = "Network")]
#[expect(clippy::doc_markdown, reason = "shown as it is in a terminal")]
pub(crate) struct NetworkSettings {
    /// Network: vgg11, vgg13, vgg16 or vgg19, each also with _bn [default: that of the weights, else vgg16]
    #[arg(long, value_name = "NAME")]
    pub(crate) arch: Option<Arch>,
    /// Any other network: a .pt2 file of torch.export, whose weights are those in the file unless others are given
    #[arg(long, value_name = "FILE.pt2", conflicts_with = "arch")]
    pub(crate) model: Option<PathBuf>,
    /// One of several networks in a weights file (`ema`, `model.teacher`): the key, or dotted keys, that
    /// it stands under [default: the one that is plainly the network]
    #[arg(long, value_name = "KEY")]
    pub(crate) weights_key: Option<String>,
    /// Layers, comma-separated: conv3_3, features.14, 14, pool*, all, !relu*; auto is all of a VGG, and of another network
    /// the last layer of each resolution
    #[arg(long, value_name = "LIST", default_value = "auto")]
    #[serde(serialize_with = "as_list")]
    pub(crate) layers: String,
}

/// Where and in which numbers the network runs.
#[derive(Debug, Clone, PartialEq, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
#[command(next_help_heading = "Compute")]
pub(crate) struct ComputeSettings {
    /// Device: auto, libtorch:cpu, libtorch:cuda:0, libtorch:mps or flex; several, comma-separated, share the images
    /// of `images` and the probe images of `checkpoints`
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub(crate) device: Devices,
    /// Numbers of the forward pass: f32, tf32 (on an NVIDIA GPU: convolutions with products of 11 bits instead of
    /// 24), bf16 or f16 (not of train); weights stay f32
    #[arg(
        long,
        value_name = "NAME",
        default_value = "f32",
        hide_possible_values = true
    )]
    pub(crate) precision: Precision,
    /// Images in one forward pass; each is still a step of its own [default: 1 to 4, by the size of the maps]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) batch: Option<u16>,
}

/// How images are prepared for the network.
#[derive(Debug, Clone, PartialEq, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
#[command(next_help_heading = "Input")]
pub(crate) struct InputSettings {
    /// Resize, crop and normalization: imagenet (256/224, torchvision's mean and std), article (1024/672) or caffe
    /// (256/224, BGR, 0..255, Caffe's means)
    #[arg(long, value_name = "NAME", default_value = "imagenet")]
    pub(crate) preset: Preset,
    /// Resize the shorter side: to so many pixels (more where a crop that is no square needs it), or "off" [default: the preset's]
    #[arg(long, value_name = "PX|off")]
    pub(crate) resize: Option<Size>,
    /// Center crop in pixels: the side of a square, height by width (480x640) or "off" [default: the network's, else the preset's]
    #[arg(long, value_name = "PX|HxW|off")]
    pub(crate) crop: Option<CropSize>,
    /// Replace the preset's normalization: mean=R,G,B,std=R,G,B,scale=1|255 or some of these, one number for all
    /// channels; mean and std are in units of the scale
    #[arg(long, value_name = "mean=..", default_value = "preset")]
    pub(crate) normalize: Normalize,
}

/// The folder of the run that is written, and what is said meanwhile.
#[derive(Debug, Clone, PartialEq, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
#[command(next_help_heading = "Run")]
pub(crate) struct FolderSettings {
    /// The folder to give to TensorBoard
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub(crate) logdir: PathBuf,
    /// The run's folder in it [default: the time and the command's name]
    #[arg(long, value_name = "NAME")]
    pub(crate) run: Option<PathBuf>,
    /// Read settings from a TOML file; flags win
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    config: Option<PathBuf>,
    /// Print nothing but errors
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

/// Where the results go.
#[derive(Debug, Clone, PartialEq, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
#[command(next_help_heading = "Run")]
pub(crate) struct OutputSettings {
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) folder: FolderSettings,
    /// Also write PNG files: every grid and every map, into this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) png: Option<PathBuf>,
    /// Scalars: few (those that a person looks at: of images one a layer), or all that are measured; histograms of
    /// biases too
    #[arg(
        long,
        value_name = "few|all",
        default_value = "few",
        hide_possible_values = true
    )]
    pub(crate) scalars: Scalars,
    /// At an image or checkpoint that cannot be read: stop, or skip it and exit with 1 at the end
    #[arg(long, value_name = "stop|skip", default_value = "stop")]
    pub(crate) on_error: OnError,
    /// Show where each step's time went, and write it as scalars too
    // For those who make it faster: docs/speed.md has it.
    #[arg(long, hide = true)]
    pub(crate) timings: bool,
}

impl RunSettings {
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        self.input.check()?;
        self.output.folder.check()
    }

    /// Prepares images as a network takes them that says how large, `[height, width]`, where nothing else was asked for: the
    /// shorter side is resized to as many times as much as the preset's.
    pub(crate) fn fit(&mut self, size: Option<[usize; 2]>) {
        let Some(crop) = size
            .and_then(Crop::of)
            .filter(|_| self.input.crop.is_none())
        else {
            return;
        };
        self.input.crop = Some(CropSize(Some(crop)));
        let preset = self.input.preset.preprocess();
        if let (None, Some(resize), Some(of)) = (self.input.resize, preset.resize, preset.crop) {
            let [shorter, resize, of] =
                [crop.shorter_side(), resize, of.shorter_side()].map(|side| u64::from(side.get()));
            let scaled = u32::try_from((shorter * resize + of / 2) / of).ok();
            self.input.resize = Some(Size(scaled.and_then(NonZeroU32::new)));
        }
    }

    /// Fills in what was left open. Paths become absolute, so that the configuration works from anywhere.
    pub(super) fn resolve(&mut self, pass: &ForwardPass) {
        match &mut self.network.model {
            Some(model) => *model = absolute(model),
            None => self.network.arch = pass.architecture.name().parse().ok(),
        }
        let layers: Vec<&str> = pass.wanted.iter().map(Layer::name).collect();
        self.network.layers = layers.join(",");
        self.compute.device = Devices {
            first: pass.device().kind,
            others: (pass.devices.iter().skip(1))
                .map(|device| device.kind)
                .collect(),
        };
        self.compute.batch = u16::try_from(pass.batch).ok();
        let preprocess = self.input.preprocess();
        self.input.resize = Some(Size(preprocess.resize));
        self.input.crop = Some(CropSize(preprocess.crop));
        self.pictures.resolve();
        self.output.folder.resolve();
        self.output.png = self.output.png.as_deref().map(absolute);
    }
}

impl InputSettings {
    /// The units of mean and standard deviation do not change without them.
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        let Normalize { mean, std, scale } = self.normalize;
        let divisor = self.preset.preprocess().normalize.divisor;
        let is_other = scale.is_some_and(|scale| (255.0 / scale).to_bits() != divisor.to_bits());
        exclude(
            is_other && (mean.is_none() || std.is_none()),
            "--normalize scale",
            "it changes the units of the preset's mean and standard deviation: add mean= and std= in the new ones (0 and \
             1 for none)",
        )
    }

    /// The preset, with what was given in place of its own.
    pub(crate) fn preprocess(&self) -> Preprocess {
        let mut preprocess = self.preset.preprocess();
        if let Some(size) = self.resize {
            preprocess.resize = size.0;
        }
        if let Some(size) = self.crop {
            preprocess.crop = size.0;
        }
        let normalize = &mut preprocess.normalize;
        let in_order = |[r, g, b]: [f32; 3]| match normalize.order {
            ChannelOrder::Rgb | ChannelOrder::Gray => [r, g, b],
            ChannelOrder::Bgr => [b, g, r],
        };
        let [mean, std] =
            [self.normalize.mean, self.normalize.std].map(|given| given.map(in_order));
        normalize.mean = mean.unwrap_or(normalize.mean);
        normalize.std = std.unwrap_or(normalize.std);
        if let Some(scale) = self.normalize.scale {
            normalize.divisor = 255.0 / scale;
        }
        preprocess
    }
}

impl FolderSettings {
    /// A run is a folder inside the one that TensorBoard gets.
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        let inside = |part| matches!(part, Component::Normal(_));
        match &self.run {
            Some(run) if run.as_os_str().is_empty() || !run.components().all(inside) => {
                let run = run.to_string_lossy();
                Err(SettingsError::new(format!(
                    "--run {run:?} must be a name inside the log folder, without \"..\" and not absolute; use --logdir for another log folder"
                )))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn resolve(&mut self) {
        self.logdir = absolute(&self.logdir);
    }

    pub(crate) fn run_folder(&self) -> PathBuf {
        self.logdir
            .join(self.run.as_deref().unwrap_or(Path::new("")))
    }
}

/// The `--weights` that are the published ones.
pub(crate) const IMAGENET: &str = "imagenet";

/// The value of `--weights`, where it is a path.
pub(super) fn weights_path(weights: Option<&Path>) -> Option<&Path> {
    weights.filter(|path| *path != IMAGENET)
}

/// Makes the value of `--weights` absolute, where it is a path.
pub(super) fn make_weights_absolute(weights: &mut Option<PathBuf>) {
    if let Some(path) = weights.as_mut().filter(|path| *path != IMAGENET) {
        *path = absolute(path);
    }
}
