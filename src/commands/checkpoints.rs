//! `vggscope checkpoints`: many checkpoints over the same probe images, a step a checkpoint.

mod calibrate;
mod follow;
mod loading;
mod manifest;
mod merge;
mod plan;
mod resume;
mod setup;
mod split;

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::calibration;
use super::context::Context;
use super::error::RunError;
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
use crate::settings::{CheckpointsSettings, array_task};
use crate::similarity::file::GRAMS;
use crate::sweep::Sweep;
use crate::vgg::Vgg;

use calibrate::{Calibrated, calibrate};
use follow::{Follow, Found};
use loading::{Loaded, load_ahead};
use manifest::{Entry, MANIFEST, Manifest, Writer};
use merge::merge;
use plan::{Plan, check_configuration};
use resume::OfRun;
use setup::Setup;
use split::Split;

/// After so long without a new checkpoint, the pictures over time are drawn.
const IDLE: Duration = Duration::from_secs(3);

/// Runs the command.
pub(crate) fn run(
    settings: &mut CheckpointsSettings,
    context: &Context,
) -> Result<Report, RunError> {
    let shard = settings.shard()?;
    if shard.is_none()
        && let Some(variable) = array_task(|variable| std::env::var(variable).ok())
    {
        context.terminal.note(&format!("{variable} is set, and this task shows all checkpoints: --shard auto shows its part of them"));
    }
    let input = InputNotes::default();
    let files = list_images(&settings.images, &input)?;
    let device = OpenDevice::open(settings.run.compute.device)?;
    let listed = (!settings.follow).then(|| list(settings, context));
    let listed = listed.transpose()?.unwrap_or_default();
    let split = Split::of(settings, shard, &listed)?;
    let folder = match &split {
        Some(split) => split.reserve(context)?,
        None => reserve(settings, context)?,
    };
    let mut skipped = Vec::new();
    let mut follow = settings.follow.then(|| Follow::new(settings, context));
    let sequence = match &mut follow {
        Some(follow) => follow.wait_for_first(&mut skipped)?,
        None => listed,
    };
    let setup = Setup::new(settings, (&files, input), device, &sequence, context)?;
    let ran = show(
        settings,
        &sequence,
        (setup, skipped),
        (&folder, split.as_ref(), follow),
        context,
    );
    match &split {
        Some(split) => finish_part(split, ran, settings, &sequence, context),
        None => ran.map(|(report, _)| report),
    }
}

/// Shows what the run lacks. Returns the last step too.
fn show(
    settings: &CheckpointsSettings,
    sequence: &[Checkpoint],
    (mut setup, mut skipped): (Setup, Vec<String>),
    (folder, split, mut follow): (&RunFolder, Option<&Split>, Option<Follow>),
    context: &Context,
) -> Result<(Report, Option<i64>), RunError> {
    skipped.append(&mut setup.skipped);
    let config = setup.config.clone();
    let hash = setup.probes.hash();
    let _alive = split
        .map(|split| split.agree(sequence, hash.clone(), &config, context))
        .transpose()?;
    let (manifest, plan) = match split {
        Some(split) => split.plan(sequence, settings, hash)?,
        None => plan(
            settings,
            sequence.to_vec(),
            hash,
            (folder, &config),
            context,
        )?,
    };
    if !manifest.entries.is_empty() {
        folder.is_used();
    }
    let set = setup.set.take();
    let label = setup.label(settings, sequence);
    let loading = setup.loading();
    let of_run = OfRun {
        plan: &plan,
        folder,
        split,
        context,
    };
    let shown = &sequence[setup.first..];
    let mut calibrated = calibrate(settings, shown, &loading, &setup.probes, set, &of_run)?;
    if let Some(sweep) = &mut calibrated.sweep {
        let steps = (plan.steps(&manifest), plan.resumed());
        let about = (&setup.capture, setup.preprocess.to_string());
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
    let builder = run::logger(
        &settings.run,
        &setup.capture,
        folder,
        label,
        steps.counts(settings.follow),
        context,
        on_written(&manifest, split),
    );
    let builder = match split {
        Some(_) => builder.part(),
        None => builder,
    };
    let builder = resumed.into_iter().fold(builder, Builder::resume_from);
    let log = StepLog::open(
        builder,
        calibrated,
        (&setup.capture, setup.probes),
        (folder, config, goes_on),
        (manifest.clone(), split),
    )?;
    let policy = (settings.on_error(), settings.follow);
    let shown = log.show_all(&networks, policy, &mut steps, &mut skipped, context);
    let output = &settings.run.output;
    let report = run::conclude(shown.logger, shown.ended, output, &steps, skipped, context)?;
    manifest.check()?;
    Ok((
        report.with(setup.input.lines()).with(shown.summary),
        shown.last,
    ))
}

/// What is called for each step that is in the event file.
fn on_written(manifest: &Writer, split: Option<&Split>) -> impl FnMut(i64) + Send + use<> {
    let manifest = manifest.clone();
    let mut forget = split.map(Split::forget_earlier);
    move |step| {
        manifest.written(step);
        if let Some(forget) = &mut forget {
            forget(step);
        }
    }
}

/// Says that a part is done, if it is, and shows what of the run can be shown.
fn finish_part(
    split: &Split,
    ran: Result<(Report, Option<i64>), RunError>,
    settings: &CheckpointsSettings,
    sequence: &[Checkpoint],
    context: &Context,
) -> Result<Report, RunError> {
    match ran {
        Ok((report, _)) if report.interrupted.is_some() => {
            Ok(report.with(vec![split.describe() + ", not all of them yet"]))
        }
        Ok((report, last)) => {
            split.done(last)?;
            let lines = merge(split, settings, sequence, context)?;
            let report = report.with(vec![split.describe()]).with(lines);
            Ok(report.of(sequence.len()))
        }
        Err(error @ (RunError::NothingNew { .. } | RunError::NothingLeft { .. })) => {
            if matches!(error, RunError::NothingLeft { .. }) {
                split.done(None)?;
            }
            for line in merge(split, settings, sequence, context)? {
                context.terminal.note(&line);
            }
            Err(error)
        }
        Err(error) => Err(error),
    }
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
    images: String,
    (folder, config): (&RunFolder, &str),
    context: &Context,
) -> Result<(Manifest, Plan), RunError> {
    let path = folder.path();
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
    if settings.shard.is_some() {
        return Err(RunError::NewSince {
            folder: path.to_owned(),
            new: plan.due.len(),
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

/// How far the steps came.
struct Shown {
    logger: FeatureLogger,
    /// What ended them early, if anything did.
    ended: Result<(), RunError>,
    /// What is said about them at the end.
    summary: Vec<String>,
    /// The last step.
    last: Option<i64>,
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
    split: Option<&'a Split>,
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
        (manifest, split): (Writer, Option<&'a Split>),
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
            split,
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
    ) -> Shown {
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
        // What all parts have in common is drawn once they are done.
        let sweep = self.sweep.filter(|_| self.split.is_none());
        let (summary, ended) = calibration::finish(sweep, &mut self.logger, self.last, ended);
        Shown {
            logger: self.logger,
            ended,
            summary,
            last: self.last,
        }
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
            if let Some(split) = self.split {
                split.keep_summary(file.step, sweep.summary())?;
            }
        }
        self.probes.log(&seen, capture, vgg, &mut step)?;
        step.finish();
        Ok(())
    }
}
