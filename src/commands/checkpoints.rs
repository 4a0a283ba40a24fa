//! `vggscope checkpoints`: many checkpoints over the same probe images, a step a checkpoint.

mod calibrate;
mod follow;
mod loading;
mod manifest;
mod merge;
mod open;
mod plan;
mod resume;
mod setup;
mod split;
mod step_log;

use std::thread;

use super::context::Context;
use super::error::RunError;
use super::report::Report;
use super::run::{self, Steps};
use super::run_folder::RunFolder;
use crate::analysis::grams::GRAMS;
use crate::data::checkpoints::{Checkpoint, Sequence, list_checkpoints};
use crate::data::list::list_images;
use crate::data::notes::InputNotes;
use crate::logger::LoggerError;
use crate::settings::{CheckpointsSettings, array_task};
use tensorboard_events::EventFile;

use calibrate::calibrate;
use follow::{Follow, Found};
use loading::load_ahead;
use manifest::{MANIFEST, Manifest};
use merge::merge;
use open::RunNetwork;
use plan::{Plan, check_configuration};
use resume::OfRun;
use setup::Setup;
use split::{AGAIN, Split};
use step_log::StepLog;

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
    let devices = run::open_devices(&settings.run.compute, context)?;
    let listed = (!settings.follows()).then(|| list(settings, context));
    let listed = listed.transpose()?.unwrap_or_default();
    let split = Split::of(settings, shard, &listed)?;
    let folder = match &split {
        Some(split) => split.reserve(context)?,
        // The tasks of an array that is repeated come at the same time.
        None if shard.is_some() => when_free(context, || reserve(settings, context))?,
        None => reserve(settings, context)?,
    };
    let mut skipped = Vec::new();
    let mut follow = settings.follows().then(|| Follow::new(settings, context));
    let sequence = match &mut follow {
        Some(follow) => follow.wait_for_first(&mut skipped)?,
        None => listed,
    };
    let known = Manifest::read(folder.path())?.and_then(Manifest::network);
    let known = (&*sequence, known);
    let setup = Setup::new(settings, (&files, input), devices, known, context)?;
    let ran = show(
        settings,
        &sequence,
        (setup, skipped),
        (&folder, split.as_ref(), follow),
        context,
    );
    match &split {
        Some(split) => finish_part(split, ran, settings, &sequence, context),
        None => ran,
    }
}

/// Shows what the run lacks.
fn show(
    settings: &CheckpointsSettings,
    sequence: &[Checkpoint],
    (mut setup, mut skipped): (Setup, Vec<String>),
    (folder, split, mut follow): (&RunFolder, Option<&Split>, Option<Follow>),
    context: &Context,
) -> Result<Report, RunError> {
    skipped.append(&mut setup.skipped);
    let config = setup.config.clone();
    let hash = setup.probes.hash();
    let _alive = split
        .map(|split| split.agree(sequence, hash.clone(), &config, context))
        .transpose()?;
    let (manifest, plan) = match split {
        Some(split) => split.plan(sequence, settings, (hash, setup.shown.clone()), context)?,
        None => plan(
            settings,
            sequence.to_vec(),
            (hash, setup.shown.clone()),
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
    if let Some(observers) = &mut calibrated.observers {
        let preprocess = setup.preprocess.to_string();
        observers.keep_grams(folder.claim(GRAMS), plan.resumed(), &setup.pass, preprocess)?;
    }
    let mut steps = Steps {
        earlier: plan.earlier.len() as u64,
        due: plan.due.len() as u64,
        of: "checkpoints",
        is_open: settings.follows(),
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
    let on_written = move |step| written.written(step);
    let builder = run::logger(
        &settings.run,
        &setup.pass,
        folder,
        label,
        &steps,
        context,
        on_written,
    );
    let builder = match (split, resumed) {
        (Some(_), step) => {
            let file = EventFile::resume_part(folder.path(), step.unwrap_or(i64::MIN));
            builder.events(file.map_err(LoggerError::from)?)
        }
        (None, Some(step)) => builder.resume_from(step),
        (None, None) => builder,
    };
    let log = StepLog::open(
        builder,
        calibrated,
        (&setup.pass, setup.probes),
        (folder, config, goes_on),
        (manifest.clone(), split),
    )?;
    let policy = (settings.on_error(), settings.follows());
    let shown = log.show_all(&networks, policy, &mut steps, &mut skipped, context);
    let output = &settings.run.output;
    let report = run::conclude(shown.logger, shown.ended, output, &steps, skipped, context)?;
    manifest.check()?;
    Ok(report.with(setup.input.lines()).with(shown.summary))
}

/// Says that a part is done, if it is, and shows what of the run can be shown.
fn finish_part(
    split: &Split,
    ran: Result<Report, RunError>,
    settings: &CheckpointsSettings,
    sequence: &[Checkpoint],
    context: &Context,
) -> Result<Report, RunError> {
    match ran {
        Ok(report) if report.interrupted.is_some() => {
            Ok(report.with(vec![split.describe() + ", not all of them yet"]))
        }
        Ok(report) => {
            split.done()?;
            let lines = merge(split, settings, sequence, context)?;
            let report = report.with(vec![split.describe()]).with(lines);
            Ok(report.of(sequence.len()))
        }
        Err(error @ (RunError::NothingNew { .. } | RunError::NothingLeft { .. })) => {
            if matches!(error, RunError::NothingLeft { .. }) {
                split.done()?;
            }
            for line in merge(split, settings, sequence, context)? {
                context.terminal.note(&line);
            }
            Err(error)
        }
        // Another process merged the parts meanwhile, this one among them.
        Err(_) if split.is_merged() => Err(split.nothing_new()?),
        Err(error) => Err(error),
    }
}

/// Waits until no other process has the folder.
fn when_free(
    context: &Context,
    mut reserve: impl FnMut() -> Result<RunFolder, RunError>,
) -> Result<RunFolder, RunError> {
    loop {
        match reserve() {
            Err(RunError::BusyFolder(_)) if !context.interrupt.is_requested() => {
                thread::sleep(AGAIN);
            }
            reserved => return reserved,
        }
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
    (images, network): (String, RunNetwork),
    (folder, config): (&RunFolder, &str),
    context: &Context,
) -> Result<(Manifest, Plan), RunError> {
    let path = folder.path();
    let earlier = Manifest::read(path)?.filter(|manifest| !manifest.entries.is_empty());
    let Some(manifest) = earlier else {
        folder.claim(MANIFEST);
        return Ok((Manifest::new(path, images, network), Plan::all(sequence)));
    };
    check_configuration(path, config)?;
    if !manifest.shows(&images) {
        return Err(RunError::OtherProbes(path.to_owned()));
    }
    let plan = Plan::continued(sequence, &manifest);
    for note in &plan.notes {
        context.terminal.note(note);
    }
    if plan.due.is_empty() && !settings.follows() {
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
