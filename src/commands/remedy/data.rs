//! What to do about errors of this room.

use std::error::Error;
use std::io::ErrorKind;

use crate::data::checkpoints::CheckpointError;
use crate::data::error::ImageError;
use crate::data::find::FindError;
use crate::data::labeled::LoaderError;

/// What to do about an error, if it is one of this room's.
pub(super) fn next_step(error: &(dyn Error + 'static)) -> Option<String> {
    let checkpoints = error.downcast_ref().and_then(of_checkpoints);
    let step = checkpoints
        .or_else(|| error.downcast_ref().and_then(of_files))
        .or_else(|| error.downcast_ref().and_then(of_image))
        .or_else(|| error.downcast_ref().and_then(of_batches))?;
    Some(step.to_owned())
}

fn of_checkpoints(error: &CheckpointError) -> Option<&'static str> {
    Some(match error {
        CheckpointError::NoFolder(_) => "restore it, and repeat the command",
        CheckpointError::AllExcluded { .. } => "leave an --exclude out",
        CheckpointError::NoNumber { .. } => {
            "name one file alone, or number the checkpoints in natural order with --step index"
        }
        CheckpointError::NoMatch { .. } => "change --step",
        CheckpointError::Ambiguous { .. } => {
            "capture the step with --step, such as 'epoch(\\d+)', or number the checkpoints in natural order with \
             --step index"
        }
        CheckpointError::SameStep { .. } => {
            "leave one out with --exclude, capture another number with --step, or number the checkpoints in \
             natural order with --step index"
        }
        CheckpointError::OutOfRange { .. } => {
            "leave the file out with --exclude, rename it, or number the checkpoints in natural order with \
             --step index"
        }
        CheckpointError::Find(_) => return None,
    })
}

fn of_files(error: &FindError) -> Option<&'static str> {
    match error {
        FindError::Unreadable { source, .. } if source.kind() == ErrorKind::PermissionDenied => {
            Some("check its permissions, or leave it out")
        }
        FindError::Link { .. } => Some("name the file itself, or remove the link"),
        _ => None,
    }
}

fn of_image(error: &ImageError) -> Option<&'static str> {
    match error {
        ImageError::ResizedTooLarge { .. } => {
            Some("choose a smaller --resize or --crop, or leave the image out")
        }
        _ => None,
    }
}

fn of_batches(error: &LoaderError) -> Option<&'static str> {
    match error {
        LoaderError::Sizes { .. } => Some("make the images one size with --crop"),
        LoaderError::NoSuchPosition { .. } => Some(
            "resume with the data set and the --batch-size that the run began with, or start a new run",
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    #[test]
    fn pictures_of_the_wrong_size_have_a_way_on() {
        let error = ImageError::ResizedTooLarge {
            from_width: 50,
            from_height: 1,
            width: 5_000_000,
            height: 100_000,
        };
        let advice = next_step(&error).unwrap();
        assert!(advice.contains("a smaller --resize or --crop"), "{advice}");
        let error = LoaderError::Sizes {
            path: PathBuf::new(),
            size: [1, 2],
            other: PathBuf::new(),
            other_size: [3, 4],
        };
        let advice = next_step(&error).unwrap();
        assert!(advice.contains("one size with --crop"), "{advice}");
    }

    #[test]
    fn names_without_an_order_have_a_way_on() {
        let (path, first, second) = (PathBuf::new(), PathBuf::new(), PathBuf::new());
        let (other, more) = (first.clone(), second.clone());
        let names = String::new();
        for error in [
            CheckpointError::NoNumber { names },
            CheckpointError::Ambiguous { first, second },
            CheckpointError::SameStep {
                step: 1,
                first: other,
                second: more,
            },
            CheckpointError::OutOfRange { path },
        ] {
            let advice = next_step(&error).unwrap();
            assert!(advice.contains("--step index"), "{advice}");
            let captures = advice.contains("--step, such as 'epoch(\\d+)'");
            let is_ambiguous = matches!(error, CheckpointError::Ambiguous { .. });
            assert_eq!(captures, is_ambiguous, "{advice}");
        }
    }
}
