//! The parts of a run become one: each is shown once all before it are there, and what is known only after the last
//! step is drawn by the process that is done last.

use std::fs;

use super::error::CheckpointsError;
use super::open::{OpenCheckpoints, ShownNetwork};
use super::part::Part;
use super::setup::Inputs;
use crate::analysis::Role;
use crate::analysis::change::Summary;
use crate::analysis::grams::{GRAMS, merge_grams};
use crate::commands::calibration::{self, CHANNELS, RANGES};
use crate::commands::context::Context;
use crate::commands::error::{CommandError, RunError};
use crate::commands::remedy::explain;
use crate::commands::report::Report;
use crate::data::checkpoints::Checkpoint;
use crate::logger::LoggerError;
use crate::one_line::listed;
use crate::settings::CheckpointsSettings;
use crate::state::{Entry, Manifest, RunFolder, StateError};
use tensorboard_events::{EventFile, publish};

/// The folder for what is drawn after the last step.
const AFTER: &str = "after";

/// Parts that a line names.
const NAMED: usize = 8;

impl Part {
    /// Says that this part is done, if it is, and shows what of the run can be shown.
    pub(super) fn finish(
        &self,
        ran: Result<Report, RunError>,
        settings: &CheckpointsSettings,
        sequence: &[Checkpoint],
        context: &Context,
    ) -> Result<Report, RunError> {
        match ran {
            Ok(report) if report.interrupted.is_some() => {
                Ok(report.with(vec![self.describe() + ", not all of them yet"]))
            }
            Ok(report) => {
                self.done()?;
                let lines = self.merge(settings, sequence, context)?;
                let report = report.with(vec![self.describe()]).with(lines);
                Ok(report.of(sequence.len()))
            }
            Err(error) if is_nothing_new(&error) || is_nothing_left(&error) => {
                if is_nothing_left(&error) {
                    self.done()?;
                }
                for line in self.merge(settings, sequence, context)? {
                    context.terminal.note(&line);
                }
                Err(error)
            }
            // Another process merged the parts meanwhile, this one among them.
            Err(_) if self.is_merged() => {
                let manifest = Manifest::read(&self.run)?;
                Err(CheckpointsError::NothingNew {
                    folder: self.run.clone(),
                    steps: manifest.map_or(0, |manifest| manifest.shown().count()),
                }
                .into())
            }
            Err(error) => Err(error),
        }
    }

    /// Shows what can be shown, and merges all parts if none is missing. Returns what there is to say.
    fn merge(
        &self,
        settings: &CheckpointsSettings,
        sequence: &[Checkpoint],
        context: &Context,
    ) -> Result<Vec<String>, RunError> {
        let count = self.shard.count;
        let mut lines = vec![format!("all {count} parts are done: the run is whole")];
        let parts = self.parts();
        if !parts.exists() {
            // Another process merged them just now.
            return Ok(lines);
        }
        let _turn = self.turn(&parts.join("merging"), context)?;
        if self.is_merged() {
            return Ok(lines);
        }
        let missing = self.missing();
        for part in 0..missing.first().copied().unwrap_or(count.get()) {
            publish(&self.folder(part), &self.run)?;
        }
        if !missing.is_empty() {
            return Ok(vec![waiting(&missing)]);
        }
        let manifests = (0..count.get()).map(|part| Manifest::read(&self.folder(part)));
        let manifests: Result<Vec<Manifest>, _> = manifests.filter_map(Result::transpose).collect();
        let manifest = manifests?.into_iter().reduce(Manifest::and);
        if settings.comparison.is_on() {
            let mut summary = Summary::default();
            for part in 0..count.get() {
                if let Some(later) = self.summary(part)? {
                    summary.append(later.summary);
                }
            }
            if let Some(manifest) = &manifest {
                lines.extend(self.draw(settings, sequence, manifest, summary, context)?);
            }
            for part in 0..count.get() {
                merge_grams(&self.folder(part).join(GRAMS), &self.run.join(GRAMS))?;
            }
        }
        for name in [RANGES, CHANNELS] {
            let from = self.folder(0).join(name);
            if from.exists() {
                let path = self.run.join(name);
                let moved = fs::rename(&from, &path);
                moved.map_err(|source| StateError::Write { path, source })?;
            }
        }
        // Its manifest is what makes it a whole run.
        if let Some(manifest) = manifest {
            manifest.write(&self.run)?;
        }
        // What stays costs only room.
        let _ = fs::remove_dir_all(&parts);
        Ok(lines)
    }

    /// Runs the checkpoints again that have a column in the pictures over time, and draws these.
    fn draw(
        &self,
        settings: &CheckpointsSettings,
        sequence: &[Checkpoint],
        manifest: &Manifest,
        summary: Summary,
        context: &Context,
    ) -> Result<Vec<String>, RunError> {
        let Some(last) = manifest.last() else {
            return Ok(Vec::new());
        };
        context.terminal.note("drawing the pictures over all steps");
        let quiet = context.quiet();
        let inputs = Inputs::open(settings, &quiet)?;
        let folder = RunFolder::reserve_part(self.parts().join(AFTER), &context.interrupt)?;
        let mut checkpoints = OpenCheckpoints::new(&settings.run.network);
        let known = manifest.network();
        let shown = ShownNetwork::find(sequence, &mut checkpoints, known, settings, &quiet)?;
        let mut run = inputs.run(settings, &quiet, folder, None, sequence, &shown)?;
        let mut loader = run.loader(checkpoints, shown);
        let calibration = self.calibration(&quiet, || Err(CheckpointsError::NoneGiven.into()))?;
        let (pass, set) = (&run.context.pass, run.comparison.take());
        let pictures = settings.pictures();
        let run_style =
            calibration::run_style(&calibration, &pictures, Some(&settings.comparison), pass)?;
        let total = Some(sequence.len());
        let mut observers = calibration::observers(set, &settings.run, pass, &run.probes, total);
        observers.set_calibration(&calibration, pass, settings.run.pictures.style());
        *observers.summary() = summary;

        let builder = run.context.quiet_logger(run.label(&mut loader)?);
        let events = EventFile::supplement(run.context.folder.path(), last);
        let builder = builder.events(events.map_err(LoggerError::from)?);
        let mut logger = run_style.apply(builder).create()?;
        for (place, Entry { step, name, .. }) in manifest.shown().enumerate() {
            if !observers.has_column(place) && *step != last {
                continue;
            }
            let Some(file) = sequence.iter().find(|file| file.step == *step) else {
                continue;
            };
            match loader.network(file) {
                Ok(network) => {
                    let seen = run.activations(&network, name)?;
                    let network = run.observed(&network, &seen, name);
                    observers.set_place(place);
                    observers.replay(*step, Role::Column, &network)?;
                    observers.draw_if_due(&mut logger, *step)?;
                }
                Err(error) => {
                    let note = format!("not in the pictures over time: {}", explain(&*error));
                    context.terminal.note(&note);
                }
            }
        }
        let lines = observers.finish(&mut logger, last)?;
        logger.finish()?;
        publish(run.context.folder.path(), &self.run)?;
        Ok(lines)
    }
}

fn waiting(missing: &[usize]) -> String {
    format!(
        "not done yet: part {}; TensorBoard shows the parts before the first of them",
        listed(missing, ", ", NAMED)
    )
}

fn is_nothing_new(error: &RunError) -> bool {
    let error = error.downcast_ref();
    matches!(error, Some(CheckpointsError::NothingNew { .. }))
}

fn is_nothing_left(error: &RunError) -> bool {
    matches!(error.downcast_ref(), Some(CommandError::NothingLeft { .. }))
}
