//! `vggscope checkpoints`: many checkpoints over the same probe images, a step a checkpoint.

mod calibrate;
mod loading;

use super::calibration;
use super::context::Context;
use super::error::RunError;
use super::parameters;
use super::report::Report;
use super::run::{self, Steps};
use super::run_folder::RunFolder;
use crate::device::OpenDevice;
use crate::input::checkpoints::{Checkpoint, Sequence, list_checkpoints};
use crate::input::list::list_images;
use crate::input::notes::InputNotes;
use crate::input::on_error::OnError;
use crate::logger::{FeatureLogger, StageTimings};
use crate::one_line::one_line;
use crate::probe::{Capture, ProbeImages, Seen};
use crate::settings::{CheckpointsSettings, NetworkSettings};
use crate::similarity::file::GRAMS;
use crate::sweep::{ComparisonSet, Sweep};
use crate::vgg::Vgg;

use calibrate::{Calibrated, calibrate};
use loading::{Loaded, Loading, load_ahead, shown_network};

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
    let label = label(&sequence, first, &settings.run.network);
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
        (&capture, &probes),
        &input,
        &mut skipped,
    )?;
    let images = files.len() + set.as_ref().map_or(0, ComparisonSet::count);
    let loading = Loading {
        settings: &network,
        capture: &capture,
        kernels: run::kernel_layout(&capture.device, images),
    };
    let Calibrated {
        mut settled,
        mut sweep,
        seen,
    } = calibrate(settings, &sequence[first..], &loading, &probes, set)?;
    if let Some(sweep) = &mut sweep {
        let steps = sequence.iter().map(|checkpoint| checkpoint.step).collect();
        let preprocess = settings.run.input.preprocess().for_network(held.is_gray);
        let about = (&capture, preprocess.to_string());
        sweep.keep_grams(&folder.claim(GRAMS), (steps, None), about)?;
    }
    let networks = load_ahead(sequence, &loading);
    let steps = (0, total as u64);
    let builder = run::logger(&settings.run, &capture, &folder, label, steps, context);
    let mut logger = settled.apply(builder).create()?;
    settled.give_references(&mut logger);
    folder.write_config(&config)?;
    settled.keep(&folder)?;
    probes.describe(&capture, &mut logger);

    let mut due = total as u64;
    let mut log = StepLog {
        capture: &capture,
        probes,
        seen,
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

/// What the weights are called in descriptions: the first checkpoint that is shown stands for all.
fn label(
    sequence: &[Checkpoint],
    first: usize,
    settings: &NetworkSettings,
) -> impl FnOnce() -> String + Send + use<> {
    let Checkpoint { name, path, .. } = &sequence[first];
    let label = format!("the first of {} checkpoints is {name}", sequence.len());
    parameters::hashed_label(label, path.clone(), settings)
}

/// What the steps are written with.
struct StepLog<'a> {
    capture: &'a Capture,
    probes: ProbeImages,
    /// What the checkpoint of a step that is to come has seen in them.
    seen: Option<(i64, Seen)>,
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
        let seen = match self.seen.take() {
            Some((step, seen)) if step == file.step => seen,
            _ => self.probes.look(capture, vgg, name)?,
        };
        if let Some(sweep) = &mut self.sweep {
            sweep.measure(capture, vgg, &seen, &mut step, name)?;
        }
        self.probes.log(&seen, capture, vgg, &mut step)?;
        step.finish();
        Ok(())
    }
}
