//! The checkpoint that a training resumes from.

use super::context::Context;
use super::error::{CommandError, RunError};
use super::run_style;
use crate::data::labeled::Dataset;
use crate::one_line::one_line;
use crate::settings::{self, TrainSettings};
use crate::state::{CONFIG, RunFolder};
use crate::train::{
    CHECKPOINTS, CheckpointError, DAMAGED, SavedCheckpoint, TrainingProgress, newest_checkpoint,
};
use tensorboard_events::event_files;
use toml::Table;

pub(super) struct Resumed {
    pub(super) saved: SavedCheckpoint,
    pub(super) progress: TrainingProgress,
}

impl Resumed {
    /// The checkpoint that a run resumes from, and where the training was then. Until the data set is
    /// [known](Self::adopt), its classes are those of the checkpoint.
    pub(super) fn of(
        settings: &TrainSettings,
        folder: &RunFolder,
        context: &Context,
    ) -> Result<Option<Self>, RunError> {
        if !settings.resume {
            return Ok(None);
        }
        let note = |error: &CheckpointError| {
            context.terminal.note(&format!(
                "{}; resuming from the checkpoint before it, that one is kept as *.safetensors.{DAMAGED}",
                one_line(error)
            ));
        };
        match newest_checkpoint(&folder.path().join(CHECKPOINTS), note) {
            Err(nothing @ CheckpointError::Nothing { .. }) => {
                begin_again(folder, nothing, context)?;
                Ok(None)
            }
            saved => {
                let saved = saved?;
                let progress = saved.read_progress()?;
                run_style::restore(folder, &progress.files, &context.terminal)?;
                Ok(Some(Self { saved, progress }))
            }
        }
    }

    /// Goes over to a data set that is numbered as the checkpoint's classes are. Another number of classes is
    /// another data set.
    pub(super) fn adopt(
        self,
        dataset: &Dataset,
        settings: &TrainSettings,
        context: &Context,
    ) -> Result<Self, CommandError> {
        let Self {
            saved,
            mut progress,
        } = self;
        let trained = std::mem::replace(&mut progress.classes, dataset.classes.clone());
        if !trained.is_empty() && trained.len() != dataset.classes.len() {
            return Err(CommandError::failed(format!(
                "{} was trained on the classes {trained:?}, but the data set has {:?}: resume with the same data set",
                saved.network.display(),
                progress.classes
            )));
        }
        note_other_names(&trained, dataset, context);
        if !dataset.classes.is_sorted() {
            context.terminal.note(&format!(
                "classes are numbered as in the checkpoint: {}",
                dataset.classes.join(", ")
            ));
        }
        let samples = dataset.train.len();
        if progress.samples != samples {
            context.terminal.note(&format!(
                "the data set has {samples} training images, {} when the checkpoint was saved: from here on \
                 they come in another order",
                progress.samples
            ));
        }
        let progress = progress.with_batch_size(settings.samples.batch_size.get(), samples);
        Ok(Self { saved, progress })
    }

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
        let [before, now] = [&*before, config].map(|text| text.parse().unwrap_or_default());
        for changed in settings::differences(&before, &now, &Table::new()) {
            context
                .terminal
                .notes(&[format!("setting changed: {changed}")]);
        }
    }
}

/// Whether a run that was killed before its first checkpoint begins again. One of another command is left alone.
fn begin_again(
    folder: &RunFolder,
    nothing: CheckpointError,
    context: &Context,
) -> Result<(), RunError> {
    let path = folder.path();
    let is_empty = event_files(path).is_ok_and(|files| files.is_empty());
    if !is_empty && settings::rewritten("train", &path.join(CONFIG)).is_err() {
        return Err(nothing.into());
    }
    context.terminal.note(&format!(
        "{} holds no checkpoint: beginning again at step 0",
        path.display()
    ));
    Ok(())
}

/// Says which classes that a classifier was trained on have other names in the data set.
pub(super) fn note_other_names(trained: &[String], dataset: &Dataset, context: &Context) {
    let pairs = trained.iter().zip(&dataset.classes).enumerate();
    let others: Vec<String> = pairs
        .filter(|(_, (before, now))| before != now)
        .map(|(label, (before, now))| format!("{label} was {before:?} and is {now:?}"))
        .collect();
    if !others.is_empty() {
        context.terminal.note(&format!(
            "the classifier was trained on classes of other names, and is kept: {}",
            others.join(", ")
        ));
    }
}
