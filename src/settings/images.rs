//! `vggscope images`.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::error::SettingsError;
use super::paths::{make_absolute, path_parser};
use super::shared::{ResolvedNetwork, RunSettings, WeightsChoice, absolute_weights};
use super::text::toml_text;

/// Settings of `vggscope images`.
#[derive(Debug, Clone, PartialEq, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
#[command(args_override_self = true)]
pub(crate) struct ImagesSettings {
    /// Image files, folders (searched recursively) or glob patterns
    #[arg(value_name = "IMAGE", value_parser = path_parser())]
    pub(crate) images: Vec<PathBuf>,
    /// Weights: a .pth, .pt, .safetensors or .bpk file, or "imagenet" for the published ones;
    /// without it the network is random
    #[arg(long, value_name = "FILE|imagenet", value_parser = path_parser())]
    weights: Option<PathBuf>,
    /// Seed of random weights
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) run: RunSettings,
}

impl ImagesSettings {
    /// Where the parameters come from.
    pub(crate) fn weights(&self) -> WeightsChoice {
        WeightsChoice::from_flag(self.weights.as_deref())
    }

    /// What must hold between settings.
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        if self.images.is_empty() {
            return Err(SettingsError::Missing {
                what: "images",
                how: "name files, folders or patterns, as in `vggscope images photos/`",
            });
        }
        self.run.pictures.check_single_network()?;
        self.run.check()
    }

    /// All settings as TOML, with what was left open filled in and absolute paths, so that the file runs them
    /// again from anywhere.
    pub(crate) fn resolved(&self, network: &ResolvedNetwork) -> Result<String, toml::ser::Error> {
        let mut resolved = self.clone();
        make_absolute(&mut resolved.images);
        resolved.weights = absolute_weights(resolved.weights.as_deref());
        resolved.run.resolve(network);
        toml_text("images", &resolved)
    }
}
