//! What to do about trainings that end early, and checkpoints that cannot be kept or taken up.

use std::error::Error;

use crate::train::{CheckpointError, Symptom, TrainError};

/// What to do about an error, if it is one of this room's.
pub(super) fn next_step(error: &(dyn Error + 'static)) -> Option<String> {
    // The cause of an error that has one is boxed.
    let boxed = error
        .downcast_ref::<Box<TrainError>>()
        .map(|error| &**error);
    if let Some(error) = error.downcast_ref::<TrainError>().or(boxed) {
        return match error {
            TrainError::Diverged(divergence) => {
                let limit = match divergence.symptom {
                    Symptom::Loss { value, .. } if value.is_finite() => {
                        ", or a larger --stop-above"
                    }
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
            TrainError::Backend { .. } => Some("try a smaller --batch-size or --crop".to_owned()),
            _ => None,
        };
    }
    match error.downcast_ref::<CheckpointError>()? {
        CheckpointError::Write { .. } => {
            Some("free space on that disk, then continue with --resume".to_owned())
        }
        CheckpointError::Open { .. } => Some("check its permissions".to_owned()),
        CheckpointError::Read { network, .. } => Some(format!(
            "no checkpoint before {} can be resumed from: start in another --run",
            network.display()
        )),
        CheckpointError::Nothing { .. } => {
            Some("start without --resume, in another --run".to_owned())
        }
        CheckpointError::Folder { .. } => None,
    }
}
