//! What the user typed: every command and flag.
//!
//! A configuration file says the same things in TOML. It is turned into flags that stand before the
//! typed ones ([`crate::config::file`]), so both are read by the same rules and typed flags win.

mod train;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{ArgAction, Args, CommandFactory, Parser, Subcommand};
use thiserror::Error;

use crate::config::file::{self, FileError};
use crate::config::{
    Limit, OnError, Size, parse_colormap, parse_preset, parse_range, parse_step_from,
};
use crate::device::DeviceChoice;
use crate::input::checkpoints::StepFrom;
use crate::input::transform::Preset;
use crate::render::{Colormap, Range};
use crate::vgg::Arch;
pub use train::{DataArgs, OptimisationArgs, OptimiserName, RecordArgs, TrainArgs};

/// See what every layer of a VGG network responds to, in TensorBoard.
#[derive(Debug, Parser)]
#[command(
    name = "vggscope",
    version,
    max_term_width = 100,
    args_override_self = true
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run one network over images: one step an image
    Images(ImagesArgs),
    /// Run a sequence of checkpoints over the same probe images: one step a checkpoint
    Checkpoints(CheckpointsArgs),
    /// Train a network on a folder of images, showing it probe images as it learns
    Train(Box<TrainArgs>),
    /// List the network's layers: index, name, kind, output shape
    Layers(LayersArgs),
    /// Show which devices this build can use, which libtorch it has, and why CUDA is not there
    Doctor,
}

/// `vggscope images`.
#[derive(Debug, Clone, Args)]
#[command(args_override_self = true)]
pub struct ImagesArgs {
    /// Image files, folders (searched recursively) or glob patterns
    #[arg(value_name = "IMAGE")]
    pub images: Vec<PathBuf>,
    /// Weights: a .pth, .pt, .safetensors or .bpk file, or "imagenet" for the published ones;
    /// without it the network is random
    #[arg(long, value_name = "FILE|imagenet")]
    pub weights: Option<String>,
    /// What both running commands share.
    #[command(flatten)]
    pub run: RunArgs,
}

/// `vggscope checkpoints`.
#[derive(Debug, Clone, Args)]
#[command(args_override_self = true)]
pub struct CheckpointsArgs {
    /// Checkpoint files, folders or glob patterns
    #[arg(value_name = "CHECKPOINT")]
    pub checkpoints: Vec<PathBuf>,
    /// The probe images: files, folders or glob patterns
    #[arg(long, value_name = "IMAGE", num_args = 1..)]
    pub images: Vec<PathBuf>,
    /// Where a checkpoint's step comes from: the number in its file name, or its place in the
    /// natural order of the names
    #[arg(long, value_name = "name|index", default_value = "name", value_parser = parse_step_from)]
    pub step_from: StepFrom,
    /// What both running commands share.
    #[command(flatten)]
    pub run: RunArgs,
}

/// `vggscope layers`.
#[derive(Debug, Clone, Args)]
#[command(args_override_self = true)]
pub struct LayersArgs {
    /// Weights to read the widths from; the published ones without it
    #[arg(long, value_name = "FILE|imagenet")]
    pub weights: Option<String>,
    /// Which network and which of its layers.
    #[command(flatten)]
    pub network: NetworkArgs,
    /// How the pictures are prepared, which decides the shapes.
    #[command(flatten)]
    pub input: InputArgs,
    /// Read settings from a TOML file; flags win
    #[arg(long, value_name = "FILE", help_heading = "Run")]
    pub config: Option<PathBuf>,
}

/// Flags of every command that runs the network.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// Which network and which of its layers.
    #[command(flatten)]
    pub network: NetworkArgs,
    /// Where and from which random numbers.
    #[command(flatten)]
    pub compute: ComputeArgs,
    /// How the pictures are prepared.
    #[command(flatten)]
    pub input: InputArgs,
    /// How feature maps become pictures.
    #[command(flatten)]
    pub pictures: PictureArgs,
    /// Where the results go.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Which network.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Network")]
#[expect(clippy::doc_markdown, reason = "shown as it is in a terminal")]
pub struct NetworkArgs {
    /// vgg11, vgg13, vgg16 or vgg19, each also with _bn [default: what the weights are, else vgg16]
    #[arg(long, value_name = "NAME")]
    pub arch: Option<Arch>,
    /// Layers, comma-separated: conv3_3, features.14, 14, pool*, all, !relu*
    #[arg(long, value_name = "LIST", default_value = "all")]
    pub layers: String,
}

/// Where the network runs.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Compute")]
pub struct ComputeArgs {
    /// auto, libtorch:cpu, libtorch:cuda:0, libtorch:mps or flex
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub device: DeviceChoice,
    /// Seed of the random weights, where no weights are given
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Images in one forward pass; each is still a step of its own
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub batch: u16,
}

/// How pictures are prepared for the network.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Input")]
pub struct InputArgs {
    /// Resize, crop and normalisation in one word: imagenet (256/224, torchvision's mean and std),
    /// article (1024/672) or caffe (256/224, BGR, 0..255, Caffe's means)
    #[arg(long, value_name = "NAME", default_value = "imagenet", value_parser = parse_preset)]
    pub preset: Preset,
    /// Scale the shorter side to this many pixels, or "off" [default: the preset's]
    #[arg(long, value_name = "PX|off")]
    pub resize: Option<Size>,
    /// Cut this many pixels square out of the middle, or "off" [default: the preset's]
    #[arg(long, value_name = "PX|off")]
    pub crop: Option<Size>,
}

/// How feature maps become pictures.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Pictures")]
pub struct PictureArgs {
    /// What black and white mean: map (each map's own minimum and maximum), layer (one range for all
    /// of a layer's maps) or fixed=LO,HI
    #[arg(long, value_name = "RANGE", default_value = "map", value_parser = parse_range, allow_hyphen_values = true)]
    pub range: Range,
    /// Show only the first N maps of a layer
    #[arg(long, value_name = "N|all", default_value = "all")]
    pub max_maps: Limit,
    /// Enlarge maps smaller than this by a whole factor
    #[arg(long, value_name = "PX|off", default_value = "off")]
    pub min_tile: Size,
    /// grey, viridis, magma or diverging
    #[arg(long, value_name = "NAME", default_value = "grey", value_parser = parse_colormap)]
    pub colormap: Colormap,
    /// Leave out the grid of first-layer kernels
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", action = ArgAction::Set)]
    pub no_kernels: bool,
}

/// Where the results go.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Run")]
pub struct OutputArgs {
    /// The folder to give to tensorboard
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub logdir: PathBuf,
    /// The run's folder in it [default: the command's name and the time]
    #[arg(long, value_name = "NAME")]
    pub run: Option<PathBuf>,
    /// Also write every grid and every single map as a PNG file into this folder
    #[arg(long, value_name = "DIR")]
    pub png: Option<PathBuf>,
    /// At an image or checkpoint that cannot be read: stop, or skip it and exit with 1 at the end
    #[arg(long, value_enum, value_name = "stop|skip", default_value = "stop")]
    pub on_error: OnError,
    /// Read settings from a TOML file; flags win
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print nothing but errors
    #[arg(long, short, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", action = ArgAction::Set)]
    pub quiet: bool,
    /// Also list the weights that the run does not use
    #[arg(long, short, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", action = ArgAction::Set)]
    pub verbose: bool,
    /// Show where each step's time went, and write it as scalars too
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", action = ArgAction::Set)]
    pub timings: bool,
}

/// A command line that cannot be understood.
#[derive(Debug, Error)]
pub enum UsageError {
    /// What was typed; also the way `--help` and `--version` come back.
    #[error(transparent)]
    Clap(#[from] clap::Error),
    /// What the configuration file says.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Reads the command line, and the configuration file if it names one.
///
/// # Errors
///
/// Unknown flags, keys or values; an unreadable configuration file.
pub fn parse(typed: &[OsString]) -> Result<Cli, UsageError> {
    let cli = Cli::try_parse_from(typed)?;
    let Some(path) = cli.command.config_file() else {
        return Ok(cli);
    };
    let command = Cli::command();
    let Some(command) = command.find_subcommand(cli.command.name()) else {
        return Ok(cli);
    };
    let from_file = file::flags(path, command, &cli.command.typed_lists())?;
    // The command is always the first word: no flag can stand before it.
    let (head, rest) = typed.split_at(2.min(typed.len()));
    let with_file: Vec<OsString> = [head, &from_file].concat();
    // Read alone first, so that a mistake in the file is told as the file's.
    Cli::try_parse_from(&with_file).map_err(|error| FileError::Flag {
        path: path.to_owned(),
        message: first_line(&error),
    })?;
    Ok(Cli::try_parse_from([with_file.as_slice(), rest].concat())?)
}

fn first_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

impl Command {
    fn name(&self) -> &'static str {
        match self {
            Self::Images(_) => "images",
            Self::Checkpoints(_) => "checkpoints",
            Self::Train(_) => "train",
            Self::Layers(_) => "layers",
            Self::Doctor => "doctor",
        }
    }

    fn config_file(&self) -> Option<&Path> {
        match self {
            Self::Images(args) => args.run.output.config.as_deref(),
            Self::Checkpoints(args) => args.run.output.config.as_deref(),
            Self::Train(args) => args.run.output.config.as_deref(),
            Self::Layers(args) => args.config.as_deref(),
            Self::Doctor => None,
        }
    }

    /// The lists that were typed; each replaces the file's.
    fn typed_lists(&self) -> Vec<&'static str> {
        let given = |id, list: &[PathBuf]| (!list.is_empty()).then_some(id);
        match self {
            Self::Images(args) => given("images", &args.images).into_iter().collect(),
            Self::Checkpoints(args) => [
                given("checkpoints", &args.checkpoints),
                given("images", &args.images),
            ]
            .into_iter()
            .flatten()
            .collect(),
            Self::Train(args) => [
                args.data.is_some().then_some("data"),
                given("images", &args.images),
            ]
            .into_iter()
            .flatten()
            .collect(),
            Self::Layers(_) | Self::Doctor => Vec::new(),
        }
    }
}
