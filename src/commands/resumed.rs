//! The checkpoint that a training resumes from.

use super::classes;
use super::context::Context;
use super::error::RunError;
use crate::data::labeled::Dataset;
use crate::settings::{self, TrainSettings};
use crate::state::{CONFIG, RunFolder};
use crate::train::{CHECKPOINTS, SavedCheckpoint, TrainingProgress, changes, newest_checkpoint};

/// Where a run resumes.
pub(super) struct Resumed {
    pub(super) saved: SavedCheckpoint,
    pub(super) progress: TrainingProgress,
}

impl Resumed {
    /// The checkpoint that a run resumes from, if it does, and where the training was then.
    pub(super) fn of(
        settings: &TrainSettings,
        dataset: &Dataset,
        context: &Context,
    ) -> Result<Option<Self>, RunError> {
        if !settings.resume {
            return Ok(None);
        }
        let saved = newest_checkpoint(&settings.run.output.run_folder().join(CHECKPOINTS))?;
        let mut progress = saved.read_progress()?;
        classes::adopt(&saved, &mut progress, dataset, context)?;
        let samples = dataset.train.len();
        if progress.samples != samples {
            context.terminal.note(&format!(
                "the data set has {samples} training images, {} when the checkpoint was saved: from here on \
                 they come in another order",
                progress.samples
            ));
        }
        let progress = progress.with_batch_size(settings.samples.batch_size.get(), samples);
        Ok(Some(Self { saved, progress }))
    }

    /// Says where the run resumes, and which settings changed since.
    pub(super) fn note_changes(&self, folder: &RunFolder, config: &str, context: &Context) {
        let Self { saved, progress } = self;
        context.terminal.note(&format!(
            "resuming from {} (step {}, epoch {})",
            saved.network.display(),
            progress.step,
            progress.epoch
        ));
        // Without the file nothing is known to have changed.
        let file = folder.path().join(CONFIG);
        let before = settings::rewritten("train", &file).unwrap_or_default();
        for change in changes(&before, config) {
            context.terminal.note(&change);
        }
    }
}
