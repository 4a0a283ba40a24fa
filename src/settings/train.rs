//! `vggscope train`.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::error::{SettingsError, check_probes, exclude, require, swallowed};
use super::paths::{absolute, make_absolute};
use super::pictures::ComparisonSettings;
use super::shared::{RunSettings, make_weights_absolute};
use super::summary::SummarySettings;
use super::text::toml_text;
use super::tuning::{Augment, Schedule};
use super::values::{Count, NormLimit, parse_count, parse_fraction, parse_positive, within};
use super::{Command, command};
use crate::device::Precision;
use crate::network::ForwardPass;
use crate::schedule::Interval;

/// Settings of `vggscope train`. A negative number is a value, so that the flag itself can say what it
/// takes.
#[derive(Debug, Clone, PartialEq, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
#[command(allow_negative_numbers = true)]
pub(crate) struct TrainSettings {
    /// The data set: DATA/train/CLASS/* and DATA/val/CLASS/*, or DATA/CLASS/*, of which a part is
    /// kept for validation
    #[arg(value_name = "DATA")]
    data: Option<PathBuf>,
    /// The probe images: files, folders or glob patterns, shown to the network as it learns
    #[arg(long, value_name = "IMAGE", num_args = 1.., aliases = ["probes", "probe"])]
    pub(crate) images: Vec<PathBuf>,
    /// Weights to start from: a .pth, .pt, .safetensors or .bpk file, or "imagenet"; the last layer is
    /// new where the number of classes differs; without it the network is random
    #[arg(long, value_name = "FILE|imagenet")]
    pub(crate) weights: Option<PathBuf>,
    /// Resume --run from its newest checkpoint
    #[arg(long)]
    #[serde(skip)]
    pub(crate) resume: bool,
    /// Seed of random weights, dropout and augmentation
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) samples: SampleSettings,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) optimization: OptimizationSettings,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) record: RecordSettings,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) comparison: ComparisonSettings,
    #[command(flatten)]
    #[serde(skip)]
    pub(crate) summary: SummarySettings,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) run: RunSettings,
}

/// Samples and augmentation.
#[derive(Debug, Clone, PartialEq, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
#[command(next_help_heading = "Data")]
#[expect(clippy::doc_markdown, reason = "shown as it is in a terminal")]
pub(crate) struct SampleSettings {
    /// Passes over the training images [default: 10]
    #[arg(long, value_name = "N", overrides_with = "steps", value_parser = parse_count)]
    epochs: Option<NonZeroUsize>,
    /// Optimization steps, instead of --epochs
    #[arg(long, value_name = "N", overrides_with = "epochs", value_parser = parse_count)]
    pub(crate) steps: Option<NonZeroUsize>,
    /// Images in a batch
    #[arg(long, value_name = "N", default_value = "32", value_parser = parse_count)]
    pub(crate) batch_size: NonZeroUsize,
    /// Batches in one step, in whose gradient each image weighs the same
    #[arg(long, value_name = "N", default_value = "1", value_parser = parse_count)]
    pub(crate) accumulate: NonZeroUsize,
    /// Fraction of each class that is kept for validation where DATA has no train and val folders
    #[arg(long, value_name = "0..1", default_value_t = 0.1, value_parser = parse_fraction)]
    pub(crate) val_fraction: f64,
    /// Augmentation as in torchvision: default, off, or scale=LO,HI,aspect=LO,HI (RandomResizedCrop),flip=P,
    /// jitter=B,C,S,H (ColorJitter) or some of these
    #[arg(long, value_name = "default|off|..", default_value = "default")]
    pub(crate) augment: Augment,
    /// Threads that decode and augment images [default: one a core]
    #[arg(long, value_name = "N", value_parser = parse_count)]
    threads: Option<NonZeroUsize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OptimizerName {
    Sgd,
    Nesterov,
    Adam,
    Adamw,
}

/// How parameters are updated.
#[derive(Debug, Clone, PartialEq, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
#[command(next_help_heading = "Optimization")]
pub(crate) struct OptimizationSettings {
    /// sgd, nesterov (sgd with Nesterov momentum), adam or adamw
    #[arg(long, value_name = "NAME", default_value = "sgd", alias = "optimiser")]
    pub(crate) optimizer: OptimizerName,
    /// Learning rate
    #[arg(long, value_name = "X", default_value_t = 0.01, alias = "lr", value_parser = parse_positive)]
    pub(crate) learning_rate: f64,
    /// Momentum of sgd and nesterov, 0 for none
    #[arg(long, value_name = "0..1", default_value_t = 0.9, value_parser = parse_fraction)]
    pub(crate) momentum: f64,
    /// Weight decay
    #[arg(long, value_name = "X", default_value_t = 5e-4, value_parser = within(0.0..=f64::MAX, "a number from 0"))]
    pub(crate) weight_decay: f64,
    /// Learning rate schedule: constant, cosine (to zero at the end) or step=N,FACTOR; then ,warm-up=N for linear
    /// warm-up steps from a hundredth of the learning rate
    #[arg(long, value_name = "SCHEDULE", default_value = "constant")]
    pub(crate) schedule: Schedule,
    /// Maximum gradient norm (clipping), or "off"
    #[arg(long, value_name = "X|off", default_value = "off")]
    pub(crate) clip_norm: NormLimit,
    /// Label smoothing
    #[arg(long, value_name = "0..1", default_value_t = 0.0, value_parser = parse_fraction)]
    pub(crate) label_smoothing: f64,
    /// Dropout probability in the classifier
    #[arg(long, value_name = "0..1", default_value_t = 0.5, value_parser = within(0.0..1.0, "a number from 0, below 1"))]
    pub(crate) dropout: f64,
    /// Frozen layers: "features", or all up to one (pool3)
    #[arg(long, value_name = "none|features|LAYER", default_value = "none")]
    pub(crate) freeze: String,
    /// Units of the classifier's hidden layers, where they are new [default: 4096]
    #[arg(long, value_name = "N", value_parser = parse_count)]
    pub(crate) hidden: Option<NonZeroUsize>,
    /// Channels of a random network, as a fraction of the published ones
    #[arg(long, value_name = "0..1", default_value_t = 1.0, value_parser = within(f64::MIN_POSITIVE..=1.0, "a number above 0, at most 1"))]
    pub(crate) width: f64,
    /// Abort if the loss exceeds this
    #[arg(long, value_name = "X", default_value_t = 1000.0, value_parser = parse_positive)]
    pub(crate) stop_above: f64,
}

/// What is written, and when.
#[derive(Debug, Clone, PartialEq, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
#[command(next_help_heading = "Written")]
pub(crate) struct RecordSettings {
    /// Steps between feature maps: a number, "epoch" or "off"; the first and the last always have them
    #[arg(long, value_name = "N|epoch|off", default_value = "1")]
    pub(crate) every: Interval,
    /// Validation
    #[arg(long, value_name = "N|epoch|off", default_value = "epoch")]
    pub(crate) validate_every: Interval,
    /// Checkpoints; there is always one at the end
    #[arg(long, value_name = "N|epoch|off", default_value = "epoch")]
    pub(crate) save_every: Interval,
    /// Histograms of weights and gradients
    #[arg(long, value_name = "N|epoch|off", default_value = "epoch")]
    pub(crate) histograms_every: Interval,
    /// Newest checkpoints to keep, besides the best
    #[arg(long, value_name = "N|all", default_value = "5")]
    pub(crate) keep: Count,
    /// Most misclassified validation images to show, 0 for none
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = within(0_usize.., "a whole number from 0"))]
    pub(crate) misclassified: usize,
}

const DEFAULT_EPOCHS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(9);

impl TrainSettings {
    pub(crate) fn data(&self) -> &Path {
        self.data.as_deref().unwrap_or(Path::new(""))
    }

    pub(super) fn check(&self) -> Result<(), SettingsError> {
        self.summary.check(|name| self.comparison.lacks(name))?;
        if self.data.is_none() {
            swallowed("train", &self.images, "data set")?;
        }
        let how = "name its folder, as in `vggscope train DATA --images probes/`";
        require(self.data.is_some(), "data set", how)?;
        check_probes(&self.images)?;
        exclude(
            self.run.network.model.is_some(),
            "--model",
            "training is of VGG networks: train another one in PyTorch, and show its checkpoints with `vggscope checkpoints \
             --model`",
        )?;
        require(
            !self.resume || self.run.output.folder.run.is_some(),
            "run to resume",
            "name it with --run, or give its configuration: --config runs/NAME/config.toml --resume",
        )?;
        exclude(
            self.run.input.preprocess().crop.is_none(),
            "--crop off",
            "a batch needs images of one size, so training needs a --crop in pixels",
        )?;
        exclude(
            !self.run.compute.device.others.is_empty(),
            "--device",
            "a training runs on one device: name one",
        )?;
        exclude(
            ![Precision::F32, Precision::Tf32].contains(&self.run.compute.precision),
            "--precision",
            "a training computes in float32: leave it out, or use --precision tf32 on an NVIDIA GPU",
        )?;
        exclude(
            self.optimization.optimizer == OptimizerName::Nesterov
                && self.optimization.momentum == 0.0,
            "--optimizer nesterov",
            "it is a kind of momentum: use --momentum above 0",
        )?;
        exclude(
            self.optimization.width < 1.0 && self.weights.is_some(),
            "--width",
            "the weights decide how wide the network is: leave one of the two out",
        )?;
        self.comparison.check()?;
        self.run.check()
    }

    /// The names of the settings that TensorBoard compares runs by: the learning rate and those that are not their
    /// defaults first.
    pub(crate) fn hyperparameters(&self) -> Vec<String> {
        let groups = [
            toml::Table::try_from(&self.samples),
            toml::Table::try_from(&self.optimization),
        ];
        let names = groups.into_iter().flatten().flatten().map(|(name, _)| name);
        let others = "arch weights preset resize crop normalize seed epochs".split(' ');
        let names = names.filter(|name| name != "threads");
        let mut names: Vec<String> = names.chain(others.map(str::to_owned)).collect();
        let default = match command(&["train", ".", "--images", "."]) {
            Ok(Command::Train(settings)) => toml::Table::try_from(&settings),
            _ => Ok(toml::Table::new()),
        };
        if let (Ok(default), Ok(own)) = (default, toml::Table::try_from(self)) {
            let is_default = |name: &String| own.get(name) == default.get(name);
            names.sort_by_key(|name| (name != "learning-rate", is_default(name)));
        }
        names
    }

    pub(crate) fn resolved(&self, pass: &ForwardPass) -> Result<String, toml::ser::Error> {
        let mut resolved = self.clone();
        resolved.data = resolved.data.as_deref().map(absolute);
        make_absolute(&mut resolved.images);
        resolved.comparison.resolve();
        make_weights_absolute(&mut resolved.weights);
        if resolved.samples.steps.is_none() {
            resolved.samples.epochs.get_or_insert(DEFAULT_EPOCHS);
        }
        resolved.samples.threads = Some(self.samples.threads());
        resolved.run.resolve(pass);
        toml_text("train", &resolved)
    }
}

impl SampleSettings {
    pub(crate) fn epochs(&self) -> u64 {
        self.epochs.unwrap_or(DEFAULT_EPOCHS).get() as u64
    }

    pub(crate) fn threads(&self) -> NonZeroUsize {
        self.threads
            .or_else(|| std::thread::available_parallelism().ok())
            .unwrap_or(NonZeroUsize::MIN)
    }
}
