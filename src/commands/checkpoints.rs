//! `vggscope checkpoints`: many checkpoints over the same probe images, a step a checkpoint.

mod agree;
mod calibrate;
pub(crate) mod error;
mod follow;
mod loading;
mod merge;
mod open;
mod part;
mod remaining;
mod resume;
mod setup;
mod step_log;

use std::thread;

use super::context::{self, Context, Steps};
use super::error::RunError;
use super::report::Report;
use crate::data::checkpoints::{Checkpoint, Sequence, list_checkpoints};
use crate::settings::{CheckpointsSettings, Shard, array_task};
use crate::state::{MANIFEST, Manifest, RunFolder, StateError};

use error::CheckpointsError;
use follow::Follow;
use loading::Loader;
use open::{NextCheckpoint, OpenCheckpoints, ShownNetwork};
use part::{AGAIN, Part};
use remaining::{Remaining, check_configuration};
use setup::{CheckpointRun, Inputs};
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
    let inputs = Inputs::open(settings, context)?;
    let listed = (!settings.follows()).then(|| list(settings, context));
    let listed = listed.transpose()?.unwrap_or_default();
    let part = Part::of(settings, shard, &listed)?;
    let folder = match &part {
        Some(part) => part.reserve(context)?,
        None => reserve(settings, shard, context)?,
    };
    let settings = &*settings;

    let mut checkpoints = OpenCheckpoints::new(&settings.run.network);
    let mut skipped = Vec::new();
    let mut follow = settings.follows().then(|| Follow::new(settings, context));
    let sequence = match &mut follow {
        Some(follow) => follow.wait_for_first(&mut checkpoints, &mut skipped)?,
        None => listed,
    };
    let earlier = Manifest::read(folder.path())?;
    let known = earlier.as_ref().and_then(Manifest::network);
    let shown = ShownNetwork::find(&sequence, &mut checkpoints, known, settings, context)?;
    let mut run = inputs.run(settings, context, folder, part.as_ref(), &sequence, &shown)?;
    run.context.skipped.splice(..0, skipped);
    let loader = run.loader(checkpoints, shown);
    let ran = show(run, loader, follow);
    match &part {
        Some(part) => part.finish(ran, settings, &sequence, context),
        None => ran,
    }
}

/// Shows what the run lacks of its sequence.
fn show(
    mut run: CheckpointRun<'_>,
    mut loader: Loader,
    mut follow: Option<Follow>,
) -> Result<Report, RunError> {
    let part = run.part;
    let _alive = part.map(|part| part.agree(&run)).transpose()?;
    let (mut manifest, remaining) = match part {
        Some(part) => part.remaining(&run, &loader)?,
        None => remaining(&run, &loader)?,
    };
    if manifest.last().is_some() {
        run.context.folder.is_used();
    }
    let calibrated = run.calibrate(&mut loader, &remaining)?;
    if let (Some(follow), Some(last)) = (&mut follow, manifest.last()) {
        follow.begin_after(last);
    }
    // Before the event file loses any step: what the manifest lacks is written again.
    manifest.cut_after(manifest.last());
    let manifest = manifest.write(run.context.folder.path())?;

    let steps = Steps {
        earlier: remaining.earlier.len() as u64,
        due: remaining.due.len() as u64,
        of: "checkpoints",
        is_open: follow.is_some(),
    };
    let written = manifest.clone();
    let label = run.label(&mut loader)?;
    let builder = (run.context).logger(label, &steps, move |step| written.written(step));
    let builder = match (part, remaining.resumed) {
        (Some(part), step) => builder.events(part.events(step)?),
        (None, Some(step)) => builder.resume_from(step),
        (None, None) => builder,
    };
    let goes_on = remaining.goes_on();

    let due = remaining.due.into_iter().map(NextCheckpoint::from);
    let networks = loader.load_ahead(due.chain(follow.into_iter().flatten()));
    let log = StepLog::open(run, builder, calibrated, manifest.clone(), goes_on)?;
    let report = log.show_all(&networks, steps)?;
    manifest.check()?;
    Ok(report)
}

/// The manifest of a run that one process makes, and what it lacks of the sequence.
fn remaining(run: &CheckpointRun<'_>, loader: &Loader) -> Result<(Manifest, Remaining), RunError> {
    let images = run.probes.hash();
    let path = run.context.folder.path();
    let earlier = Manifest::read(path)?.filter(|manifest| manifest.last().is_some());
    let Some(manifest) = earlier else {
        run.context.folder.claim(MANIFEST);
        let manifest = Manifest::new(images, loader.network_shown().clone());
        return Ok((manifest, Remaining::all(run.sequence)));
    };
    check_configuration(path, &run.config)?;
    if !manifest.shows(&images) {
        return Err(CheckpointsError::OtherProbes(path.to_owned()).into());
    }
    let remaining = Remaining::of(run.sequence, &manifest, run.terminal());
    let folder = path.to_owned();
    if remaining.due.is_empty() && !run.settings.follows() {
        let steps = manifest.shown().count();
        return Err(CheckpointsError::NothingNew { folder, steps }.into());
    }
    if run.settings.shard.is_some() {
        let new = remaining.due.len();
        return Err(CheckpointsError::NewSince { folder, new }.into());
    }
    Ok((manifest, remaining))
}

/// The folder of a new run, or of one that goes on.
fn reserve(
    settings: &mut CheckpointsSettings,
    shard: Option<Shard>,
    context: &Context,
) -> Result<RunFolder, RunError> {
    let output = &mut settings.run.output;
    loop {
        let reserved = if output.run.is_some() && output.run_folder().join(MANIFEST).exists() {
            RunFolder::resume(output.run_folder())
        } else {
            context::reserve(output, "checkpoints", context)
        };
        match reserved {
            // The tasks of an array that is repeated come at the same time.
            Err(StateError::Busy(_)) if shard.is_some() && !context.interrupt.is_requested() => {
                thread::sleep(AGAIN);
            }
            reserved => return Ok(reserved?),
        }
    }
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
