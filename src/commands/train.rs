//! `vggscope train`: a network trained on a folder of images, with what it sees at every step.

use std::sync::Arc;

use super::context::{self, Context, RunContext, Steps, as_markdown, placement};
use super::devices::open_devices;
#[cfg(unix)]
use super::devices::without_tf32;
use super::error::{CommandError, RunError};
use super::parameters::OpenNetwork;
use super::report::Report;
use super::resumed::Resumed;
use super::summary::check_dead;
use super::training_sweep::{Length, Training};
use super::{run_style, start};
use crate::analysis::ImageCount;
use crate::data::labeled::augment::RandomResizedCrop;
use crate::data::labeled::{Augment, Batching, Dataset, Recipe, Split, Work};
use crate::data::list::list_images;
use crate::data::notes::InputNotes;
use crate::data::transform::Crop;
use crate::durable;
use crate::network::Architecture;
use crate::network::InputError;
use crate::network::Placement;
use crate::network::vgg::{Extent, Variant};
use crate::one_line::shell_quoted;
use crate::settings::{OptimizerName, RecordSettings, TrainSettings};
use crate::state::{CONFIG, RunFolder};
use crate::train::{
    CHECKPOINTS, CheckpointError, Optimizer, Reading, Record, Schedule, Session, Trainer,
    TrainingProgress, TrainingSettings, is_unfinished,
};

pub(crate) fn run(settings: &mut TrainSettings, context: &Context) -> Result<Report, RunError> {
    let notes = InputNotes::default();
    let files = list_images(&settings.images, &notes)?;
    let devices = open_devices(&settings.run.compute, context)?;
    #[cfg(unix)]
    without_tf32(&devices)?;
    let folder = reserve(settings, context)?;
    durable::remove_unfinished(&folder.path().join(CHECKPOINTS), is_unfinished);
    let resumed = Resumed::of(settings, &folder, context)?;
    let begins_again = settings.resume && resumed.is_none();
    settings.resume = resumed.is_some();
    let settings = &*settings;
    let dataset = open_dataset(settings, resumed.as_ref(), &notes, context)?;
    let adopt = |resumed: Resumed| resumed.adopt(&dataset, settings, context);
    let resumed = resumed.map(adopt).transpose()?;
    let start = start::open_network(settings, &dataset, resumed.as_ref(), context)?;
    let size = training_crop(settings, &start.variant)?;
    let architecture = Arc::new(start.variant.clone());
    let mut run = RunContext::new(&settings.run, folder, devices, architecture, notes, context)?;
    let reading = reading(settings, &run);
    let length = Length::of(settings, &reading, &dataset, resumed.as_ref())?;
    let config = settings.resolved(&run.pass)?;
    let mut probes = run.probes(&files)?;
    let trainer = trainer(settings, &run, &start, length.total, resumed.as_ref())?;

    let images = run.comparison_images(&settings.comparison, &probes)?;
    check_dead(&settings.summary, ImageCount::of(&probes, images.as_ref()))?;
    let network = trainer.network();
    let training = Training {
        settings,
        dataset: &dataset,
        run: &run,
        probes: &probes,
        network: &network,
        length: &length,
        found: resumed.as_ref().map(|resumed| &*resumed.progress.found),
    };
    let mut run_style = training.calibrate(images)?;
    // A parameter that is held twice is copied.
    drop(network);

    let steps = length.steps();
    let graph = start::network_graph(&start, size);
    let builder = match &resumed {
        Some(resumed) => {
            resumed.note_changes(&run.folder, &config, context);
            let earlier = i64::try_from(steps.earlier).unwrap_or(i64::MAX);
            run.logger(start.label, &steps).resume_from(earlier)
        }
        None if begins_again => run.logger(start.label, &steps).graph(graph).resume_from(0),
        None => run.logger(start.label, &steps).graph(graph),
    };
    // Before the first value, so that a run which is killed says whose it is.
    run.folder.write_config(&config)?;
    let mut logger = run_style.apply(builder).create()?;
    let shown_by = run_style.files()?;
    run.folder.restore(&shown_by)?;
    run_style.hand_over(&mut logger, &mut probes, &run.pass);

    let begins = resumed.is_none();
    let (last_saved, mut progress) = match resumed {
        Some(Resumed { saved, progress }) => (Some(saved), progress),
        None => (None, first_progress(settings, &dataset)),
    };
    progress.config.clone_from(&config);
    progress.files = shown_by;
    let mut session = Session {
        record: record(&settings.record),
        pass: &run.pass,
        interrupt: &context.interrupt,
        logger,
        probes,
        observers: run_style.observers,
        dataset,
        reading,
        trainer,
        progress,
        checkpoints: run.folder.path().join(CHECKPOINTS),
        total: length.total,
        last_saved,
        skipped: std::mem::take(&mut run.skipped),
        undeleted: Vec::new(),
    };
    let begun = if begins {
        session.begin(&config, as_markdown(&config), &settings.hyperparameters())
    } else {
        Ok(())
    };
    let ended = begun.and_then(|()| session.train()).map_err(RunError::from);
    let mut notes = session.notes();
    notes.extend(session.is_unfinished().then(|| how_to_resume(&run.folder)));
    let last = i64::try_from(session.trainer.steps()).ok();
    let Session {
        mut logger,
        observers,
        skipped,
        ..
    } = session;
    run.skipped = skipped;
    let (summary, ended) = run_style::finish(observers, &mut logger, last, ended);
    let report = run.conclude(logger, ended, &steps)?;
    (report.with(notes)).sum_up(summary.lines(), &summary.json(), &settings.summary)
}

fn how_to_resume(folder: &RunFolder) -> String {
    let config = shell_quoted(&folder.path().join(CONFIG));
    format!("to resume:  vggscope train --config {config} --resume")
}

impl Length {
    fn of(
        settings: &TrainSettings,
        reading: &Reading,
        dataset: &Dataset,
        resumed: Option<&Resumed>,
    ) -> Result<Self, CommandError> {
        let at = resumed.map(|resumed| &resumed.progress);
        let taken = at.map_or(0, |at| at.step);
        let per_epoch = reading.steps_per_epoch(dataset);
        let total = if let Some(steps) = settings.samples.steps {
            steps.get() as u64
        } else {
            // Those taken may have had batches of another size.
            let passed = at.map_or(0, |at| {
                let of_epoch = at.batch / reading.accumulate;
                at.epoch.saturating_mul(per_epoch).saturating_add(of_epoch)
            });
            let all = settings.samples.epochs().saturating_mul(per_epoch);
            taken.saturating_add(all.saturating_sub(passed))
        };
        if taken < total {
            return Ok(Self {
                resumed: at.map(|at| at.step),
                total,
                per_epoch,
            });
        }
        Err(CommandError::nothing_to_do(format!(
            "{} is trained to its end: step {taken} of {total}; to train further, resume with a larger --epochs or --steps",
            settings.run.output.folder.run_folder().display()
        )))
    }

    /// The steps that are logged: step 0 is one of its own.
    fn steps(&self) -> Steps {
        let earlier = self.resumed.map_or(0, |taken| taken + 1);
        Steps {
            earlier,
            ..Steps::all(self.total + 1 - earlier, "steps")
        }
    }
}

fn reserve(settings: &mut TrainSettings, context: &Context) -> Result<RunFolder, RunError> {
    let output = &mut settings.run.output.folder;
    if settings.resume {
        let folder = output.run_folder();
        if !folder.is_dir() {
            let folder = folder.join(CHECKPOINTS);
            return Err(CheckpointError::Nothing { folder }.into());
        }
        return Ok(RunFolder::resume(folder)?);
    }
    Ok(context::reserve(output, "train", context)?)
}

/// The data set, with notes on its folders. That of a run which is resumed is numbered as before, whatever its order.
fn open_dataset(
    settings: &TrainSettings,
    resumed: Option<&Resumed>,
    input: &InputNotes,
    context: &Context,
) -> Result<Dataset, RunError> {
    let split = Split {
        fraction: settings.samples.val_fraction,
        seed: settings.seed,
    };
    let order = resumed.map_or(&[][..], |resumed| &resumed.progress.classes);
    let dataset = Dataset::open(settings.data(), split, order)?;
    input.add_left_out(&dataset.left_out);
    context.terminal.notes(&dataset.notes);
    Ok(dataset)
}

fn reading(settings: &TrainSettings, run: &RunContext<'_>) -> Reading {
    let (samples, preprocess) = (&settings.samples, run.preprocess);
    let augment = preprocess.crop.filter(|_| samples.augment.is_on);
    Reading {
        recipe: Recipe {
            augment: augment.map(|size| Augment {
                crop: RandomResizedCrop {
                    size,
                    scale: samples.augment.scale.into(),
                    ratio: samples.augment.aspect.into(),
                },
                flip: samples.augment.flip,
                jitter: samples.augment.jitter,
            }),
            eval: preprocess,
        },
        batching: Batching {
            batch: samples.batch_size,
            seed: settings.seed,
            epochs: u64::MAX,
        },
        work: Work {
            threads: samples.threads(),
            on_error: settings.run.output.on_error,
            notes: run.notes.clone(),
        },
        accumulate: samples.accumulate.get() as u64,
    }
}

fn record(settings: &RecordSettings) -> Record {
    Record {
        every: settings.every,
        validate_every: settings.validate_every,
        save_every: settings.save_every,
        histograms_every: settings.histograms_every,
        keep: settings.keep.0.unwrap_or(usize::MAX),
        misclassified: settings.misclassified,
    }
}

fn first_progress(settings: &TrainSettings, dataset: &Dataset) -> TrainingProgress {
    TrainingProgress {
        batch_size: settings.samples.batch_size.get(),
        samples: dataset.train.len(),
        classes: dataset.classes.clone(),
        ..TrainingProgress::default()
    }
}

/// The size of the images that the network is trained on. The classifier stands behind all layers, so the crop has to reach
/// the last one.
fn training_crop(settings: &TrainSettings, network: &Variant) -> Result<[usize; 2], RunError> {
    // That there is one is checked with the settings.
    let crop = settings.run.input.preprocess().crop;
    let size = crop.map_or([0; 2], Crop::sides);
    match (network.output_shapes(&network.layers(), size), crop) {
        (Ok(_), _) => Ok(size),
        (Err(InputError::TooSmall { layer, .. }), Some(crop)) => {
            let (height, width) = (crop.height, crop.width);
            Err(CommandError::wrong_use(format!(
                "--crop {crop} is too small to train with: pooling leaves nothing of {height} x {width} pixels at {layer}, and the classifier stands behind it; use a larger --crop"
            ))
            .into())
        }
        (Err(error), _) => Err(error.into()),
    }
}

/// The network on the device with gradients, at the state that the run resumes from.
fn trainer(
    settings: &TrainSettings,
    run: &RunContext<'_>,
    start: &OpenNetwork,
    total: u64,
    resumed: Option<&Resumed>,
) -> Result<Trainer, RunError> {
    let device = run.pass.device().device.clone().autodiff();
    let place = Placement {
        device: &device,
        ..placement(&run.pass, usize::MAX)
    };
    let frozen = start::frozen(&settings.optimization.freeze, &start.variant)?;
    let vgg = start
        .build(Extent::Whole, place)?
        .with_dropout(settings.optimization.dropout);
    let optimization = &settings.optimization;
    #[expect(clippy::cast_possible_truncation, reason = "Burn takes f32 here")]
    let trainer_settings = TrainingSettings {
        optimizer: match optimization.optimizer {
            OptimizerName::Adam => Optimizer::Adam,
            OptimizerName::Adamw => Optimizer::AdamW,
            name => Optimizer::Sgd {
                momentum: optimization.momentum,
                nesterov: name == OptimizerName::Nesterov,
            },
        },
        weight_decay: optimization.weight_decay as f32,
        schedule: Schedule {
            learning_rate: optimization.learning_rate,
            decay: optimization.schedule.decay,
            warm_up: optimization.schedule.warm_up,
            steps: usize::try_from(total).unwrap_or(usize::MAX),
        },
        max_gradient_norm: optimization.clip_norm.0,
        label_smoothing: optimization.label_smoothing as f32,
        frozen,
        max_loss: optimization.stop_above,
        seed: settings.seed,
    };
    let mut trainer = Trainer::new(vgg, trainer_settings, &device)?;
    if let Some(resumed) = resumed {
        trainer.restore(&resumed.saved)?;
    }
    Ok(trainer)
}
