//! `vggscope train`.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::{ArgAction, Args, ValueEnum};
use serde::Serialize;

use super::comparison::ComparisonSettings;
use super::error::{SettingsError, swallowed};
use super::paths::{absolute, make_absolute, path_parser};
use super::shared::{RunSettings, WeightsChoice, absolute_weights};
use super::text::{as_text, toml_text};
use super::values::{
    Count, Every, Freeze, NormLimit, Span, parse_count, parse_count_or_zero, parse_fraction,
    parse_fractions,
};
use crate::data::labeled::augment::ColorJitter;
use crate::device::Dtype;
use crate::network::ForwardPass;
use crate::train::{Decay, Optimizer};

/// Settings of `vggscope train`. A negative number is a value, so that the flag itself can say what it
/// takes.
#[derive(Debug, Clone, PartialEq, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
#[command(args_override_self = true, allow_negative_numbers = true)]
pub(crate) struct TrainSettings {
    /// The data set: DATA/train/CLASS/* and DATA/val/CLASS/*, or DATA/CLASS/*, of which a part is
    /// kept for validation
    #[arg(value_name = "DATA", value_parser = path_parser())]
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<PathBuf>,
    /// The probe images, shown to the network as it learns: files, folders or glob patterns
    #[arg(long, value_name = "IMAGE", num_args = 1.., value_parser = path_parser())]
    pub(crate) images: Vec<PathBuf>,
    /// Weights to start from: a .pth, .pt, .safetensors or .bpk file, or "imagenet"; the last layer is
    /// new where the number of classes differs; without it the network is random
    #[arg(long, value_name = "FILE|imagenet", value_parser = path_parser())]
    #[serde(skip_serializing_if = "Option::is_none")]
    weights: Option<PathBuf>,
    /// Resume --run from its newest checkpoint
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", action = ArgAction::Set)]
    #[serde(skip)]
    pub(crate) resume: bool,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    epochs: Option<NonZeroUsize>,
    /// Optimization steps, instead of --epochs
    #[arg(long, value_name = "N", overrides_with = "epochs", value_parser = parse_count)]
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<NonZeroUsize>,
    /// Images in a batch
    #[arg(long, value_name = "N", default_value = "32", value_parser = parse_count)]
    pub(crate) batch_size: NonZeroUsize,
    /// Batches whose gradients are averaged into one step
    #[arg(long, value_name = "N", default_value = "1", value_parser = parse_count)]
    pub(crate) accumulate: NonZeroUsize,
    /// Fraction of each class that is kept for validation where DATA has no train and val folders
    #[arg(long, value_name = "0..1", default_value_t = 0.1, value_parser = parse_fraction)]
    pub(crate) val_fraction: f64,
    /// No augmentation: every training image as --resize and --crop make it
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", action = ArgAction::Set)]
    pub(crate) no_augment: bool,
    /// Scale range of RandomResizedCrop: area of the crop relative to the image's
    #[arg(long, value_name = "LO,HI", default_value = "0.08,1", value_parser = parse_fractions)]
    #[serde(serialize_with = "as_text")]
    pub(crate) scale: Span,
    /// Aspect ratio range of RandomResizedCrop
    #[arg(long, value_name = "LO,HI", default_value = "0.75,1.3333333333333333")]
    #[serde(serialize_with = "as_text")]
    pub(crate) aspect: Span,
    /// Probability of a horizontal flip
    #[arg(long, value_name = "0..1", default_value_t = 0.5, value_parser = parse_fraction)]
    pub(crate) flip: f64,
    /// ColorJitter as in torchvision: brightness, contrast, saturation, hue
    #[arg(long, value_name = "B,C,S,H|off", default_value = "off")]
    #[serde(serialize_with = "as_text")]
    pub(crate) jitter: ColorJitter,
    /// Threads that decode and augment images [default: one a core]
    #[arg(long, value_name = "N", value_parser = parse_count)]
    #[serde(skip_serializing_if = "Option::is_none")]
    threads: Option<NonZeroUsize>,
}

/// Which optimizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OptimizerName {
    /// Stochastic gradient descent with --momentum
    Sgd,
    /// Adam
    Adam,
    /// Adam with decoupled weight decay
    Adamw,
}

/// How parameters are updated.
#[derive(Debug, Clone, PartialEq, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
#[command(next_help_heading = "Optimization")]
pub(crate) struct OptimizationSettings {
    /// sgd, adam or adamw
    #[arg(
        long,
        value_enum,
        value_name = "NAME",
        default_value = "sgd",
        alias = "optimiser"
    )]
    optimizer: OptimizerName,
    /// Learning rate
    #[arg(long, value_name = "X", default_value_t = 0.01, alias = "lr")]
    pub(crate) learning_rate: f64,
    /// Momentum of sgd, 0 for none
    #[arg(long, value_name = "0..1", default_value_t = 0.9, value_parser = parse_fraction)]
    momentum: f64,
    /// Nesterov momentum
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", action = ArgAction::Set)]
    nesterov: bool,
    /// Weight decay
    #[arg(long, value_name = "X", default_value_t = 5e-4)]
    pub(crate) weight_decay: f64,
    /// Learning rate schedule: constant, cosine (to zero at the end) or step=N,FACTOR
    #[arg(long, value_name = "SCHEDULE", default_value = "constant")]
    #[serde(serialize_with = "as_text")]
    pub(crate) schedule: Decay,
    /// Linear warm-up steps, from a hundredth of the learning rate
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = parse_count_or_zero)]
    pub(crate) warm_up: usize,
    /// Maximum gradient norm (clipping), or "off"
    #[arg(long, value_name = "X|off", default_value = "off")]
    #[serde(serialize_with = "as_text")]
    pub(crate) clip_norm: NormLimit,
    /// Label smoothing
    #[arg(long, value_name = "0..1", default_value_t = 0.0, value_parser = parse_fraction)]
    pub(crate) label_smoothing: f64,
    /// Dropout probability in the classifier
    #[arg(long, value_name = "0..1", default_value_t = 0.5, value_parser = parse_fraction)]
    pub(crate) dropout: f64,
    /// Freeze the parameters of "features", or of all layers up to one (pool3)
    #[arg(long, value_name = "none|features|LAYER", default_value = "none")]
    #[serde(serialize_with = "as_text")]
    pub(crate) freeze: Freeze,
    /// Units of the classifier's hidden layers, where they are new [default: 4096]
    #[arg(long, value_name = "N", value_parser = parse_count)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hidden: Option<NonZeroUsize>,
    /// Channels of a random network, as a fraction of the published ones
    #[arg(long, value_name = "0..1", default_value_t = 1.0, value_parser = parse_fraction)]
    pub(crate) width: f64,
    /// Abort if the loss exceeds this
    #[arg(long, value_name = "X", default_value_t = 1000.0)]
    pub(crate) stop_above: f64,
}

/// What is written, and when.
#[derive(Debug, Clone, PartialEq, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
#[command(next_help_heading = "Written")]
pub(crate) struct RecordSettings {
    /// Feature maps and kernels at every Nth step, or "epoch"; always at the first and the last
    #[arg(long, value_name = "N|epoch|off", default_value = "1")]
    #[serde(serialize_with = "as_text")]
    pub(crate) every: Every,
    /// Validation
    #[arg(long, value_name = "N|epoch|off", default_value = "epoch")]
    #[serde(serialize_with = "as_text")]
    pub(crate) validate_every: Every,
    /// Checkpoints; there is always one at the end
    #[arg(long, value_name = "N|epoch|off", default_value = "epoch")]
    #[serde(serialize_with = "as_text")]
    pub(crate) save_every: Every,
    /// Histograms of weights and gradients
    #[arg(long, value_name = "N|epoch|off", default_value = "epoch")]
    #[serde(serialize_with = "as_text")]
    pub(crate) histograms_every: Every,
    /// Newest checkpoints to keep, besides the best
    #[arg(long, value_name = "N|all", default_value = "5")]
    #[serde(serialize_with = "as_text")]
    pub(crate) keep: Count,
    /// Most misclassified validation images to show, 0 for none
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = parse_count_or_zero)]
    pub(crate) misclassified: usize,
}

/// How long a training is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    /// Passes over the training images.
    Epochs(u64),
    /// Optimization steps.
    Steps(u64),
}

const DEFAULT_EPOCHS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(9);

impl TrainSettings {
    /// The data set's folder.
    pub(crate) fn data(&self) -> &Path {
        self.data.as_deref().unwrap_or(Path::new(""))
    }

    /// Where the first parameters come from.
    pub(crate) fn weights(&self) -> WeightsChoice {
        WeightsChoice::from_flag(self.weights.as_deref())
    }

    /// What must hold between settings.
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        if self.data.is_none() {
            swallowed("train", &self.images, "data set")?;
            return Err(SettingsError::Missing {
                what: "data set",
                how: "name its folder, as in `vggscope train DATA --images probes/`",
            });
        }
        if self.images.is_empty() {
            return Err(SettingsError::Missing {
                what: "probe images",
                how: "add --images with files, folders or patterns",
            });
        }
        if self.resume && self.run.output.run.is_none() {
            return Err(SettingsError::Missing {
                what: "run to resume",
                how: "name it with --run, or give its configuration: --config runs/NAME/config.toml --resume",
            });
        }
        if self.run.input.preprocess().crop.is_none() {
            return Err(SettingsError::NoCrop);
        }
        if !self.run.compute.device.others.is_empty() {
            return Err(SettingsError::Excluded {
                flag: "--device",
                why: "a training runs on one device: name one",
            });
        }
        if self.run.compute.dtype != Dtype::F32 {
            return Err(SettingsError::Excluded {
                flag: "--dtype",
                why: "a training computes in float32: leave it out, or use --tf32 on an NVIDIA GPU",
            });
        }
        self.comparison.check()?;
        self.optimization.check(&self.weights())?;
        self.run.check()
    }

    /// The names of the settings that TensorBoard compares runs by.
    pub(crate) fn hyperparameters(&self) -> Vec<String> {
        let groups = [
            toml::Table::try_from(&self.samples),
            toml::Table::try_from(&self.optimization),
        ];
        let names = groups
            .into_iter()
            .flatten()
            .flat_map(IntoIterator::into_iter);
        let others = [
            "arch", "weights", "preset", "resize", "crop", "mean", "std", "scale-to", "seed",
            "epochs",
        ];
        names
            .map(|(name, _)| name)
            .filter(|name| name != "threads")
            .chain(others.map(str::to_owned))
            .collect()
    }

    /// All settings as TOML, with what was left open filled in and absolute paths, so that the file runs them
    /// again from anywhere.
    pub(crate) fn resolved(&self, pass: &ForwardPass) -> Result<String, toml::ser::Error> {
        let mut resolved = self.clone();
        resolved.data = resolved.data.as_deref().map(absolute);
        make_absolute(&mut resolved.images);
        resolved.comparison.resolve();
        resolved.weights = absolute_weights(resolved.weights.as_deref());
        if resolved.samples.steps.is_none() {
            resolved.samples.epochs.get_or_insert(DEFAULT_EPOCHS);
        }
        resolved.samples.threads = Some(self.samples.threads());
        resolved.run.resolve(pass);
        toml_text("train", &resolved)
    }
}

impl SampleSettings {
    /// How long the training is.
    pub(crate) fn length(&self) -> Length {
        match self.steps {
            Some(steps) => Length::Steps(steps.get() as u64),
            None => Length::Epochs(self.epochs.unwrap_or(DEFAULT_EPOCHS).get() as u64),
        }
    }

    /// Threads that decode and augment images.
    pub(crate) fn threads(&self) -> NonZeroUsize {
        self.threads
            .or_else(|| std::thread::available_parallelism().ok())
            .unwrap_or(NonZeroUsize::MIN)
    }
}

impl OptimizationSettings {
    /// The optimizer and its own numbers.
    pub(crate) fn optimizer(&self) -> Optimizer {
        match self.optimizer {
            OptimizerName::Sgd => Optimizer::Sgd {
                momentum: self.momentum,
                nesterov: self.nesterov,
            },
            OptimizerName::Adam => Optimizer::Adam,
            OptimizerName::Adamw => Optimizer::AdamW,
        }
    }

    fn check(&self, weights: &WeightsChoice) -> Result<(), SettingsError> {
        let positive = |x: f64| x > 0.0 && x.is_finite();
        let numbers = [
            (
                "--learning-rate",
                self.learning_rate,
                positive(self.learning_rate),
                "a number above 0",
            ),
            (
                "--weight-decay",
                self.weight_decay,
                self.weight_decay >= 0.0 && self.weight_decay.is_finite(),
                "a number from 0",
            ),
            (
                "--dropout",
                self.dropout,
                self.dropout < 1.0,
                "a number below 1",
            ),
            (
                "--stop-above",
                self.stop_above,
                positive(self.stop_above),
                "a number above 0",
            ),
            ("--width", self.width, self.width > 0.0, "a number above 0"),
        ];
        if let Some((flag, found, _, expected)) =
            numbers.into_iter().find(|(_, _, valid, _)| !valid)
        {
            return Err(SettingsError::Number {
                flag,
                found,
                expected,
            });
        }
        if self.nesterov && !(self.optimizer == OptimizerName::Sgd && self.momentum > 0.0) {
            return Err(SettingsError::Excluded {
                flag: "--nesterov",
                why: "it is a kind of momentum: use --optimizer sgd with --momentum above 0",
            });
        }
        if self.width < 1.0 && *weights != WeightsChoice::Random {
            return Err(SettingsError::Excluded {
                flag: "--width",
                why: "the weights decide how wide the network is: leave one of the two out",
            });
        }
        Ok(())
    }
}
