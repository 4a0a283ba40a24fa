//! `vggscope diff`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::paths::path_parser;
use super::shared::NetworkSettings;
use crate::vgg::Arch;

/// Settings of `vggscope diff`.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(
    args_override_self = true,
    after_help = "Exit code: 0 if the weights are equal, 1 if they differ, 2 if they cannot be compared."
)]
pub(crate) struct DiffSettings {
    /// The weights to start from: .pth, .pt, .safetensors or .bpk
    #[arg(value_name = "OLD", value_parser = path_parser())]
    pub(crate) old: PathBuf,
    /// The weights to compare with them
    #[arg(value_name = "NEW", value_parser = path_parser())]
    pub(crate) new: PathBuf,
    /// vgg11, vgg13, vgg16 or vgg19, each also with _bn [default: detected from the weights]
    #[arg(long, value_name = "NAME")]
    arch: Option<Arch>,
    /// The network in weights files that hold several (`ema`, `model.teacher`): the key, or dotted keys, that
    /// it stands under [default: the one that is plainly the network]
    #[arg(long, value_name = "KEY")]
    weights_key: Option<String>,
    /// Order of the rows: network (as the layers stand in it) or change (the largest first)
    #[arg(
        long,
        value_enum,
        value_name = "network|change",
        default_value = "network",
        hide_possible_values = true
    )]
    pub(crate) sort: DiffOrder,
    /// Print JSON; numbers that are NaN or infinite are null
    #[arg(long)]
    pub(crate) json: bool,
}

/// The order of the layers in a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DiffOrder {
    /// As they stand in the network.
    Network,
    /// The one that changed most comes first.
    Change,
}

impl DiffSettings {
    /// Which network of the files.
    pub(crate) fn network(&self) -> NetworkSettings {
        NetworkSettings {
            arch: self.arch,
            weights_key: self.weights_key.clone(),
            layers: "all".to_owned(),
        }
    }
}
