//! Which checkpoints stay.

use std::fs;
use std::path::PathBuf;

use super::checkpoint::{CheckpointError, Saved, saved_in};

/// Keeps the newest checkpoints and the best one.
#[derive(Debug, Clone)]
pub struct Keeper {
    /// Where the checkpoints are.
    pub folder: PathBuf,
    /// How many of the newest stay; `None` for all.
    pub newest: Option<usize>,
}

impl Keeper {
    /// Deletes every checkpoint but the newest ones and the one of step `best`.
    ///
    /// # Errors
    ///
    /// The folder cannot be read. A file that cannot be deleted stays, which harms nobody.
    pub fn tidy(&self, best: Option<u64>) -> Result<(), CheckpointError> {
        let Some(newest) = self.newest else {
            return Ok(());
        };
        let saved = saved_in(&self.folder)?;
        let old = saved.len().saturating_sub(newest);
        for saved in saved.into_iter().take(old) {
            if Some(saved.step) != best {
                delete(&saved);
            }
        }
        Ok(())
    }
}

/// The network goes first: without it the others are no checkpoint any more.
fn delete(saved: &Saved) {
    for path in [saved.network.clone(), saved.optimiser(), saved.progress()] {
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
            let saved = Saved::at(folder.path(), step);
            for path in [saved.network.clone(), saved.optimiser(), saved.progress()] {
                fs::write(path, "").unwrap();
            }
        }
        let keeper = Keeper {
            folder: folder.path().to_owned(),
            newest: Some(2),
        };
        keeper.tidy(Some(20)).unwrap();
        let steps: Vec<u64> = saved_in(folder.path())
            .unwrap()
            .iter()
            .map(|saved| saved.step)
            .collect();
        assert_eq!(steps, [20, 40, 1_000_000]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 9);
    }
}
