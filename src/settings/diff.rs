//! `vggscope diff`.

use std::path::PathBuf;

use clap::{Args, Command, ValueEnum};

use super::error::SettingsError;
use super::shared::InputSettings;
use crate::device::DeviceChoice;
use crate::network::vgg::Arch;

/// What flags stand under that say nothing without images.
const WITH_IMAGES: &str = "Input";

/// Settings of `vggscope diff`.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(
    after_help = "Exit code: 0 if the weights are equal, 1 if they differ, 2 if they cannot be compared."
)]
pub(crate) struct DiffSettings {
    /// The weights to start from: .pth, .pt, .safetensors or .bpk
    #[arg(value_name = "OLD")]
    pub(crate) old: PathBuf,
    /// The weights to compare with them
    #[arg(value_name = "NEW")]
    pub(crate) new: PathBuf,
    /// Network: vgg11, vgg13, vgg16 or vgg19, each also with _bn [default: that of the weights]
    #[arg(long, value_name = "NAME")]
    pub(crate) arch: Option<Arch>,
    /// The network in files that hold several (`ema`, `model.teacher`): the key, or dotted keys, that
    /// it stands under [default: the one that is plainly the network]
    #[arg(long, value_name = "KEY")]
    pub(crate) weights_key: Option<String>,
    /// Images for the CKA of each layer (of the features): files, folders or glob patterns, at least 16; 256 are
    /// recommended
    #[arg(long, value_name = "IMAGE", num_args = 1..)]
    pub(crate) images: Vec<PathBuf>,
    /// Order of the rows: network (as the layers stand in it) or change (the largest first)
    #[arg(long, value_name = "network|change", default_value = "network")]
    pub(crate) sort: DiffOrder,
    /// Print JSON; numbers that are NaN or infinite are null
    #[arg(long)]
    pub(crate) json: bool,
    /// Device for the images: auto, libtorch:cpu, libtorch:cuda:0, libtorch:mps or flex
    #[arg(
        long,
        value_name = "DEVICE",
        default_value = "auto",
        help_heading = WITH_IMAGES
    )]
    pub(crate) device: DeviceChoice,
    #[command(flatten)]
    pub(crate) input: InputSettings,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DiffOrder {
    Network,
    Change,
}

impl DiffSettings {
    /// Refuses flags that would do nothing.
    pub(super) fn with_images(command: Command) -> Command {
        command.mut_args(|arg| match arg.get_help_heading() {
            Some(WITH_IMAGES) => arg.requires("images"),
            _ => arg,
        })
    }

    pub(super) fn check(&self) -> Result<(), SettingsError> {
        self.input.check()
    }
}
