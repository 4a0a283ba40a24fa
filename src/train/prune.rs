//! Deleting old checkpoints.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::checkpoint::{SavedCheckpoint, saved_in};
use super::error::CheckpointError;

/// Deletes every checkpoint in `folder` but the `keep` newest ones and the one of step `best`; none
/// where `keep` is `None`. Returns a line for each file that could not be deleted.
pub(crate) fn prune_checkpoints(
    folder: &Path,
    keep: Option<usize>,
    best: Option<u64>,
) -> Result<Vec<String>, CheckpointError> {
    let Some(keep) = keep else {
        return Ok(Vec::new());
    };
    let saved = saved_in(folder)?;
    let old = saved.len().saturating_sub(keep);
    let too_many = saved.iter().take(old);
    let deleted = too_many.filter(|saved| Some(saved.step) != best);
    Ok(deleted.flat_map(delete).collect())
}

/// The network goes first: without it the other files are no checkpoint. Where it stays, so do they.
fn delete(saved: &SavedCheckpoint) -> Vec<String> {
    let mut undeleted = Vec::new();
    for path in [saved.network.clone(), saved.optimizer(), saved.progress()] {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                undeleted.push(format!("cannot delete {}: {error}", path.display()));
                break;
            }
            _ => {}
        }
    }
    undeleted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_and_the_best_stay() {
        let folder = tempfile::tempdir().unwrap();
        for step in [10, 20, 30, 40, 1_000_000] {
            let saved = SavedCheckpoint::at(folder.path(), step);
            for path in [saved.network.clone(), saved.optimizer(), saved.progress()] {
                fs::write(path, "").unwrap();
            }
        }
        prune_checkpoints(folder.path(), None, None).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 15);
        prune_checkpoints(folder.path(), Some(2), Some(20)).unwrap();
        let steps: Vec<u64> = saved_in(folder.path())
            .unwrap()
            .iter()
            .map(|saved| saved.step)
            .collect();
        assert_eq!(steps, [20, 40, 1_000_000]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 9);
    }

    #[test]
    fn what_cannot_be_deleted_is_said_and_stays_whole() {
        let folder = tempfile::tempdir().unwrap();
        for step in [1, 2] {
            let saved = SavedCheckpoint::at(folder.path(), step);
            // A folder of that name cannot be removed as a file.
            match step {
                1 => fs::create_dir(&saved.network).unwrap(),
                _ => fs::write(&saved.network, "").unwrap(),
            }
            fs::write(saved.progress(), "").unwrap();
        }
        let notes = prune_checkpoints(folder.path(), Some(1), None).unwrap();
        assert_eq!(notes.len(), 1);
        assert!(
            notes[0].contains("cannot delete") && notes[0].contains("step_000001"),
            "{notes:?}"
        );
        assert!(SavedCheckpoint::at(folder.path(), 1).progress().exists());
    }
}
