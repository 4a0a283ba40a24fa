//! `vggscope images`.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::error::{SettingsError, require};
use super::paths::make_absolute;
use super::shared::{RunSettings, make_weights_absolute};
use super::text::toml_text;
use crate::network::ForwardPass;

/// Settings of `vggscope images`.
#[derive(Debug, Clone, PartialEq, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ImagesSettings {
    /// Image files, folders (searched recursively) or glob patterns
    #[arg(value_name = "IMAGE")]
    pub(crate) images: Vec<PathBuf>,
    /// Weights: a .pth, .pt, .safetensors or .bpk file, or "imagenet" for the published ones;
    /// without it the network is random
    #[arg(long, value_name = "FILE|imagenet")]
    pub(crate) weights: Option<PathBuf>,
    /// Seed of random weights
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) run: RunSettings,
}

impl ImagesSettings {
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        let how = "name files, folders or patterns, as in `vggscope images photos/`";
        require(!self.images.is_empty(), "images", how)?;
        self.run.pictures.check_single_network()?;
        self.run.check()
    }

    pub(crate) fn resolved(&self, pass: &ForwardPass) -> Result<String, toml::ser::Error> {
        let mut resolved = self.clone();
        make_absolute(&mut resolved.images);
        make_weights_absolute(&mut resolved.weights);
        resolved.run.resolve(pass);
        toml_text("images", &resolved)
    }
}
