//! `vggscope checkpoints`: many checkpoints over the same probe images, a step a checkpoint.

mod calibrate;
mod every;
mod follow;
mod loading;
pub(crate) mod merge;
mod open;
mod part;
mod remaining;
mod rest;
mod setup;
mod step_log;

use std::num::NonZeroUsize;
use std::path::Path;

use super::context::{self, Context, Steps};
use super::error::{CommandError, RunError};
use super::parameters::open_model;
use super::report::Report;
use super::run_style;
use crate::analysis::change::Summary;
use crate::data::checkpoints::{Checkpoint, Sequence, list_checkpoints};
use crate::settings::{CheckpointsSettings, array_task};
use crate::state::{PartOf, RunFolder, State, StateError, part_folders};

use every::EveryNth;
use follow::Follow;
use open::NextCheckpoint;
use part::{describe, part_of};
use remaining::nothing_new;
use setup::{CheckpointRun, Inputs};
use step_log::StepLog;

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
    if shard.is_some() && settings.summary.is_needed() {
        let text =
            "--json and --fail-if are about all parts of a run: give them to `vggscope merge`";
        return Err(CommandError::wrong_use(text).into());
    }
    let model = open_model(&settings.run.network)?;
    settings.run.fit(model.input_size());
    let inputs = Inputs::open(settings, model, context)?;
    let mut listed = if settings.follows() {
        Vec::new()
    } else {
        list(settings, context)?
    };
    let total = listed.len();
    let run_folder = settings.run.output.folder.run_folder();
    let mut part = None;
    if let Some(shard) = shard {
        refuse_merged(&run_folder, &listed, settings.every)?;
        // The same ones in all parts, whatever this one has.
        listed = EveryNth::new(settings.every, None).of(listed);
        part = Some(part_of(shard, &listed)?);
    }
    let folder = reserve(settings, part.as_ref(), context)?;
    let settings = &*settings;

    let mut skipped = Vec::new();
    let earlier = State::read(folder.path())?;
    let nth = EveryNth::new(settings.every, earlier.as_ref());
    let mut follow = None;
    let sequence = if settings.follows() {
        let shown = earlier.as_ref().and_then(State::last);
        let follow = follow.insert(Follow::new(settings, &inputs.model, nth, shown, context));
        follow.wait_for_first(&mut skipped)?
    } else if part.is_some() {
        listed
    } else {
        nth.of(listed)
    };
    if sequence.len() < total {
        context.terminal.note(&format!(
            "one in {}: {} of {total} checkpoints are shown",
            settings.every,
            sequence.len()
        ));
    }
    let known = earlier.as_ref().map(|state| &state.run.network);
    let mut run = inputs.run(settings, context, folder, part.as_ref(), &sequence, known)?;
    run.context.skipped.splice(..0, skipped);
    let report = show(run, follow, earlier)?;
    let about = part.map(|part| describe(&part, &run_folder));
    Ok(report.with(about.unwrap_or_default()))
}

/// Shows what the run lacks of its sequence.
fn show(
    mut run: CheckpointRun<'_>,
    mut follow: Option<Follow>,
    earlier: Option<State>,
) -> Result<Report, RunError> {
    let loader = run.loader();
    let (mut state, mut remaining) = run.remaining(earlier)?;
    if state.last().is_some() {
        let folder = &run.context.folder;
        folder.is_used();
        run_style::restore(folder, &state.files, run.terminal())?;
    }
    let as_before = |name| format!("{name} could not be read before, and did not change");
    let unreadable = remaining.unreadable.iter().map(as_before);
    run.context.skipped.extend(unreadable);
    let mut run_style = run.calibrate(&loader, &remaining)?;
    if let Some(observers) = &mut run_style.observers {
        *observers.summary() = found(&state, i64::MAX);
    }
    if let (Some(follow), Some(last)) = (&mut follow, state.last()) {
        follow.begin_after(last);
    }
    if remaining.is_new() {
        state.files.clear();
    }
    // A run of an older version may lack some.
    for (name, held) in run_style.files()? {
        state.files.entry(name).or_insert(held);
    }
    run.context.folder.restore(&state.files)?;
    // Before the event files lose any step: what the state lacks is written again.
    let writer = state.write(run.context.folder.path())?;

    let steps = Steps {
        earlier: remaining.earlier.len() as u64,
        due: remaining.due.len() as u64,
        of: "checkpoints",
        is_open: follow.is_some(),
    };
    let durable = writer.clone();
    let label = run.label(&loader)?;
    let builder = (run.context).logger(label, &steps);
    let builder = builder.on_durable(move |step, place| durable.durable(step, place));
    let builder = match (remaining.resumed, state.position()) {
        (Some(step), Some(last)) => builder.resume_from(step).resume_behind(last),
        (Some(step), None) => builder.resume_from(step),
        (None, _) => builder,
    };
    let due = std::mem::take(&mut remaining.due);
    let due = due.into_iter().map(NextCheckpoint::from);
    let networks = loader.load_ahead(due.chain(follow.into_iter().flatten()));
    let log = StepLog::open(run, builder, run_style, writer, remaining)?;
    log.show_all(&networks, steps)
}

/// What was found at the steps that a run has, up to this one.
pub(crate) fn found(state: &State, last: i64) -> Summary {
    let mut all = Summary::default();
    let entries = state.shown().take_while(|entry| entry.step <= last);
    for found in entries.filter_map(|entry| entry.found.as_deref()) {
        // What this program did not write says nothing.
        all.add(toml::from_str(found).unwrap_or_default());
    }
    all
}

/// Refuses a part of a run that is whole.
fn refuse_merged(run: &Path, listed: &[Checkpoint], every: NonZeroUsize) -> Result<(), RunError> {
    // Without a step it is what a merge left that was killed.
    let Some(state) = State::read(run)?.filter(|state| state.last().is_some()) else {
        return Ok(());
    };
    let sequence = EveryNth::new(every, Some(&state)).of(listed.to_vec());
    let new = sequence
        .iter()
        .filter(|file| Some(file.step) > state.last());
    Err(match new.count() {
        0 => nothing_new(run, &state, false),
        new => CommandError::wrong_use(format!(
            "{} is whole, and {new} checkpoints are new: to show them too, repeat the command once without --shard",
            run.display()
        )),
    }
    .into())
}

/// The folder of a new run or part, or of one that is resumed.
fn reserve(
    settings: &mut CheckpointsSettings,
    part: Option<&PartOf>,
    context: &Context,
) -> Result<RunFolder, RunError> {
    let output = &mut settings.run.output.folder;
    let path = match part {
        Some(part) => RunFolder::part(&output.run_folder(), part.index),
        None if output.run.is_none() => {
            return Ok(context::reserve(output, "checkpoints", context)?);
        }
        None => output.run_folder(),
    };
    if !State::has_begun(&path)? {
        let reserved = RunFolder::reserve(path, &context.interrupt);
        return Ok(reserved.map_err(StateError::without_state)?);
    }
    if !part_folders(&path)?.is_empty() {
        return Err(StateError::InParts(path).into());
    }
    Ok(RunFolder::resume(path)?)
}

fn list(settings: &CheckpointsSettings, context: &Context) -> Result<Vec<Checkpoint>, RunError> {
    let Sequence { checkpoints, notes } =
        list_checkpoints(&settings.checkpoints, &settings.selection())?;
    for note in notes {
        context.terminal.note(&note);
    }
    Ok(checkpoints)
}
