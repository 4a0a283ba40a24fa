//! A training that can begin: its data set, its first parameters, and where it goes on from.

use std::path::{Path, PathBuf};

use burn::tensor::Device;

use super::data::Reading;
use super::graph::graph;
use super::hparams;
use crate::config::{Config, Freeze, Length, Training, WeightsChoice};
use crate::dataset::{Dataset, Split};
use crate::events::EventFile;
use crate::pipeline::describe::WeightsLabel;
use crate::pipeline::load::file_name;
use crate::pipeline::open::{Networks, Opened, arch_of, published};
use crate::pipeline::{Interrupt, RunError};
use crate::terminal::Terminal;
use crate::train::{Progress, Saved, newest};
use crate::vgg::{
    self, Arch, BuildError, Extent, Grafted, Kernels, NewPart, PUBLISHED_HIDDEN, PUBLISHED_WIDTHS,
    Placement, RandomParameters, Sizes, Vgg, build,
};
use crate::weights::WeightsFile;

/// What a training begins with.
pub(in crate::pipeline) struct Start {
    pub(super) dataset: Dataset,
    pub(super) parameters: First,
    /// The checkpoint that the training goes on from.
    pub(super) resumed: Option<(Saved, Progress)>,
    /// The deepest layer whose parameters stay, with all before it.
    pub(super) frozen: Option<usize>,
    arch: Arch,
}

/// The first parameters.
pub(super) enum First {
    /// All of them random.
    Random(RandomParameters),
    /// From a file that holds them all.
    File(WeightsFile),
    /// From a file, with a new classifier or last layer.
    Grafted {
        file: WeightsFile,
        fresh: RandomParameters,
        part: NewPart,
    },
}

/// The folder of a run's checkpoints.
pub(super) fn checkpoints_folder(run_folder: &Path) -> PathBuf {
    run_folder.join("checkpoints")
}

/// Opens the data set and the first parameters.
pub(in crate::pipeline) fn open(
    config: &Config,
    training: &Training,
    terminal: &Terminal,
    interrupt: &Interrupt,
) -> Result<Opened, RunError> {
    let split = Split {
        fraction: training.val_fraction,
        seed: config.seed,
    };
    let dataset = Dataset::open(&training.data, split)?;
    let classes = dataset.classes.len();
    let resumed = if training.resume {
        Some(last_checkpoint(config, training, &dataset, terminal)?)
    } else {
        None
    };
    let weights = match &resumed {
        Some((saved, _)) => Some(saved.network.clone()),
        None => weights_path(config, training, terminal, interrupt)?,
    };
    let (arch, parameters, label) = match weights {
        Some(path) => from_file(config, training, classes, &path, terminal)?,
        None => random(config, training, classes, terminal),
    };
    Ok(Opened {
        arch,
        label: WeightsLabel::known(label),
        networks: Networks::Training(Box::new(Start {
            frozen: frozen(&training.freeze, arch)?,
            dataset,
            parameters,
            resumed,
            arch,
        })),
    })
}

fn last_checkpoint(
    config: &Config,
    training: &Training,
    dataset: &Dataset,
    terminal: &Terminal,
) -> Result<(Saved, Progress), RunError> {
    let saved = newest(&checkpoints_folder(&config.run_folder()))?;
    let progress = saved.read_progress()?;
    if progress.classes != dataset.classes {
        return Err(RunError::OtherClasses {
            path: saved.network,
            trained: progress.classes,
            found: dataset.classes.clone(),
        });
    }
    let samples = dataset.train.len();
    if progress.samples != samples {
        terminal.note(&format!(
            "the data set has {samples} training images, {} when the checkpoint was saved: from here on \
             they come in another order",
            progress.samples
        ));
    }
    let progress = progress.counted_in(training.batch_size, samples);
    Ok((saved, progress))
}

fn weights_path(
    config: &Config,
    training: &Training,
    terminal: &Terminal,
    interrupt: &Interrupt,
) -> Result<Option<PathBuf>, RunError> {
    Ok(match &training.weights {
        WeightsChoice::Random => None,
        WeightsChoice::File(path) => Some(path.clone()),
        WeightsChoice::Imagenet => Some(published(
            config.arch.unwrap_or(Arch::VGG16),
            terminal,
            interrupt,
        )?),
    })
}

fn random(
    config: &Config,
    training: &Training,
    classes: usize,
    terminal: &Terminal,
) -> (Arch, First, String) {
    let arch = config.arch.unwrap_or(Arch::VGG16);
    let seed = config.seed;
    let sizes = Sizes {
        widths: PUBLISHED_WIDTHS.map(|width| scaled(width, training.width)),
        hidden: training.hidden.unwrap_or(PUBLISHED_HIDDEN),
        classes,
    };
    terminal.note(&format!(
        "no --weights given: {arch} with random weights, seed {seed}, initialised as torchvision does"
    ));
    (
        arch,
        First::Random(RandomParameters::new(arch, sizes, seed)),
        format!("trained from random, seed {seed}"),
    )
}

fn scaled(width: usize, share: f64) -> usize {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of at most 512"
    )]
    let scaled = (width as f64 * share).round() as usize;
    scaled.max(1)
}

/// Parameters from a file; its classifier stays where it has an output for each class.
fn from_file(
    config: &Config,
    training: &Training,
    classes: usize,
    path: &Path,
    terminal: &Terminal,
) -> Result<(Arch, First, String), RunError> {
    let file = WeightsFile::open(path)?;
    let arch = arch_of(&file, config.arch)?;
    let label = format!("trained from {}", file_name(path));
    let rows = |name: &str| {
        file.get(name)
            .and_then(|entry| entry.shape().first().copied())
    };
    let outputs = rows("classifier.6.weight");
    if let (Some(given), Some(found)) = (training.hidden, rows("classifier.3.weight"))
        && given != found
    {
        return Err(RunError::Hidden {
            path: path.to_owned(),
            given,
            found,
        });
    }
    if outputs == Some(classes) {
        return Ok((arch, First::File(file), label));
    }
    let (part, what) = match outputs {
        Some(outputs) => (
            NewPart::Output,
            format!("the last layer is new: the weights have {outputs} classes"),
        ),
        None => (
            NewPart::Classifier,
            "the classifier is new: the weights have none".to_owned(),
        ),
    };
    terminal.note(&format!("{what}, the data set has {classes}"));
    let mut sizes = Sizes {
        hidden: training.hidden.unwrap_or(PUBLISHED_HIDDEN),
        classes,
        ..Sizes::PUBLISHED
    };
    // The new part takes on the widths of what it stands on.
    let last = arch
        .layers()
        .into_iter()
        .rfind(|layer| layer.kind == vgg::LayerKind::Convolution);
    if let Some(width) = last.and_then(|layer| rows(&format!("{}.weight", layer.torch_name()))) {
        sizes.widths[4] = width;
    }
    if let (NewPart::Output, Some(hidden)) = (part, rows("classifier.3.weight")) {
        sizes.hidden = hidden;
    }
    let fresh = RandomParameters::new(arch, sizes, config.seed);
    Ok((arch, First::Grafted { file, fresh, part }, label))
}

/// The index of the deepest layer that stays.
fn frozen(freeze: &Freeze, arch: Arch) -> Result<Option<usize>, RunError> {
    let layers = arch.layers();
    Ok(match freeze {
        Freeze::None => None,
        Freeze::Features => layers.last().map(|layer| layer.index),
        Freeze::UpTo(name) => match vgg::select(&layers, &arch.to_string(), name).as_deref() {
            Ok([layer]) => Some(layer.index),
            _ => {
                return Err(RunError::Freeze {
                    given: name.clone(),
                    arch,
                });
            }
        },
    })
}

impl Start {
    /// Builds the whole network on `device`.
    pub(super) fn network(&self, device: &Device, kernels: Kernels) -> Result<Vgg, RunError> {
        let place = Placement { device, kernels };
        match &self.parameters {
            First::Random(source) => Ok(build(source, self.arch, Extent::Whole, place)?),
            First::File(file) => build(file, self.arch, Extent::Whole, place)
                .map_err(|error| RunError::build(file.path(), error)),
            First::Grafted { file, fresh, part } => {
                let source = Grafted {
                    base: file,
                    fresh: fresh.clone(),
                    part: *part,
                };
                build(&source, self.arch, Extent::Whole, place).map_err(|error| match error {
                    BuildError::Source(vgg::GraftError::Base(error)) => RunError::Weights(error),
                    source => RunError::Graft {
                        path: file.path().to_owned(),
                        source,
                    },
                })
            }
        }
    }

    /// Optimisation steps that were taken already, and those of the whole training.
    pub(super) fn taken_and_total(
        &self,
        config: &Config,
        training: &Training,
    ) -> Result<(u64, u64), RunError> {
        let at = self.resumed.as_ref().map(|(_, progress)| progress);
        let taken = at.map_or(0, |at| at.step);
        let total = match training.length {
            Length::Steps(steps) => steps,
            Length::Epochs(epochs) => {
                let per_epoch = Reading::new(config, training).steps_per_epoch(&self.dataset);
                // Those taken may have had batches of another size.
                let passed = at.map_or(0, |at| {
                    let of_epoch = at.batch / training.accumulate as u64;
                    at.epoch.saturating_mul(per_epoch).saturating_add(of_epoch)
                });
                let left = epochs.saturating_mul(per_epoch).saturating_sub(passed);
                taken.saturating_add(left)
            }
        };
        if taken < total {
            return Ok((taken, total));
        }
        Err(RunError::AllDone {
            folder: config.run_folder(),
            step: taken,
            steps: total,
        })
    }

    /// Steps of the whole training that are in its event files already, and all of them; step 0 counts.
    pub(in crate::pipeline) fn written_and_total(
        &self,
        config: &Config,
        training: &Training,
    ) -> Result<(u64, u64), RunError> {
        let (taken, total) = self.taken_and_total(config, training)?;
        let written = if self.resumed.is_some() { taken + 1 } else { 0 };
        Ok((written, total + 1))
    }

    /// Opens the event file, behind those of a training that goes on, and says what of the settings
    /// changed since.
    pub(in crate::pipeline) fn begin_events(
        &self,
        config: &Config,
        training: &Training,
        resolved: &str,
        terminal: &Terminal,
    ) -> Result<EventFile, RunError> {
        let folder = config.run_folder();
        self.taken_and_total(config, training)?;
        let Some((saved, progress)) = &self.resumed else {
            let mut events = EventFile::create(&folder)?;
            let side = config.preprocess.crop.map_or(0, std::num::NonZeroU32::get);
            events.write_graph(&graph(self.arch, &self.sizes(), side as usize))?;
            return Ok(events);
        };
        terminal.note(&format!(
            "going on from {} (step {}, epoch {})",
            saved.network.display(),
            progress.step,
            progress.epoch
        ));
        let before = std::fs::read_to_string(folder.join("config.toml")).unwrap_or_default();
        for change in hparams::changes(&before, resolved) {
            terminal.note(&format!("not as before: {change}"));
        }
        let next = i64::try_from(progress.step + 1).unwrap_or(i64::MAX);
        Ok(EventFile::resume(&folder, next)?)
    }

    /// Channels of each convolution and outputs of the classifier's three layers, for the graph.
    fn sizes(&self) -> NetworkSizes {
        let rows = |name: &str| self.parameters.rows(name).unwrap_or_default();
        NetworkSizes {
            widths: self
                .arch
                .layers()
                .iter()
                .filter(|layer| layer.kind == vgg::LayerKind::Convolution)
                .map(|layer| rows(&format!("{}.weight", layer.torch_name())))
                .collect(),
            classifier: [0, 3, 6].map(|index| rows(&format!("classifier.{index}.weight"))),
        }
    }
}

/// How wide each layer of a network is.
pub(super) struct NetworkSizes {
    /// Channels that come out of each convolution.
    pub(super) widths: Vec<usize>,
    /// Outputs of the classifier's three layers.
    pub(super) classifier: [usize; 3],
}

impl First {
    /// The first dimension of a parameter.
    fn rows(&self, name: &str) -> Option<usize> {
        use crate::vgg::ParameterSource;
        let shape = match self {
            Self::Random(source) => source.shape(name).ok(),
            Self::File(file) => file.get(name).map(|entry| entry.shape().to_vec()),
            Self::Grafted { file, fresh, part } => Grafted {
                base: file,
                fresh: fresh.clone(),
                part: *part,
            }
            .shape(name)
            .ok(),
        };
        shape?.first().copied()
    }
}
