//! What `vggscope train` does, checked.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use super::train_words::{Every, Freeze, Jitter, Keep, Span};
use super::{Config, ConfigError, Source, WeightsChoice};
use crate::cli::{DataArgs, OptimisationArgs, OptimiserName, RecordArgs, TrainArgs};
use crate::train::{Decay, Optimiser};

/// Everything about a training beside what all runs have.
#[derive(Debug, Clone, PartialEq)]
pub struct Training {
    /// The data set's folder.
    pub data: PathBuf,
    /// The parameters to start from.
    pub weights: WeightsChoice,
    /// Whether to go on from the run's newest checkpoint.
    pub resume: bool,
    /// How long.
    pub length: Length,
    /// Images in a batch.
    pub batch_size: usize,
    /// Batches in a step.
    pub accumulate: usize,
    /// Share of each class kept for validation, where the data set is one folder.
    pub val_fraction: f64,
    /// How training images are varied, if they are.
    pub augment: Option<Augmentation>,
    /// Threads that decode and vary images.
    pub threads: usize,
    /// The rule by which parameters are moved.
    pub optimiser: Optimiser,
    /// The learning rate.
    pub learning_rate: f64,
    /// Weight decay.
    pub weight_decay: f64,
    /// How the learning rate goes.
    pub decay: Decay,
    /// Steps over which it rises.
    pub warm_up: usize,
    /// The longest that gradients may be.
    pub clip_norm: Option<f64>,
    /// Share of the target spread over all classes.
    pub label_smoothing: f64,
    /// Chance that a hidden value of the classifier is dropped.
    pub dropout: f64,
    /// Which parameters stay.
    pub freeze: Freeze,
    /// Units of the classifier's hidden layers, where they are new.
    pub hidden: Option<usize>,
    /// Channels of a random network, as a share of the published ones.
    pub width: f64,
    /// A loss above this ends the training.
    pub stop_above: f64,
    /// When feature maps and kernels are written.
    pub every: Every,
    /// When the network is validated.
    pub validate_every: Every,
    /// When checkpoints are written.
    pub save_every: Every,
    /// When histograms are written.
    pub histograms_every: Every,
    /// How many checkpoints stay.
    pub keep: Keep,
    /// Misclassified images that are shown at most.
    pub misclassified: usize,
}

/// How long a training is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// Times that every image is seen.
    Epochs(u64),
    /// Optimisation steps.
    Steps(u64),
}

/// How training images are varied; torchvision's `RandomResizedCrop`, `RandomHorizontalFlip` and
/// `ColorJitter`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Augmentation {
    /// Area of the crop by that of the image.
    pub scale: Span,
    /// Width of the crop by its height.
    pub aspect: Span,
    /// Chance of a mirror image.
    pub flip: f64,
    /// Colours.
    pub jitter: Jitter,
}

impl Config {
    /// Checks `vggscope train`.
    ///
    /// # Errors
    ///
    /// No data set or no probe images; flags that exclude each other; numbers out of range; a run name
    /// outside the log folder.
    pub fn for_training(args: TrainArgs) -> Result<Self, ConfigError> {
        let TrainArgs {
            data,
            images,
            weights,
            resume,
            data_args,
            optimisation,
            record,
            run,
        } = args;
        let Some(data) = data else {
            return Err(ConfigError::Missing {
                what: "data set",
                how: "name its folder, as in `vggscope train DATA --images probes/`",
            });
        };
        if images.is_empty() {
            return Err(ConfigError::Missing {
                what: "probe images",
                how: "add --images with files, folders or patterns",
            });
        }
        if resume && run.output.run.is_none() {
            return Err(ConfigError::Missing {
                what: "run to resume",
                how: "name it with --run, or give its configuration: --config runs/NAME/config.toml --resume",
            });
        }
        if super::preprocess(&run.input).crop.is_none() {
            return Err(ConfigError::NoCrop);
        }
        let weights = WeightsChoice::from_flag(weights.as_deref());
        let training = Training::new(data, weights, resume, &data_args, optimisation, &record)?;
        Self::new(Source::Training(Box::new(training)), images, run)
    }
}

impl Training {
    fn new(
        data: PathBuf,
        weights: WeightsChoice,
        resume: bool,
        samples: &DataArgs,
        optimisation: OptimisationArgs,
        record: &RecordArgs,
    ) -> Result<Self, ConfigError> {
        check_numbers(&optimisation, &weights)?;
        let optimiser = optimiser(&optimisation)?;
        Ok(Self {
            data,
            weights,
            resume,
            length: samples
                .steps
                .map_or(Length::Epochs(samples.epochs.get() as u64), |steps| {
                    Length::Steps(steps.get() as u64)
                }),
            batch_size: samples.batch_size.get(),
            accumulate: samples.accumulate.get(),
            val_fraction: samples.val_fraction,
            augment: (!samples.no_augment).then_some(Augmentation {
                scale: samples.scale,
                aspect: samples.aspect,
                flip: samples.flip,
                jitter: samples.jitter,
            }),
            threads: samples
                .threads
                .or_else(|| std::thread::available_parallelism().ok())
                .map_or(1, NonZeroUsize::get),
            optimiser,
            learning_rate: optimisation.learning_rate,
            weight_decay: optimisation.weight_decay,
            decay: optimisation.schedule,
            warm_up: optimisation.warm_up,
            clip_norm: optimisation.clip_norm.limit(),
            label_smoothing: optimisation.label_smoothing,
            dropout: optimisation.dropout,
            freeze: optimisation.freeze,
            hidden: optimisation.hidden.map(NonZeroUsize::get),
            width: optimisation.width,
            stop_above: optimisation.stop_above,
            every: record.every,
            validate_every: record.validate_every,
            save_every: record.save_every,
            histograms_every: record.histograms_every,
            keep: record.keep,
            misclassified: record.misclassified,
        })
    }
}

fn optimiser(args: &OptimisationArgs) -> Result<Optimiser, ConfigError> {
    let sgd = args.optimizer == OptimiserName::Sgd;
    if args.nesterov && !(sgd && args.momentum > 0.0) {
        return Err(ConfigError::Excluded {
            flag: "--nesterov",
            why: "it is a kind of momentum: use --optimizer sgd with --momentum above 0",
        });
    }
    Ok(match args.optimizer {
        OptimiserName::Sgd => Optimiser::Sgd {
            momentum: args.momentum,
            nesterov: args.nesterov,
        },
        OptimiserName::Adam => Optimiser::Adam,
        OptimiserName::Adamw => Optimiser::AdamW,
    })
}

fn check_numbers(args: &OptimisationArgs, weights: &WeightsChoice) -> Result<(), ConfigError> {
    let wrong = |flag, found, expected| {
        Err(ConfigError::Number {
            flag,
            found,
            expected,
        })
    };
    let positive = |x: f64| x > 0.0 && x.is_finite();
    if !positive(args.learning_rate) {
        return wrong("--learning-rate", args.learning_rate, "a number above 0");
    }
    if !(args.weight_decay >= 0.0 && args.weight_decay.is_finite()) {
        return wrong("--weight-decay", args.weight_decay, "a number from 0");
    }
    if args.dropout >= 1.0 {
        return wrong("--dropout", args.dropout, "a number below 1");
    }
    if !positive(args.stop_above) {
        return wrong("--stop-above", args.stop_above, "a number above 0");
    }
    if args.width <= 0.0 {
        return wrong("--width", args.width, "a number above 0");
    }
    if args.width < 1.0 && *weights != WeightsChoice::Random {
        return Err(ConfigError::Excluded {
            flag: "--width",
            why: "the weights decide how wide the network is: leave one of the two out",
        });
    }
    Ok(())
}
