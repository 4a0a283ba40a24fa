//! `vggscope checkpoints`: many checkpoints over the same probe images, a step a checkpoint.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use super::context::Context;
use super::error::RunError;
use super::parameters;
use super::report::Report;
use super::run::{self, Steps};
use super::run_folder::RunFolder;
use crate::device::{OpenDevice, guarded};
use crate::input::checkpoints::{Checkpoint, Sequence, list_checkpoints};
use crate::input::list::list_images;
use crate::input::notes::InputNotes;
use crate::input::on_error::OnError;
use crate::logger::{FeatureLogger, Stage, StageTimings};
use crate::network::{self, Held};
use crate::one_line::one_line;
use crate::probe::{Capture, ProbeImages};
use crate::settings::{CheckpointsSettings, NetworkSettings};
use crate::vgg::{Extent, Kernels, Placement, Vgg};

/// A checkpoint, and its network on the device.
type Loaded = (Checkpoint, Result<(Vgg, StageTimings), RunError>);

/// Runs the command.
pub(crate) fn run(
    settings: &mut CheckpointsSettings,
    context: &Context,
) -> Result<Report, RunError> {
    let input = InputNotes::default();
    let files = list_images(&settings.images, &input)?;
    let Sequence {
        checkpoints: sequence,
        notes,
    } = list_checkpoints(&settings.checkpoints, &settings.selection())?;
    for note in notes {
        context.terminal.note(&note);
    }
    let total = sequence.len();
    let on_error = settings.run.output.on_error;
    let device = OpenDevice::open(settings.run.compute.device)?;
    let folder = RunFolder::reserve(
        &mut settings.run.output,
        "checkpoints",
        "or delete the folder",
        &context.interrupt,
    )?;
    let (held, first) = shown_network(&sequence, &settings.run.network, on_error, context)?;
    let label = format!("the first of {total} checkpoints is {}", first.name);
    let label = parameters::hashed_label(label, first.path.clone(), &settings.run.network);
    let capture = run::open_capture(&settings.run, held, device)?;
    let config = settings.resolved(&capture)?;

    let network = NetworkSettings {
        arch: Some(held.arch),
        ..settings.run.network.clone()
    };
    let networks = load_ahead(sequence, network, &capture, files.len());
    let mut skipped = Vec::new();
    let mut probes = ProbeImages::load(
        &files,
        &settings.run.input.preprocess().for_network(held.is_gray),
        settings.run.compute.batch(),
        on_error,
        &capture,
        &input,
        &mut skipped,
    )?;
    let mut logger = run::logger(
        &settings.run,
        &capture,
        &folder,
        label,
        (0, total as u64),
        context,
    )
    .create()?;
    folder.write_config(&config)?;
    probes.describe(&capture, &mut logger);

    let mut config = Some(config);
    let mut due = total as u64;
    let mut log_next = |(file, network): Loaded| match network {
        Ok((vgg, timings)) => log(
            &file,
            &vgg,
            &timings,
            &mut config,
            &mut probes,
            &capture,
            &mut logger,
        ),
        Err(error) if on_error == OnError::Skip => {
            skipped.push(one_line(&error));
            due -= 1;
            Ok(())
        }
        Err(error) => Err(error),
    };
    let ended = networks
        .into_iter()
        .take_while(|_| !context.interrupt.is_requested())
        .try_for_each(&mut log_next);
    let steps = Steps {
        earlier: 0,
        due,
        of: "checkpoints",
    };
    let output = &settings.run.output;
    let report = run::conclude(logger, ended, output, &steps, skipped, context)?;
    Ok(report.with(input.lines()))
}

/// Checkpoints that are looked at to find the network of most; each is opened, none is read.
const LOOKED_AT: usize = 64;

/// The network that is shown, and the first checkpoint of it. The first checkpoint decides; where those that
/// do not fit are skipped, most of them decide, so that one stray file at the beginning does not cost all
/// others.
fn shown_network<'a>(
    sequence: &'a [Checkpoint],
    settings: &NetworkSettings,
    on_error: OnError,
    context: &Context,
) -> Result<(Held, &'a Checkpoint), RunError> {
    let (mut found, mut first_error) = (Vec::new(), None);
    for checkpoint in sequence {
        match parameters::open_file(&checkpoint.path, settings) {
            Ok((held, file)) => found.push((held, checkpoint, network::notes(&file, held))),
            Err(error) => drop(first_error.get_or_insert(error)),
        }
        if on_error == OnError::Stop || found.len() == LOOKED_AT {
            break;
        }
    }
    let count = |held: Held| found.iter().filter(|(other, ..)| *other == held).count();
    // The last of the highest, so the first in the reversed order.
    let shown = found.iter().rev().max_by_key(|(held, ..)| count(*held));
    match (shown, first_error) {
        (Some((held, checkpoint, notes)), _) => {
            for note in notes {
                context.terminal.note(note);
            }
            Ok((*held, checkpoint))
        }
        (None, error) => Err(error.unwrap_or(RunError::NoCheckpoint)),
    }
}

/// One checkpoint's step.
fn log(
    file: &Checkpoint,
    vgg: &Vgg,
    timings: &StageTimings,
    config: &mut Option<String>,
    probes: &mut ProbeImages,
    capture: &Capture,
    logger: &mut FeatureLogger,
) -> Result<(), RunError> {
    let name = &file.name;
    let mut step = logger.step(file.step)?;
    step.set_title(name.clone());
    step.record_all(timings);
    if let Some(config) = config.take() {
        step.text("config", run::as_markdown(&config));
    }
    step.text("checkpoint", format!("`{name}`"));
    probes.log(capture, vgg, &mut step, name)?;
    step.finish();
    Ok(())
}

/// Loads the checkpoints in order on a thread of its own, one ahead of the receiver.
fn load_ahead(
    sequence: Vec<Checkpoint>,
    settings: NetworkSettings,
    capture: &Capture,
    images: usize,
) -> Receiver<Loaded> {
    let (is_gray, deepest, device) = (capture.is_gray, capture.deepest(), capture.device.clone());
    let kernels = run::kernel_layout(&device, images);
    // No place to wait in: the thread itself holds the next network.
    let (sender, receiver) = sync_channel(0);
    thread::spawn(move || {
        for file in sequence {
            let network = guarded(|| load(&file, &settings, (deepest, is_gray), &device, kernels));
            let network = network.unwrap_or_else(|why| {
                let path = file.path.clone();
                Err(RunError::Loading { path, why })
            });
            // The receiver has stopped early.
            if sender.send((file, network)).is_err() {
                break;
            }
        }
    });
    receiver
}

fn load(
    file: &Checkpoint,
    settings: &NetworkSettings,
    (deepest, is_gray): (usize, bool),
    device: &OpenDevice,
    kernels: Kernels,
) -> Result<(Vgg, StageTimings), RunError> {
    let place = Placement {
        device: &device.device,
        kernels,
    };
    let mut timings = StageTimings::default();
    let vgg = timings.time(Stage::Load, || {
        let (held, weights) = parameters::open_file(&file.path, settings)?;
        if held.is_gray != is_gray {
            return Err(RunError::OtherColors(file.path.clone()));
        }
        let extent = Extent::Features { deepest };
        Ok::<_, RunError>(network::build(
            &weights, &file.path, held.arch, extent, place,
        )?)
    })?;
    Ok((vgg, timings))
}
