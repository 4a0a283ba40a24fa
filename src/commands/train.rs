//! `vggscope train`: a network trained on a folder of images, with what it sees at every step.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;

use super::context::Context;
use super::error::RunError;
use super::parameters::Parameters;
use super::report::Report;
use super::run::{self, Steps};
use super::run_folder::{CONFIG, RunFolder};
use super::training_sweep::{Stand, Training};
use super::{calibration, classes, restart, start};
use crate::analysis::probe::ProbeImages;
use crate::data::labeled::augment::RandomResizedCrop;
use crate::data::labeled::{Augment, Batching, Dataset, Recipe, Split, Work};
use crate::data::list::list_images;
use crate::data::notes::InputNotes;
use crate::network::Architecture;
use crate::network::ForwardPass;
use crate::network::vgg::{Extent, Placement, Variant};
use crate::settings::{Length, TrainSettings};
use crate::train::{
    CHECKPOINTS, Reading, SavedCheckpoint, Schedule, Session, Trainer, TrainingProgress,
    TrainingSettings, changes, newest_checkpoint,
};

/// Runs the command.
pub(crate) fn run(settings: &mut TrainSettings, context: &Context) -> Result<Report, RunError> {
    let input = InputNotes::default();
    let files = list_images(&settings.images, &input)?;
    let devices = restart::without_tf32(run::open_devices(&settings.run.compute, context)?)?;
    let dataset = open_dataset(settings, &input, context)?;
    let folder = reserve(settings, context)?;
    let settings = &*settings;
    let resumed = if settings.resume {
        Some(last_checkpoint(settings, &dataset, context)?)
    } else {
        None
    };
    let (held, parameters, label) =
        start::open_network(settings, &dataset, resumed.as_ref(), context)?;
    if resumed.is_none() {
        classes::note_kept(&parameters, &dataset, context);
    }
    let frozen = start::frozen(&settings.optimization.freeze, &held)?;
    let pass = run::open_pass(&settings.run, Arc::new(held.clone()), devices)?;
    check_crop(settings, &held)?;
    let reading = reading(settings, held.is_gray(), input);
    let (taken, total) = taken_and_total(settings, &reading, &dataset, resumed.as_ref())?;
    let config = settings.resolved(&pass)?;

    let mut skipped = Vec::new();
    let probes = ProbeImages::load(
        &files,
        &settings.run.input.preprocess().for_network(held.is_gray()),
        settings.run.compute.batch(),
        settings.run.output.on_error,
        &pass,
        &reading.work.notes,
        &mut skipped,
    )?;
    let trainer = trainer(
        settings,
        &pass,
        &held,
        &parameters,
        frozen,
        total,
        resumed.as_ref(),
    )?;

    let network = trainer.network();
    let training = Training {
        settings,
        dataset: &dataset,
        pass: &pass,
        probes: &probes,
        network: &network,
        folder: &folder,
        stand: Stand {
            resumed: resumed.as_ref().map(|_| taken),
            total,
            per_epoch: reading.steps_per_epoch(&dataset),
        },
    };
    let (mut settled, observers) = training.settle((&reading.work.notes, &mut skipped, context))?;
    // A parameter that is held twice is copied.
    drop(network);

    // Step 0 is a step of its own.
    let written = if resumed.is_some() { taken + 1 } else { 0 };
    let steps = Steps {
        earlier: written,
        ..Steps::all(total + 1 - written, "steps")
    };
    let builder = run::logger(
        &settings.run,
        &pass,
        &folder,
        move || label,
        &steps,
        context,
        |_| {},
    );
    let builder = if let Some((saved, progress)) = &resumed {
        note_changes(folder.path(), saved, progress, &config, context);
        builder.resume_from(i64::try_from(taken + 1).unwrap_or(i64::MAX))
    } else {
        builder.graph(start::network_graph(
            &parameters,
            &held,
            crop_side(settings),
        ))
    };
    let mut logger = settled.apply(builder).create()?;
    settled.give_references(&mut logger);
    folder.write_config(&config)?;
    settled.keep(&folder)?;
    probes.describe(&pass, &mut logger);

    let begins = resumed.is_none();
    let (last_saved, progress) = match resumed {
        Some((saved, progress)) => (Some(saved), progress),
        None => (None, first_progress(settings, &dataset)),
    };
    let session = Session {
        record: &settings.record,
        pass: &pass,
        interrupt: &context.interrupt,
        logger,
        probes,
        observers,
        dataset,
        reading,
        trainer,
        progress,
        checkpoints: folder.path().join(CHECKPOINTS),
        total,
        last_saved,
        skipped,
        undeleted: Vec::new(),
    };
    train(session, begins, &config, settings, (written, context))
}

fn reserve(settings: &mut TrainSettings, context: &Context) -> Result<RunFolder, RunError> {
    let output = &mut settings.run.output;
    if settings.resume {
        return RunFolder::resume(output);
    }
    let or = "resume it (--resume), or delete the folder";
    RunFolder::reserve(output, "train", or, &context.interrupt)
}

/// The data set, with notes on its folders.
fn open_dataset(
    settings: &TrainSettings,
    input: &InputNotes,
    context: &Context,
) -> Result<Dataset, RunError> {
    let split = Split {
        fraction: settings.samples.val_fraction,
        seed: settings.run.compute.seed,
    };
    let order = classes::resumed_order(settings)?;
    let dataset = Dataset::open(settings.data(), split, &order)?;
    input.add_left_out(&dataset.left_out);
    for note in &dataset.notes {
        context.terminal.note(note);
    }
    Ok(dataset)
}

/// Trains from the first step to the last, and says what it came to.
fn train(
    mut session: Session<'_>,
    begins: bool,
    config: &str,
    settings: &TrainSettings,
    (written, context): (u64, &Context),
) -> Result<Report, RunError> {
    let mut ended = Ok(());
    if begins {
        ended = session.begin(
            config,
            run::as_markdown(config),
            &settings.hyperparameters(),
        );
    }
    let ended = ended.and_then(|()| session.train()).map_err(RunError::from);
    let input = session.reading.work.notes.clone();
    let output = &settings.run.output;
    let notes = session.notes(&output.run_folder().join(CONFIG));
    let last = i64::try_from(session.trainer.steps()).ok();
    let Session {
        mut logger,
        observers,
        skipped,
        total,
        ..
    } = session;
    let (summary, ended) = calibration::finish(observers, &mut logger, last, ended);
    let steps = Steps {
        earlier: written,
        ..Steps::all(total + 1 - written, "steps")
    };
    let report = run::conclude(logger, ended, output, &steps, skipped, context)?;
    Ok(report.with(notes).with(input.lines()).with(summary))
}

/// How the samples are read.
fn reading(settings: &TrainSettings, is_gray: bool, notes: InputNotes) -> Reading {
    let samples = &settings.samples;
    let preprocess = settings.run.input.preprocess().for_network(is_gray);
    let augment = preprocess.crop.filter(|_| !samples.no_augment);
    Reading {
        recipe: Recipe {
            augment: augment.map(|size| Augment {
                crop: RandomResizedCrop {
                    size,
                    scale: (samples.scale.from, samples.scale.to),
                    ratio: (samples.aspect.from, samples.aspect.to),
                },
                flip: samples.flip,
                jitter: samples.jitter,
            }),
            eval: preprocess,
        },
        batching: Batching {
            batch: samples.batch_size,
            seed: settings.run.compute.seed,
            epochs: u64::MAX,
        },
        work: Work {
            threads: samples.threads(),
            on_error: settings.run.output.on_error,
            notes,
        },
        accumulate: samples.accumulate.get() as u64,
    }
}

/// Where a training begins.
fn first_progress(settings: &TrainSettings, dataset: &Dataset) -> TrainingProgress {
    TrainingProgress {
        batch_size: settings.samples.batch_size.get(),
        samples: dataset.train.len(),
        classes: dataset.classes.clone(),
        ..TrainingProgress::default()
    }
}

/// The checkpoint that the run resumes from, and where the training was then.
fn last_checkpoint(
    settings: &TrainSettings,
    dataset: &Dataset,
    context: &Context,
) -> Result<(SavedCheckpoint, TrainingProgress), RunError> {
    let saved = newest_checkpoint(&settings.run.output.run_folder().join(CHECKPOINTS))?;
    let mut progress = saved.read_progress()?;
    classes::adopt(&saved, &mut progress, dataset, context)?;
    let samples = dataset.train.len();
    if progress.samples != samples {
        context.terminal.note(&format!(
            "the data set has {samples} training images, {} when the checkpoint was saved: from here on \
             they come in another order",
            progress.samples
        ));
    }
    let progress = progress.with_batch_size(settings.samples.batch_size.get(), samples);
    Ok((saved, progress))
}

/// Says where the run resumes, and which settings changed since.
fn note_changes(
    folder: &Path,
    saved: &SavedCheckpoint,
    progress: &TrainingProgress,
    config: &str,
    context: &Context,
) {
    context.terminal.note(&format!(
        "resuming from {} (step {}, epoch {})",
        saved.network.display(),
        progress.step,
        progress.epoch
    ));
    let before = std::fs::read_to_string(folder.join(CONFIG)).unwrap_or_default();
    for change in changes(&before, config) {
        context.terminal.note(&change);
    }
}

/// The classifier stands behind all layers, so the crop has to reach the last one.
fn check_crop(settings: &TrainSettings, network: &Variant) -> Result<(), RunError> {
    let side = crop_side(settings);
    network
        .output_shapes([side; 2])
        .map(drop)
        .map_err(|error| RunError::TrainingSize {
            side,
            layer: error.layer,
        })
}

/// Optimization steps that were taken already, and those of the whole training.
fn taken_and_total(
    settings: &TrainSettings,
    reading: &Reading,
    dataset: &Dataset,
    resumed: Option<&(SavedCheckpoint, TrainingProgress)>,
) -> Result<(u64, u64), RunError> {
    let at = resumed.map(|(_, progress)| progress);
    let taken = at.map_or(0, |at| at.step);
    let total = match settings.samples.length() {
        Length::Steps(steps) => steps,
        Length::Epochs(epochs) => {
            let per_epoch = reading.steps_per_epoch(dataset);
            // Those taken may have had batches of another size.
            let passed = at.map_or(0, |at| {
                let of_epoch = at.batch / reading.accumulate;
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
        folder: settings.run.output.run_folder(),
        step: taken,
        steps: total,
    })
}

/// The network on the device with gradients, at the state that the run resumes from.
fn trainer(
    settings: &TrainSettings,
    pass: &ForwardPass,
    variant: &Variant,
    parameters: &Parameters,
    frozen: Option<usize>,
    total: u64,
    resumed: Option<&(SavedCheckpoint, TrainingProgress)>,
) -> Result<Trainer, RunError> {
    let device: Device = pass.device().device.clone().autodiff();
    let place = Placement {
        device: &device,
        kernels: run::kernel_layout(pass.device(), usize::MAX),
    };
    let vgg = parameters
        .build(variant, Extent::Whole, place)?
        .with_dropout(settings.optimization.dropout);
    let optimization = &settings.optimization;
    #[expect(clippy::cast_possible_truncation, reason = "Burn takes f32 here")]
    let trainer_settings = TrainingSettings {
        optimizer: optimization.optimizer(),
        weight_decay: optimization.weight_decay as f32,
        schedule: Schedule {
            learning_rate: optimization.learning_rate,
            decay: optimization.schedule,
            warm_up: optimization.warm_up,
            steps: usize::try_from(total).unwrap_or(usize::MAX),
        },
        max_gradient_norm: optimization.clip_norm.number(),
        label_smoothing: optimization.label_smoothing as f32,
        frozen,
        max_loss: optimization.stop_above,
        seed: settings.run.compute.seed,
    };
    let mut trainer = Trainer::new(vgg, trainer_settings, &device)?;
    if let Some((saved, _)) = resumed {
        trainer.restore(saved)?;
    }
    Ok(trainer)
}

/// The side of the images that the network is trained on, in pixels.
fn crop_side(settings: &TrainSettings) -> usize {
    let crop = settings.run.input.preprocess().crop;
    crop.map_or(0, |side| side.get() as usize)
}
