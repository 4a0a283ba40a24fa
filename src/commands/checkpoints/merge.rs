//! The parts of a run become one: each is shown once all before it are there, and what is known only after the last
//! step is drawn by whoever is done last.

use std::fs;

use super::calibrate::observed;
use super::manifest::{Entry, Manifest};
use super::setup::Setup;
use super::split::Split;
use crate::analysis::Role;
use crate::analysis::change::Summary;
use crate::analysis::grams::{GRAMS, merge_grams};
use crate::commands::calibration::{self, CHANNELS, RANGES};
use crate::commands::context::Context;
use crate::commands::error::RunError;
use crate::commands::run;
use crate::commands::run_folder::{PARTS, RunFolder};
use crate::data::checkpoints::Checkpoint;
use crate::data::list::list_images;
use crate::data::notes::InputNotes;
use crate::logger::LoggerError;
use crate::one_line::listed;
use crate::one_line::one_line;
use crate::settings::CheckpointsSettings;
use tensorboard_events::{EventFile, publish};

/// The folder for what is drawn after the last step.
const AFTER: &str = "after";

/// Shows what can be shown, and merges all parts if none is missing. Returns what there is to say.
pub(super) fn merge(
    split: &Split,
    settings: &CheckpointsSettings,
    sequence: &[Checkpoint],
    context: &Context,
) -> Result<Vec<String>, RunError> {
    let parts = split.run.join(PARTS);
    if !parts.exists() {
        // Another process merged them just now.
        return Ok(vec![whole(split)]);
    }
    let _turn = split.turn(&parts.join("merging"), context)?;
    if split.is_merged() {
        return Ok(vec![whole(split)]);
    }
    let done = split.done_parts()?;
    for part in 0..done.len() {
        publish(&split.folder(part), &split.run)?;
    }
    let missing = split.missing();
    if !missing.is_empty() {
        return Ok(vec![waiting(&missing)]);
    }
    let manifests = (0..done.len()).map(|part| Manifest::read(&split.folder(part)));
    let manifests: Vec<Manifest> = manifests
        .filter_map(Result::transpose)
        .collect::<Result<_, _>>()?;
    let entries: Vec<Entry> = manifests
        .iter()
        .flat_map(|manifest| manifest.entries.values().cloned())
        .collect();
    let mut lines = vec![whole(split)];
    if settings.comparison.is_on() {
        let mut summary = Summary::default();
        for later in done.into_iter().filter_map(|done| done.summary) {
            summary.append(later);
        }
        lines.extend(draw(
            split,
            settings,
            (sequence, &entries),
            summary,
            context,
        )?);
        for part in 0..split.shard.count.get() {
            merge_grams(&split.folder(part).join(GRAMS), &split.run.join(GRAMS))?;
        }
    }
    for name in [RANGES, CHANNELS] {
        let from = split.folder(0).join(name);
        if from.exists() {
            let to = split.run.join(name);
            fs::rename(&from, &to).map_err(|source| RunError::WriteConfig { path: to, source })?;
        }
    }
    // Its manifest is what makes it a whole run.
    if let Some(manifest) = manifests.into_iter().reduce(Manifest::and) {
        manifest.at(&split.run).write_before(i64::MAX)?;
    }
    let _ = fs::remove_dir_all(&parts);
    Ok(lines)
}

fn whole(split: &Split) -> String {
    let count = split.shard.count;
    format!("all {count} parts are done: the run is whole")
}

/// Parts that a line names.
const NAMED: usize = 8;

fn waiting(missing: &[usize]) -> String {
    let named = listed(missing, ", ", NAMED);
    format!("not done yet: part {named}; TensorBoard shows the parts before the first of them")
}

/// Looks once more at the checkpoints that have a column in the pictures over time, and draws these.
fn draw(
    split: &Split,
    settings: &CheckpointsSettings,
    (sequence, entries): (&[Checkpoint], &[Entry]),
    summary: Summary,
    context: &Context,
) -> Result<Vec<String>, RunError> {
    let Some(last) = entries.last().map(|entry| entry.step) else {
        return Ok(Vec::new());
    };
    context.terminal.note("drawing the pictures over all steps");
    let quiet = context.quiet();
    let input = InputNotes::default();
    let files = list_images(&settings.images, &input)?;
    let devices = run::open_devices(&settings.run.compute, &quiet)?;
    let known = Manifest::read(&split.folder(0))?.and_then(Manifest::network);
    let known = (sequence, known);
    let mut setup = Setup::new(settings, (&files, input), devices, known, &quiet)?;
    let calibration = split.calibration(&quiet, || Err(RunError::NoCheckpoint))?;
    let (pass, set) = (&setup.pass, setup.set.take());
    let settled = calibration::settle(
        &calibration,
        &settings.pictures(),
        Some(&settings.comparison),
        pass,
    )?;
    let (run, total) = (&settings.run, Some(sequence.len()));
    let mut observers = calibration::observers(set, run, pass, &setup.probes, total);
    observers.set_calibration(&calibration, pass, run.pictures.style());
    observers.set_summary(summary);

    let folder = split.run.join(PARTS).join(AFTER);
    let folder = RunFolder::reserve_part(folder, &context.interrupt)?;
    let label = setup.label(settings, sequence);
    let builder = run::quiet_logger(&settings.run, pass, &folder, label);
    let events = EventFile::supplement(folder.path(), last).map_err(LoggerError::from)?;
    let mut logger = settled.apply(builder).events(events).create()?;
    let loading = setup.loading();
    for (place, entry) in entries.iter().enumerate() {
        if !observers.has_column(place) && entry.step != last {
            continue;
        }
        let file = sequence.iter().find(|file| file.step == entry.step);
        let loaded = file.map(|file| loading.load(&file.path));
        let network = match loaded {
            Some(Ok((network, _))) => network,
            Some(Err(error)) => {
                let note = format!("not in the pictures over time: {}", one_line(&error));
                context.terminal.note(&note);
                continue;
            }
            None => continue,
        };
        let seen = setup.probes.run(pass, &network, &entry.name)?;
        let network = observed(pass, &network, &seen, &entry.name);
        observers.set_place(place);
        observers.replay(entry.step, Role::Column, &network)?;
        observers.draw_if_due(&mut logger, entry.step)?;
    }
    let lines = observers.finish(&mut logger, last)?;
    logger.finish()?;
    publish(folder.path(), &split.run)?;
    Ok(lines)
}
