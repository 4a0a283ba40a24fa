//! `vggscope checkpoints`: many checkpoints over the same probe images, a step a checkpoint.

mod calibrate;
mod follow;
mod loading;
mod manifest;
mod plan;
mod resume;

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

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
use crate::logger::{Builder, FeatureLogger, StageTimings};
use crate::one_line::one_line;
use crate::probe::{Capture, ProbeImages, Seen};
use crate::settings::{CheckpointsSettings, NetworkSettings};
use crate::similarity::file::GRAMS;
use crate::sweep::{ComparisonSet, Sweep};
use crate::vgg::Vgg;

use calibrate::{Calibrated, calibrate};
use follow::{Follow, Found};
use loading::{Loaded, Loading, load_ahead, shown_network};
use manifest::{Entry, MANIFEST, Manifest, Writer};
use plan::{Plan, check_configuration};

/// After so long without a new checkpoint, the pictures over time are drawn.
const IDLE: Duration = Duration::from_secs(3);

/// Runs the command.
pub(crate) fn run(
    settings: &mut CheckpointsSettings,
    context: &Context,
) -> Result<Report, RunError> {
    let input = InputNotes::default();
    let files = list_images(&settings.images, &input)?;
    let device = OpenDevice::open(settings.run.compute.device)?;
    let folder = reserve(settings, context)?;
    let mut skipped = Vec::new();
    let mut follow = settings.follow.then(|| Follow::new(settings, context));
    let sequence = match &mut follow {
        Some(follow) => follow.wait_for_first(&mut skipped)?,
        None => list(settings, context)?,
    };
    let on_error = settings.on_error();
    let (held, first) = shown_network(&sequence, &settings.run.network, on_error, context)?;
    let label = label(&sequence, first, &settings.run.network);
    let capture = run::open_capture(&settings.run, held, device)?;
    let config = settings.resolved(&capture)?;

    let preprocess = settings.run.input.preprocess().for_network(held.is_gray);
    let batch = settings.run.compute.batch();
    let probes = ProbeImages::load(
        &files,
        &preprocess,
        batch,
        settings.run.output.on_error,
        &capture,
        &input,
        &mut skipped,
    )?;
    let (manifest, plan) = plan(
        settings,
        sequence.clone(),
        &probes,
        (&folder, &config),
        context,
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
    let shown = &sequence[first..];
    let of_run = (&plan, &folder, context);
    let mut calibrated = calibrate(settings, shown, &loading, &probes, set, of_run)?;
    if let Some(sweep) = &mut calibrated.sweep {
        let steps = (plan.steps(&manifest), plan.resumed());
        let about = (&capture, preprocess.to_string());
        sweep.keep_grams(&folder.claim(GRAMS), steps, about)?;
    }
    let mut steps = Steps {
        earlier: plan.earlier as u64,
        due: plan.due.len() as u64,
        of: "checkpoints",
    };
    if let (Some(follow), Some((last, _))) = (&mut follow, manifest.entries.last_key_value()) {
        follow.begin_after(*last);
    }
    // Before the event file loses any step: what the manifest lacks is written again.
    let manifest = manifest.write_before(plan.next)?;
    let (resumed, goes_on) = (plan.resumed(), plan.goes_on());
    let known = plan.due.into_iter().map(|file| -> Found { (file, Ok(())) });
    let networks = load_ahead(known.chain(follow.into_iter().flatten()), &loading);
    let written = manifest.clone();
    let written = move |step| written.written(step);
    let builder = run::logger(
        &settings.run,
        &capture,
        &folder,
        label,
        steps.counts(settings.follow),
        context,
        written,
    );
    let builder = resumed.into_iter().fold(builder, Builder::resume_from);
    let log = StepLog::open(
        builder,
        calibrated,
        (&capture, probes),
        (&folder, config, goes_on),
        manifest.clone(),
    )?;
    let policy = (on_error, settings.follow);
    let (logger, summary, ended) =
        log.show_all(&networks, policy, &mut steps, &mut skipped, context);
    let output = &settings.run.output;
    let report = run::conclude(logger, ended, output, &steps, skipped, context)?;
    manifest.check()?;
    Ok(report.with(input.lines()).with(summary))
}

/// The folder of a new run, or of one that goes on.
fn reserve(settings: &mut CheckpointsSettings, context: &Context) -> Result<RunFolder, RunError> {
    let output = &mut settings.run.output;
    let or = "or delete the folder";
    RunFolder::reserve_or_continue(output, "checkpoints", (MANIFEST, or), &context.interrupt)
}

/// The run's manifest, and what it lacks of the sequence.
fn plan(
    settings: &CheckpointsSettings,
    sequence: Vec<Checkpoint>,
    probes: &ProbeImages,
    (folder, config): (&RunFolder, &str),
    context: &Context,
) -> Result<(Manifest, Plan), RunError> {
    let path = folder.path();
    let images = probes.hash();
    let earlier = Manifest::read(path)?.filter(|manifest| !manifest.entries.is_empty());
    let Some(manifest) = earlier else {
        folder.claim(MANIFEST);
        return Ok((Manifest::new(path, images), Plan::all(sequence)));
    };
    check_configuration(path, config)?;
    if !manifest.shows(&images) {
        return Err(RunError::OtherProbes(path.to_owned()));
    }
    let plan = Plan::continued(sequence, &manifest, settings.late);
    for note in &plan.notes {
        context.terminal.note(note);
    }
    if plan.due.is_empty() && !settings.follow {
        return Err(RunError::NothingNew {
            folder: path.to_owned(),
            steps: manifest.entries.len(),
        });
    }
    Ok((manifest, plan))
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
    manifest: Writer,
    /// The number of the last step.
    last: Option<i64>,
}

impl<'a> StepLog<'a> {
    /// Opens the event file of a new run, or one more of a run that goes on.
    fn open(
        builder: Builder,
        calibrated: Calibrated,
        (capture, mut probes): (&'a Capture, ProbeImages),
        (folder, config, goes_on): (&RunFolder, String, bool),
        manifest: Writer,
    ) -> Result<Self, RunError> {
        let Calibrated {
            mut settled,
            sweep,
            seen,
        } = calibrated;
        let mut logger = settled.apply(builder).create()?;
        settled.give_references(&mut logger);
        if goes_on {
            probes.already_shown();
        } else {
            folder.write_config(&config)?;
            settled.keep(folder)?;
        }
        probes.describe(capture, &mut logger);
        Ok(Self {
            capture,
            probes,
            seen,
            sweep,
            logger,
            config: (!goes_on).then_some(config),
            manifest,
            last: None,
        })
    }

    /// Draws what the steps so far have in common, while the next one is waited for.
    fn draw_now(&mut self) -> Result<(), RunError> {
        if let (Some(sweep), Some(last)) = (&mut self.sweep, self.last) {
            sweep.draw_now(&mut self.logger, last)?;
        }
        Ok(())
    }

    /// Shows the networks as they come. What is due gets less by those that are skipped.
    fn show_all(
        mut self,
        networks: &Receiver<Loaded>,
        (on_error, follows): (OnError, bool),
        steps: &mut Steps,
        skipped: &mut Vec<String>,
        context: &Context,
    ) -> (FeatureLogger, Vec<String>, Result<(), RunError>) {
        let (mut ended, mut taken) = (Ok(()), 0);
        while ended.is_ok() && !context.interrupt.is_requested() {
            ended = match networks.recv_timeout(IDLE) {
                Ok((file, Ok((vgg, timings, entry)))) => {
                    taken += 1;
                    self.add(&file, &vgg, &timings, entry)
                }
                Ok((_, Err(error))) if on_error == OnError::Skip => {
                    let why = one_line(&error);
                    if follows {
                        context.terminal.note(&format!("left out: {why}"));
                    }
                    steps.due = steps.due.saturating_sub(1);
                    skipped.push(why);
                    Ok(())
                }
                Ok((_, Err(error))) => Err(error),
                Err(RecvTimeoutError::Timeout) if follows => self.draw_now(),
                Err(RecvTimeoutError::Timeout) => Ok(()),
                Err(RecvTimeoutError::Disconnected) => break,
            };
        }
        if follows {
            // How many come, nobody knew.
            steps.due = taken;
        }
        let (summary, ended) = calibration::finish(self.sweep, &mut self.logger, self.last, ended);
        (self.logger, summary, ended)
    }

    /// One checkpoint's step.
    fn add(
        &mut self,
        file: &Checkpoint,
        vgg: &Vgg,
        timings: &StageTimings,
        entry: Entry,
    ) -> Result<(), RunError> {
        self.manifest.expect(entry);
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
