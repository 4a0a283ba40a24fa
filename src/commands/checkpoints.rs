//! `vggscope checkpoints`: many checkpoints over the same probe images, a step a checkpoint.

use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use super::calibration::{self, Settled};
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
use crate::settings::{AgainstChoice, Calibrate, CheckpointsSettings, NetworkSettings};
use crate::similarity::file::GRAMS;
use crate::sweep::{Activity, Calibration, ComparisonSet, Sweep};
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
    let sequence = list(settings, context)?;
    let total = sequence.len();
    let on_error = settings.run.output.on_error;
    let device = OpenDevice::open(settings.run.compute.device)?;
    let (output, or) = (&mut settings.run.output, "or delete the folder");
    let folder = RunFolder::reserve(output, "checkpoints", or, &context.interrupt)?;
    let (held, first) = shown_network(&sequence, &settings.run.network, on_error, context)?;
    let label = format!("the first of {total} checkpoints is {}", first.name);
    let label = parameters::hashed_label(label, first.path.clone(), &settings.run.network);
    let capture = run::open_capture(&settings.run, held, device)?;
    let config = settings.resolved(&capture)?;

    let mut skipped = Vec::new();
    let probes = ProbeImages::load(
        &files,
        &settings.run.input.preprocess().for_network(held.is_gray),
        settings.run.compute.batch(),
        on_error,
        &capture,
        &input,
        &mut skipped,
    )?;
    let network = NetworkSettings {
        arch: Some(held.arch),
        ..settings.run.network.clone()
    };
    let set = calibration::comparison_set(
        &settings.comparison,
        &settings.run,
        &capture,
        &input,
        &mut skipped,
    )?;
    let images = files.len() + set.as_ref().map_or(0, ComparisonSet::count);
    let loading = Loading {
        settings: &network,
        capture: &capture,
        kernels: run::kernel_layout(&capture.device, images),
    };
    let first = sequence
        .iter()
        .position(|other| other.path == first.path)
        .unwrap_or(0);
    let (mut settled, mut sweep) = calibrate(settings, &sequence[first..], &loading, &probes, set)?;
    if let Some(sweep) = &mut sweep {
        let steps = sequence.iter().map(|checkpoint| checkpoint.step).collect();
        let preprocess = settings.run.input.preprocess().for_network(held.is_gray);
        let about = (&capture, preprocess.to_string());
        sweep.keep_grams(&folder.claim(GRAMS), steps, about)?;
    }
    let networks = load_ahead(sequence, &loading);
    let steps = (0, total as u64);
    let builder = run::logger(&settings.run, &capture, &folder, label, steps, context);
    let mut logger = settled.apply(builder).create()?;
    settled.give_base(&mut logger);
    folder.write_config(&config)?;
    settled.keep(&folder)?;
    probes.describe(&capture, &mut logger);

    let mut due = total as u64;
    let mut log = StepLog {
        capture: &capture,
        probes,
        sweep,
        logger,
        config: Some(config),
        last: None,
    };
    let mut log_next = |(file, network): Loaded| match network {
        Ok((vgg, timings)) => log.add(&file, &vgg, &timings),
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
    let StepLog {
        mut logger,
        sweep,
        last,
        ..
    } = log;
    let (summary, ended) = calibration::finish(sweep, &mut logger, last, ended);
    let steps = Steps {
        earlier: 0,
        due,
        of: "checkpoints",
    };
    let output = &settings.run.output;
    let report = run::conclude(logger, ended, output, &steps, skipped, context)?;
    Ok(report.with(input.lines()).with(summary))
}

/// The checkpoints, in the order of their steps.
fn list(settings: &CheckpointsSettings, context: &Context) -> Result<Vec<Checkpoint>, RunError> {
    let Sequence { checkpoints, notes } =
        list_checkpoints(&settings.checkpoints, &settings.selection())?;
    for note in notes {
        context.terminal.note(&note);
    }
    Ok(checkpoints)
}

/// What the steps are written with.
struct StepLog<'a> {
    capture: &'a Capture,
    probes: ProbeImages,
    sweep: Option<Sweep>,
    logger: FeatureLogger,
    /// Written with the first step.
    config: Option<String>,
    /// The number of the last step.
    last: Option<i64>,
}

impl StepLog<'_> {
    /// One checkpoint's step.
    fn add(
        &mut self,
        file: &Checkpoint,
        vgg: &Vgg,
        timings: &StageTimings,
    ) -> Result<(), RunError> {
        let (capture, name) = (self.capture, &file.name);
        self.last = Some(file.step);
        let mut step = self.logger.step(file.step)?;
        step.set_title(name.clone());
        step.record_all(timings);
        if let Some(config) = self.config.take() {
            step.text("config", run::as_markdown(&config));
        }
        step.text("checkpoint", format!("`{name}`"));
        let seen = self.probes.look(capture, vgg, name)?;
        if let Some(sweep) = &mut self.sweep {
            sweep.measure(capture, vgg, &seen, &mut step, name)?;
        }
        self.probes.log(&seen, capture, vgg, &mut step)?;
        step.finish();
        Ok(())
    }
}

/// How networks are loaded.
struct Loading<'a> {
    settings: &'a NetworkSettings,
    capture: &'a Capture,
    kernels: Kernels,
}

impl Loading<'_> {
    fn load(&self, path: &Path) -> Result<(Vgg, StageTimings), RunError> {
        let (deepest, is_gray) = (self.capture.deepest(), self.capture.is_gray);
        load(
            path,
            self.settings,
            (deepest, is_gray),
            &self.capture.device,
            self.kernels,
        )
    }
}

/// Looks at the reference checkpoints, as far as anything is to be known of them before the first step.
fn calibrate(
    settings: &CheckpointsSettings,
    sequence: &[Checkpoint],
    loading: &Loading<'_>,
    probes: &ProbeImages,
    set: Option<ComparisonSet>,
) -> Result<(Settled, Option<Sweep>), RunError> {
    let (comparison, pictures) = (&settings.comparison, &settings.run.pictures);
    let capture = loading.capture;
    let mut calibration = Calibration::default();
    let mut base = Vec::new();
    if let Some(path) = comparison.against.file() {
        let (vgg, _) = loading.load(path)?;
        let seen = probes.look(capture, &vgg, &path.display().to_string())?;
        base = calibration::take_base(&mut calibration, capture, &vgg, (probes, &seen));
    }
    let mut last_grams = None;
    for reference in references(settings, sequence.len()) {
        let Some((name, vgg)) = nearest_readable(sequence, reference, loading, settings)? else {
            continue;
        };
        let seen = probes.look(capture, &vgg, name)?;
        // What changes from step to step is smaller than what changes over the run.
        let with_change = comparison.against != AgainstChoice::Previous || reference == 1;
        calibration.add(capture, &vgg, &seen, (name, with_change))?;
        if reference + 1 == sequence.len()
            && let Some(set) = &set
        {
            last_grams = Some(set.run(capture, &vgg, name, &mut Activity::default())?);
        }
    }
    let range = (Some(settings.range()), pictures);
    let settled = calibration::settle(&calibration, range, Some(comparison), capture)?;
    let sweep = (!comparison.no_comparison).then(|| {
        let total = (sequence.len(), probes);
        calibration::sweep(
            &calibration,
            (set, last_grams),
            &settings.run,
            capture,
            total,
        )
    });
    Ok((settled.with_base(base), sweep))
}

/// The places of the checkpoints that are looked at before the first step.
fn references(settings: &CheckpointsSettings, count: usize) -> Vec<usize> {
    let (pictures, comparison) = (&settings.run.pictures, &settings.comparison);
    if !calibration::is_needed(Some(settings.range()), pictures, comparison) {
        return Vec::new();
    }
    if settings.calibrate == Calibrate::All {
        return (0..count).collect();
    }
    let mut places = vec![0, count - 1];
    if settings.comparison.against == AgainstChoice::Previous {
        places.push(1.min(count - 1));
    }
    places.sort_unstable();
    places.dedup();
    places
}

/// The network at a place, or where checkpoints that cannot be read are skipped, before it.
fn nearest_readable<'a>(
    sequence: &'a [Checkpoint],
    place: usize,
    loading: &Loading<'_>,
    settings: &CheckpointsSettings,
) -> Result<Option<(&'a str, Vgg)>, RunError> {
    for checkpoint in sequence.iter().take(place + 1).rev() {
        match loading.load(&checkpoint.path) {
            Ok((vgg, _)) => return Ok(Some((&checkpoint.name, vgg))),
            Err(error) if settings.run.output.on_error == OnError::Stop => return Err(error),
            // It is skipped, and said so, when its step comes.
            Err(_) => {}
        }
    }
    Ok(None)
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

/// Loads the checkpoints in order on a thread of its own, one ahead of the receiver.
fn load_ahead(sequence: Vec<Checkpoint>, loading: &Loading<'_>) -> Receiver<Loaded> {
    let Loading {
        settings,
        capture,
        kernels,
    } = *loading;
    let (is_gray, deepest, device) = (capture.is_gray, capture.deepest(), capture.device.clone());
    let settings = settings.clone();
    // No place to wait in: the thread itself holds the next network.
    let (sender, receiver) = sync_channel(0);
    thread::spawn(move || {
        for file in sequence {
            let network =
                guarded(|| load(&file.path, &settings, (deepest, is_gray), &device, kernels));
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
    path: &Path,
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
        let (held, weights) = parameters::open_file(path, settings)?;
        if held.is_gray != is_gray {
            return Err(RunError::OtherColors(path.to_owned()));
        }
        let extent = Extent::Features { deepest };
        Ok::<_, RunError>(network::build(&weights, path, held.arch, extent, place)?)
    })?;
    Ok((vgg, timings))
}
