//! What to do about trainings that end early, and checkpoints that cannot be kept or taken up.

use crate::train::{CheckpointError, Symptom, TrainError};

/// The cause of an error that has one is boxed.
#[expect(clippy::borrowed_box, reason = "the type of the cause")]
pub(super) fn boxed(error: &Box<TrainError>) -> Option<String> {
    training(error)
}

pub(super) fn training(error: &TrainError) -> Option<String> {
    let divergence = match error {
        TrainError::Diverged(divergence) => divergence,
        TrainError::Backend { .. } => {
            return Some("try a smaller --batch-size or --crop".to_owned());
        }
        _ => return None,
    };
    let limit = match divergence.symptom {
        Symptom::Loss { value, .. } if value.is_finite() => ", or a larger --stop-above",
        _ => "",
    };
    let how = format!("a smaller --learning-rate or --clip-norm{limit}");
    Some(match &divergence.last_good {
        Some(file) => format!(
            "the last good checkpoint is {} (steps after it are not saved, since they led to this): continue \
             from it with --resume and {how}",
            file.display()
        ),
        None => format!("no checkpoint was saved yet: start again with {how}"),
    })
}

pub(super) fn checkpoint(error: &CheckpointError) -> Option<String> {
    let advice = match error {
        CheckpointError::Write { .. } => "free space on that disk, then continue with --resume",
        CheckpointError::Open { .. } => "check its permissions",
        CheckpointError::Read { network, .. } => {
            return Some(format!(
                "no checkpoint before {} can be resumed from: start in another --run",
                network.display()
            ));
        }
        CheckpointError::Nothing { .. } => "start without --resume, in another --run",
        CheckpointError::Folder { .. } => return None,
    };
    Some(advice.to_owned())
}
