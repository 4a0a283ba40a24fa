//! `vggscope layers`.

use std::path::PathBuf;

use clap::Args;

use super::shared::NetworkSettings;
use super::values::CropSize;
use crate::data::transform::{Crop, Preset};

/// Settings of `vggscope layers`.
#[derive(Debug, Clone, PartialEq, Args)]
pub(crate) struct LayersSettings {
    /// Weights to read the widths from; the published ones without it
    #[arg(long, value_name = "FILE|imagenet")]
    pub(crate) weights: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) network: NetworkSettings,
    /// The input size by name: imagenet and caffe (224) or article (672)
    #[arg(
        long,
        value_name = "NAME",
        default_value = "imagenet",
        help_heading = "Input"
    )]
    preset: Preset,
    /// Center crop in pixels: the side of a square, height by width (480x640) or "off" [default: the network's, else the preset's]
    #[arg(long, value_name = "PX|HxW|off", help_heading = "Input")]
    crop: Option<CropSize>,
    /// Read settings from a TOML file; flags win
    #[arg(long, value_name = "FILE", help_heading = "Run")]
    config: Option<PathBuf>,
}

impl LayersSettings {
    pub(crate) fn has_crop(&self) -> bool {
        self.crop.is_some()
    }

    /// The input's size, `[height, width]`; `None` where nothing is cropped.
    pub(crate) fn size(&self) -> Option<[usize; 2]> {
        let preset = self.preset.preprocess().crop;
        let crop = self.crop.map_or(preset, |crop| crop.0);
        crop.map(Crop::sides)
    }
}
