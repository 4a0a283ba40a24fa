//! Deleting old checkpoints.

use std::fs;
use std::path::Path;

use super::checkpoint::{SavedCheckpoint, saved_in};
use super::error::CheckpointError;

/// Deletes every checkpoint in `folder` but the `keep` newest ones and the one of step `best`; none
/// where `keep` is `None`.
pub(crate) fn prune_checkpoints(
    folder: &Path,
    keep: Option<usize>,
    best: Option<u64>,
) -> Result<(), CheckpointError> {
    let Some(keep) = keep else {
        return Ok(());
    };
    let saved = saved_in(folder)?;
    let old = saved.len().saturating_sub(keep);
    for saved in saved.into_iter().take(old) {
        if Some(saved.step) != best {
            delete(&saved);
        }
    }
    Ok(())
}

/// The network goes first: without it the other files are no checkpoint.
fn delete(saved: &SavedCheckpoint) {
    for path in [saved.network.clone(), saved.optimizer(), saved.progress()] {
        let _ = fs::remove_file(path);
    }
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
}
