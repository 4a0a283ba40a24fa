//! A run that goes on: its steps are compared with those of the process before.

use super::loading::Loader;
use super::remaining::Remaining;
use super::setup::CheckpointRun;
use crate::analysis::{Observers, Role};
use crate::commands::calibration::{self, ReferenceMaps};
use crate::commands::error::RunError;
use crate::data::checkpoints::Checkpoint;
use crate::logger::Against;

impl CheckpointRun<'_> {
    /// Runs the first step that was shown and the last one again, where their files are still there, so that the
    /// comparison goes on. Returns what the maps of the next steps are compared with.
    pub(super) fn resume(
        &self,
        mut observers: Option<&mut Observers>,
        loader: &mut Loader,
        remaining: &Remaining,
    ) -> Result<Vec<ReferenceMaps>, RunError> {
        let terminal = self.terminal();
        let on_error = self.settings.on_error();
        // Of those that other processes show, some may not be readable.
        let shown = &remaining.shown;
        let mut readable = |place| loader.nearest(shown, place, on_error);
        let first = (0..shown.len()).find_map(|place| readable(place).transpose());
        let last = readable(shown.len().saturating_sub(1))?;
        let (Some(first), Some(last)) = (first.transpose()?, last) else {
            terminal.note(
                "steps are compared with the first one of this process: no file of the earlier steps is there any more",
            );
            return Ok(Vec::new());
        };
        if !remaining.has_first {
            terminal.note(&format!(
                "steps are compared with {} instead of the first, whose file is gone",
                first.file.name
            ));
        }
        let mut references = Vec::new();
        let first_file = first.file;
        for (loaded, as_what) in [(first, Against::First), (last, Against::Previous)] {
            let checkpoint = loaded.file;
            let network =
                (self.probes).run(&self.context.pass, &*loaded.network, &checkpoint.name)?;
            match (observers.as_deref_mut(), as_what) {
                (Some(observers), Against::First) => {
                    observers.begin_behind(remaining.earlier.len());
                    observers.replay(checkpoint.step, Role::First, &network)?;
                    self.add_columns(observers, first_file, loader, remaining)?;
                }
                (Some(observers), _) => {
                    observers.replay(checkpoint.step, Role::Previous, &network)?;
                }
                (None, _) => {}
            }
            references.extend(calibration::references(&network, &self.probes, as_what));
        }
        Ok(references)
    }

    /// Runs the checkpoints after the `first` again that have a column in the pictures over time, where their files
    /// are still there.
    fn add_columns(
        &self,
        observers: &mut Observers,
        first: &Checkpoint,
        loader: &mut Loader,
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
            observers.set_place(place);
            observers.replay(file.step, Role::Column, &network)?;
        }
        if gone > 0 {
            self.terminal().note(&format!(
                "{gone} earlier steps are not in the pictures over time: their files are gone"
            ));
        }
        observers.set_place(remaining.earlier.len());
        Ok(())
    }
}
