//! The flags of `vggscope train`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum};

use super::RunArgs;
use crate::config::{
    Every, Freeze, Jitter, Keep, NormLimit, Span, parse_count, parse_count_or_none, parse_share,
    parse_shares,
};
use crate::train::Decay;

/// `vggscope train`. A negative number is a value, so that the flag itself can say what it takes.
#[derive(Debug, Clone, Args)]
#[command(args_override_self = true, allow_negative_numbers = true)]
pub struct TrainArgs {
    /// The data set: DATA/train/CLASS/* and DATA/val/CLASS/*, or DATA/CLASS/*, of which a part is
    /// kept for validation
    #[arg(value_name = "DATA")]
    pub data: Option<PathBuf>,
    /// The probe images, shown to the network as it learns: files, folders or glob patterns
    #[arg(long, value_name = "IMAGE", num_args = 1..)]
    pub images: Vec<PathBuf>,
    /// Weights to start from: a .pth, .pt, .safetensors or .bpk file, or "imagenet"; the last layer is
    /// new where the number of classes differs; without it the network is random
    #[arg(long, value_name = "FILE|imagenet")]
    pub weights: Option<String>,
    /// Go on from the newest checkpoint of --run
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", action = ArgAction::Set)]
    pub resume: bool,
    /// How long, and from which samples.
    #[command(flatten)]
    pub data_args: DataArgs,
    /// How parameters are moved.
    #[command(flatten)]
    pub optimisation: OptimisationArgs,
    /// What is written, and when.
    #[command(flatten)]
    pub record: RecordArgs,
    /// What all running commands share.
    #[command(flatten)]
    pub run: RunArgs,
}

/// Samples and how they are varied.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Data")]
#[expect(clippy::doc_markdown, reason = "shown as it is in a terminal")]
pub struct DataArgs {
    /// Times that every training image is seen
    #[arg(long, value_name = "N", default_value = "10", overrides_with = "steps", value_parser = parse_count)]
    pub epochs: NonZeroUsize,
    /// Optimisation steps, instead of --epochs
    #[arg(long, value_name = "N", overrides_with = "epochs", value_parser = parse_count)]
    pub steps: Option<NonZeroUsize>,
    /// Images in a batch
    #[arg(long, value_name = "N", default_value = "32", value_parser = parse_count)]
    pub batch_size: NonZeroUsize,
    /// Batches whose gradients are averaged into one step
    #[arg(long, value_name = "N", default_value = "1", value_parser = parse_count)]
    pub accumulate: NonZeroUsize,
    /// Share of each class that is kept for validation where DATA has no train and val folders
    #[arg(long, value_name = "0..1", default_value_t = 0.1, value_parser = parse_share)]
    pub val_fraction: f64,
    /// Show the network every image as --resize and --crop make it, without variation
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", action = ArgAction::Set)]
    pub no_augment: bool,
    /// Random crop: its area, as shares of the image's
    #[arg(long, value_name = "LO,HI", default_value = "0.08,1", value_parser = parse_shares)]
    pub scale: Span,
    /// Random crop: its width by its height
    #[arg(long, value_name = "LO,HI", default_value = "0.75,1.3333333333333333")]
    pub aspect: Span,
    /// Chance that an image is mirrored
    #[arg(long, value_name = "0..1", default_value_t = 0.5, value_parser = parse_share)]
    pub flip: f64,
    /// Colour jitter as in torchvision's ColorJitter: brightness, contrast, saturation, hue
    #[arg(long, value_name = "B,C,S,H|off", default_value = "off")]
    pub jitter: Jitter,
    /// Threads that decode and vary images [default: one a core]
    #[arg(long, value_name = "N", value_parser = parse_count)]
    pub threads: Option<NonZeroUsize>,
}

/// Which optimiser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OptimiserName {
    /// Stochastic gradient descent with --momentum
    Sgd,
    /// Adam
    Adam,
    /// Adam with decoupled weight decay
    Adamw,
}

/// How parameters are moved.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Optimisation")]
pub struct OptimisationArgs {
    /// sgd, adam or adamw
    #[arg(
        long,
        value_enum,
        value_name = "NAME",
        default_value = "sgd",
        alias = "optimiser"
    )]
    pub optimizer: OptimiserName,
    /// Learning rate
    #[arg(long, value_name = "X", default_value_t = 0.01, alias = "lr")]
    pub learning_rate: f64,
    /// Momentum of sgd, 0 for none
    #[arg(long, value_name = "0..1", default_value_t = 0.9, value_parser = parse_share)]
    pub momentum: f64,
    /// Nesterov momentum
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", action = ArgAction::Set)]
    pub nesterov: bool,
    /// Weight decay
    #[arg(long, value_name = "X", default_value_t = 5e-4)]
    pub weight_decay: f64,
    /// Learning rate over time: constant, cosine (to nothing at the end) or step=N,FACTOR
    #[arg(long, value_name = "SCHEDULE", default_value = "constant", value_parser = crate::config::parse_schedule)]
    pub schedule: Decay,
    /// Steps over which the learning rate rises, from a hundredth
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = parse_count_or_none)]
    pub warm_up: usize,
    /// Scale gradients down to this norm, or "off"
    #[arg(long, value_name = "X|off", default_value = "off")]
    pub clip_norm: NormLimit,
    /// Share of the target that is spread over all classes
    #[arg(long, value_name = "0..1", default_value_t = 0.0, value_parser = parse_share)]
    pub label_smoothing: f64,
    /// Chance that a value of the classifier's hidden layers is dropped
    #[arg(long, value_name = "0..1", default_value_t = 0.5, value_parser = parse_share)]
    pub dropout: f64,
    /// Keep the parameters of "features", or of all layers up to one (pool3), as they are
    #[arg(long, value_name = "none|features|LAYER", default_value = "none")]
    pub freeze: Freeze,
    /// Units of the classifier's hidden layers, where they are new [default: 4096]
    #[arg(long, value_name = "N", value_parser = parse_count)]
    pub hidden: Option<NonZeroUsize>,
    /// Channels of a random network, as a share of the published ones
    #[arg(long, value_name = "0..1", default_value_t = 1.0, value_parser = parse_share)]
    pub width: f64,
    /// End at a loss above this
    #[arg(long, value_name = "X", default_value_t = 1000.0)]
    pub stop_above: f64,
}

/// What is written, and when.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Written")]
pub struct RecordArgs {
    /// Feature maps and kernels at every Nth step, or "epoch"; always at the first and the last
    #[arg(long, value_name = "N|epoch|off", default_value = "1")]
    pub every: Every,
    /// Validation
    #[arg(long, value_name = "N|epoch|off", default_value = "epoch")]
    pub validate_every: Every,
    /// Checkpoints; there is always one at the end
    #[arg(long, value_name = "N|epoch|off", default_value = "epoch")]
    pub save_every: Every,
    /// Histograms of weights and gradients
    #[arg(long, value_name = "N|epoch|off", default_value = "epoch")]
    pub histograms_every: Every,
    /// Newest checkpoints that are kept, beside the best
    #[arg(long, value_name = "N|all", default_value = "5")]
    pub keep: Keep,
    /// Misclassified validation images that are shown at most, 0 for none
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = parse_count_or_none)]
    pub misclassified: usize,
}
