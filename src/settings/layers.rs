//! `vggscope layers`.

use std::path::PathBuf;

use clap::Args;

use super::paths::path_parser;
use super::shared::{InputSettings, NetworkSettings, WeightsChoice};

/// Settings of `vggscope layers`.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(args_override_self = true)]
pub(crate) struct LayersSettings {
    /// Weights to read the widths from; the published ones without it
    #[arg(long, value_name = "FILE|imagenet", value_parser = path_parser())]
    weights: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) network: NetworkSettings,
    #[command(flatten)]
    pub(crate) input: InputSettings,
    /// Read settings from a TOML file; flags win
    #[arg(long, value_name = "FILE", help_heading = "Run", value_parser = path_parser())]
    config: Option<PathBuf>,
}

impl LayersSettings {
    /// Where the widths come from.
    pub(crate) fn weights(&self) -> WeightsChoice {
        WeightsChoice::from_flag(self.weights.as_deref())
    }
}
