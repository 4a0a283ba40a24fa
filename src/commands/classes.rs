//! The names of classes in checkpoints and in the data set.

use super::context::Context;
use super::error::{CommandError, RunError};
use super::parameters::Parameters;
use crate::data::labeled::Dataset;
use crate::settings::TrainSettings;
use crate::train::{CHECKPOINTS, SavedCheckpoint, TrainingProgress, classes_of, newest_checkpoint};

/// The classes by label of the run that is resumed: the data set is numbered like them, whatever its own
/// order. None for a new run.
pub(super) fn resumed_order(settings: &TrainSettings) -> Result<Vec<String>, RunError> {
    if !settings.resume {
        return Ok(Vec::new());
    }
    let folder = settings.run.output.run_folder().join(CHECKPOINTS);
    Ok(newest_checkpoint(&folder)?.read_progress()?.classes)
}

/// Gives the data set's class names to a run that is resumed. Another number of classes is another data set.
pub(super) fn adopt(
    saved: &SavedCheckpoint,
    progress: &mut TrainingProgress,
    dataset: &Dataset,
    context: &Context,
) -> Result<(), RunError> {
    let trained = std::mem::replace(&mut progress.classes, dataset.classes.clone());
    if !trained.is_empty() && trained.len() != dataset.classes.len() {
        return Err(CommandError::OtherClasses {
            path: saved.network.clone(),
            trained,
            found: dataset.classes.clone(),
        }
        .into());
    }
    note_others(&trained, dataset, context);
    if !dataset.classes.is_sorted() {
        context.terminal.note(&format!(
            "classes are numbered as in the checkpoint: {}",
            dataset.classes.join(", ")
        ));
    }
    Ok(())
}

/// Says which classes of a classifier that is kept have other names in the data set.
pub(super) fn note_kept(parameters: &Parameters, dataset: &Dataset, context: &Context) {
    if let Parameters::File(file) = parameters
        && let Some(trained) = classes_of(file.path())
    {
        note_others(&trained, dataset, context);
    }
}

fn note_others(trained: &[String], dataset: &Dataset, context: &Context) {
    let others: Vec<String> = trained
        .iter()
        .zip(&dataset.classes)
        .enumerate()
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
