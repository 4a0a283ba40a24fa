//! Calibration: what is found out of the first and the last checkpoint before the first step, and of a run that goes on,
//! of those that an earlier process showed.

use std::collections::BTreeSet;

use super::loading::{LoadedNetwork, Loader};
use super::remaining::Remaining;
use super::setup::{CheckpointRun, FirstPass};
use crate::analysis::{Observers, Role};
use crate::commands::calibration::Calibrator;
use crate::commands::error::RunError;
use crate::commands::report::counted;
use crate::commands::run_style::RunStyle;
use crate::data::checkpoints::Checkpoint;
use crate::logger::Against;
use crate::settings::{ChangeChoice, MapsChoice, RangeChoice};

impl CheckpointRun<'_> {
    pub(super) fn calibrate(
        &mut self,
        loader: &Loader,
        remaining: &Remaining,
    ) -> Result<RunStyle, RunError> {
        let images = self.comparison.take();
        let (settings, run) = (self.settings, &self.context);
        let comparison = &settings.comparison;
        // Of a part nothing is drawn before all are done.
        let columns = self.part.map_or(remaining.steps().len(), |_| 0);
        let total = (!settings.follows()).then_some(columns);
        let mut pictures = settings.pictures();
        if !remaining.is_new() {
            // The steps that follow are shown as those before them: what other files said then is in the run's own.
            if let Some(RangeChoice::File(_)) = pictures.range {
                pictures.range = Some(RangeChoice::Run);
            }
            if let MapsChoice::Of(_) = pictures.maps {
                pictures.maps = MapsChoice::All;
            }
        }
        let is_resumed = !remaining.is_new();
        let mut calibrator = Calibrator::new(
            run,
            &self.probes,
            comparison,
            pictures,
            is_resumed,
            images,
            total,
        )?;
        if let Some(path) = comparison.change.file() {
            let file = Checkpoint {
                path: path.to_owned(),
                name: path.display().to_string(),
                step: 0,
            };
            let network = loader.network(&file)?;
            calibrator.set_base(&self.probes.run(&run.pass, &*network, &file.name)?);
        }
        let first = self.run_ends(loader, &mut calibrator)?;
        let mut run_style = calibrator.finish()?;
        if remaining.goes_on() && run_style.compares() {
            self.resume(&mut run_style, loader, remaining)?;
        }
        run_style.keep_grams(run, remaining.resumed)?;
        self.first = first;
        Ok(run_style)
    }

    /// Runs the end points of the sequence, where anything is to be known of them before the first step. Returns what
    /// the first made of the probe images.
    fn run_ends(
        &self,
        loader: &Loader,
        calibrator: &mut Calibrator<'_>,
    ) -> Result<Option<FirstPass>, RunError> {
        if !calibrator.is_needed() {
            return Ok(None);
        }
        let (sequence, mut first) = (self.shown(), None);
        let last = sequence.len() - 1;
        // What changes from step to step is smaller than what changes over the run.
        let is_previous = self.settings.comparison.change == ChangeChoice::Previous;
        let second = is_previous.then_some(1.min(last));
        let places: BTreeSet<usize> = [0, last].into_iter().chain(second).collect();
        for place in places {
            let found = loader.nearest(sequence, place, self.settings.on_error())?;
            let Some(LoadedNetwork { file, network }) = found else {
                continue;
            };
            let Checkpoint { name, step, .. } = file;
            let observed = self.probes.run(&self.context.pass, &*network, name)?;
            calibrator.add(&observed, !is_previous || place == 1)?;
            if place == last {
                if let Some(observers) = &mut calibrator.observers {
                    observers.replay(*step, Role::Last, &observed)?;
                }
                let of = match &first {
                    Some(FirstPass { step: first, .. }) => {
                        format!("the checkpoints at steps {first} and {step}")
                    }
                    None => format!("the checkpoint at step {step}"),
                };
                let ends = first.iter().map(|first: &FirstPass| &first.probes);
                calibrator.find_bases(ends.chain([&observed.probes]), &of)?;
            }
            if place == 0 {
                let (step, probes) = (*step, observed.probes);
                first = Some(FirstPass { step, probes });
            }
        }
        Ok(first)
    }

    /// Runs the first step that was shown and the last one again, where their files are still there, so that the
    /// comparison goes on.
    fn resume(
        &self,
        style: &mut RunStyle,
        loader: &Loader,
        remaining: &Remaining,
    ) -> Result<(), RunError> {
        let terminal = self.terminal();
        let on_error = self.settings.on_error();
        // Of those that other processes show, some may not be readable.
        let shown = &remaining.shown;
        let readable = |place| loader.nearest(shown, place, on_error);
        let first = (0..shown.len()).find_map(|place| readable(place).transpose());
        let last = readable(shown.len().saturating_sub(1))?;
        let (Some(first), Some(last)) = (first.transpose()?, last) else {
            terminal.note(
                "steps are compared with the first one of this process: no file of the earlier steps is there any more",
            );
            return Ok(());
        };
        if !remaining.has_first {
            terminal.note(&format!(
                "steps are compared with {} instead of the first, whose file is gone",
                first.file.name
            ));
        }
        if let Some(observers) = &mut style.observers {
            observers.begin_behind(remaining.earlier.len());
        }
        let pass = &self.context.pass;
        let LoadedNetwork { file, network } = first;
        let observed = self.probes.run(pass, &*network, &file.name)?;
        style.replay(file.step, &observed, &self.probes, Against::First)?;
        if let Some(observers) = &mut style.observers {
            self.add_columns(observers, file, loader, remaining)?;
        }
        let LoadedNetwork { file, network } = last;
        let observed = self.probes.run(pass, &*network, &file.name)?;
        style.replay(file.step, &observed, &self.probes, Against::Previous)
    }

    /// Runs the checkpoints after the `first` again that have a column in the pictures over time, where their files
    /// are still there.
    fn add_columns(
        &self,
        observers: &mut Observers,
        first: &Checkpoint,
        loader: &Loader,
        remaining: &Remaining,
    ) -> Result<(), RunError> {
        let mut gone = 0;
        for (place, step) in remaining.earlier.iter().enumerate() {
            if !observers.has_column(place) || *step == first.step {
                continue;
            }
            let Some(file) = remaining.shown.iter().find(|file| file.step == *step) else {
                gone += 1;
                continue;
            };
            let network = loader.network(file)?;
            let network = (self.probes).run(&self.context.pass, &*network, &file.name)?;
            observers.place = place;
            observers.replay(file.step, Role::Column, &network)?;
        }
        if gone > 0 {
            self.terminal().note(&format!(
                "left out of the pictures over time, with checkpoints that are gone or changed: {}",
                counted(gone, "step")
            ));
        }
        observers.place = remaining.earlier.len();
        Ok(())
    }
}
