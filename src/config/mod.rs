//! What a run does: from the flags as typed to settings that are known to make sense.
//!
//! [`crate::cli`] holds what was written, [`Config`] what is run on. Everything that can be checked
//! without opening weights or images is checked here.

pub mod file;
mod resolved;
mod resolved_training;
mod train_words;
mod training;
mod words;

use std::num::NonZeroU32;
use std::path::PathBuf;

use thiserror::Error;

use crate::cli::{CheckpointsArgs, ImagesArgs, InputArgs, PictureArgs, RunArgs};
use crate::device::DeviceChoice;
use crate::input::checkpoints::StepFrom;
use crate::input::transform::{Preprocess, Preset};
use crate::render::{Colormap, Range};
use crate::vgg::Arch;
pub use resolved::{Resolved, as_markdown};
pub use train_words::{
    Every, Freeze, Jitter, Keep, NormLimit, Span, parse_count, parse_count_or_none, parse_schedule,
    parse_share, parse_shares, schedule_word,
};
pub use training::{Augmentation, Length, Training};
pub use words::{
    Limit, NotAWord, OnError, Size, colormap_word, parse_colormap, parse_preset, parse_range,
    parse_step_from, range_word,
};

/// A run that is asked for in a way that cannot work. Wrong use: exit code 2.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// Nothing to run over.
    #[error("no {what} given: {how}")]
    Missing {
        /// What is missing.
        what: &'static str,
        /// How to give it.
        how: &'static str,
    },
    /// A run name that leaves the log folder.
    #[error(
        "--run {0:?} must be a name inside the log folder, without \"..\" and not absolute; use --logdir for another log folder"
    )]
    RunOutside(PathBuf),
    /// Batches are made of pictures of one size.
    #[error("--crop off: a batch needs images of one size, so training needs a --crop in pixels")]
    NoCrop,
    /// A flag that another one rules out.
    #[error("{flag} cannot be used here: {why}")]
    Excluded {
        /// The flag.
        flag: &'static str,
        /// What rules it out, and how to go on.
        why: &'static str,
    },
    /// A number out of range.
    #[error("{flag} is {found}, expected {expected}")]
    Number {
        /// The flag.
        flag: &'static str,
        /// The number.
        found: f64,
        /// What fits.
        expected: &'static str,
    },
}

/// Where a network's parameters come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WeightsChoice {
    /// Seeded random numbers.
    Random,
    /// A file.
    File(PathBuf),
    /// The published ImageNet weights.
    Imagenet,
}

impl WeightsChoice {
    /// Reads the value of `--weights`.
    #[must_use]
    pub fn from_flag(flag: Option<&str>) -> Self {
        match flag {
            None => Self::Random,
            Some("imagenet") => Self::Imagenet,
            Some(file) => Self::File(PathBuf::from(file)),
        }
    }
}

/// What a run goes through, one step after the other.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// One network over images: a step an image.
    Images {
        /// The parameters.
        weights: WeightsChoice,
    },
    /// Checkpoints over the same probe images: a step a checkpoint.
    Checkpoints {
        /// Files, folders and patterns as typed.
        files: Vec<PathBuf>,
        /// Where the step comes from.
        step_from: StepFrom,
    },
    /// A training: a step an optimisation step.
    Training(Box<Training>),
}

impl Source {
    /// The command's name.
    #[must_use]
    pub const fn command(&self) -> &'static str {
        match self {
            Self::Images { .. } => "images",
            Self::Checkpoints { .. } => "checkpoints",
            Self::Training(_) => "train",
        }
    }
}

/// How feature maps become pictures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pictures {
    /// What the ends of the colormap stand for.
    pub range: Range,
    /// How many maps of a layer are shown.
    pub max_maps: Limit,
    /// Maps smaller than this are enlarged.
    pub min_tile: Size,
    /// The colours.
    pub colormap: Colormap,
    /// Whether the first-layer kernels are shown.
    pub kernels: bool,
}

/// Everything about a run.
#[derive(Debug, Clone)]
pub struct Config {
    /// What it goes through.
    pub source: Source,
    /// Image files, folders and patterns as typed.
    pub images: Vec<PathBuf>,
    /// The network, where it was said.
    pub arch: Option<Arch>,
    /// The layers as typed; checked against the network once that is known.
    pub layers: String,
    /// The device.
    pub device: DeviceChoice,
    /// Seed of random weights.
    pub seed: u64,
    /// Images in a forward pass.
    pub batch: usize,
    /// The preset's name, for the record.
    pub preset: Preset,
    /// From file to network input.
    pub preprocess: Preprocess,
    /// How maps become pictures.
    pub pictures: Pictures,
    /// The folder for tensorboard.
    pub logdir: PathBuf,
    /// The run's folder in it.
    pub run: PathBuf,
    /// Where to write PNG files, if anywhere.
    pub png: Option<PathBuf>,
    /// What to do at an unreadable image or checkpoint.
    pub on_error: OnError,
    /// No output but errors.
    pub quiet: bool,
    /// List unused weights too.
    pub verbose: bool,
    /// Measure and show where the time goes.
    pub timings: bool,
}

impl Config {
    /// Checks `vggscope images`.
    ///
    /// # Errors
    ///
    /// No images; a run name outside the log folder.
    pub fn for_images(args: ImagesArgs) -> Result<Self, ConfigError> {
        let ImagesArgs {
            images,
            weights,
            run,
        } = args;
        if images.is_empty() {
            return Err(ConfigError::Missing {
                what: "images",
                how: "name files, folders or patterns, as in `vggscope images photos/`",
            });
        }
        let weights = WeightsChoice::from_flag(weights.as_deref());
        Self::new(Source::Images { weights }, images, run)
    }

    /// Checks `vggscope checkpoints`.
    ///
    /// # Errors
    ///
    /// No checkpoints or no probe images; a run name outside the log folder.
    pub fn for_checkpoints(args: CheckpointsArgs) -> Result<Self, ConfigError> {
        let CheckpointsArgs {
            checkpoints: files,
            images,
            step_from,
            run,
        } = args;
        if files.is_empty() {
            return Err(ConfigError::Missing {
                what: "checkpoints",
                how: "name files, a folder or a pattern, as in `vggscope checkpoints ckpts/ --images probes/`",
            });
        }
        if images.is_empty() {
            return Err(ConfigError::Missing {
                what: "probe images",
                how: "add --images with files, folders or patterns",
            });
        }
        Self::new(Source::Checkpoints { files, step_from }, images, run)
    }

    fn new(source: Source, images: Vec<PathBuf>, args: RunArgs) -> Result<Self, ConfigError> {
        let RunArgs {
            network,
            compute,
            input,
            pictures,
            output,
        } = args;
        let run = output
            .run
            .unwrap_or_else(|| default_run_name(source.command()));
        if !run
            .components()
            .all(|part| matches!(part, std::path::Component::Normal(_)))
            || run.as_os_str().is_empty()
        {
            return Err(ConfigError::RunOutside(run));
        }
        Ok(Self {
            source,
            images,
            arch: network.arch,
            layers: network.layers,
            device: compute.device,
            seed: compute.seed,
            batch: usize::from(compute.batch),
            preset: input.preset,
            preprocess: preprocess(&input),
            pictures: Pictures::from(&pictures),
            logdir: output.logdir,
            run,
            png: output.png,
            on_error: output.on_error,
            quiet: output.quiet,
            verbose: output.verbose,
            timings: output.timings,
        })
    }

    /// Whether the run goes on with what its folder holds.
    #[must_use]
    pub fn resumes(&self) -> bool {
        matches!(&self.source, Source::Training(training) if training.resume)
    }

    /// The folder that the run's event file and its configuration are written to.
    #[must_use]
    pub fn run_folder(&self) -> PathBuf {
        self.logdir.join(&self.run)
    }
}

/// The preset, with the sizes that were given in place of its own.
#[must_use]
pub fn preprocess(args: &InputArgs) -> Preprocess {
    let mut preprocess = args.preset.preprocess();
    if let Some(size) = args.resize {
        preprocess.resize = size.pixels().and_then(NonZeroU32::new);
    }
    if let Some(size) = args.crop {
        preprocess.crop = size.pixels().and_then(NonZeroU32::new);
    }
    preprocess
}

impl From<&PictureArgs> for Pictures {
    fn from(args: &PictureArgs) -> Self {
        Self {
            range: args.range,
            max_maps: args.max_maps,
            min_tile: args.min_tile,
            colormap: args.colormap,
            kernels: !args.no_kernels,
        }
    }
}

/// A name that sorts by time and that a person can read: `images-2026-11-24_14-03-22`.
fn default_run_name(command: &str) -> PathBuf {
    let now = jiff::Zoned::now();
    PathBuf::from(format!("{command}-{}", now.strftime("%Y-%m-%d_%H-%M-%S")))
}
