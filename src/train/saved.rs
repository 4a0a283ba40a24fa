//! Checkpoints on the disk: found, checked, deleted.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use burn::optim::OptimizerRecord;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::error::CheckpointError;
use crate::one_line::one_line;
use crate::weights::{WeightsFile, crc32c};

pub(crate) const CHECKPOINTS: &str = "checkpoints";

/// Added to the name of a network that cannot be resumed from.
pub(crate) const DAMAGED: &str = "damaged";

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrainingProgress {
    pub(crate) step: u64,
    /// The epoch of the next batch, from 0.
    pub(crate) epoch: u64,
    /// The index of the next batch in its epoch, from 0.
    pub(crate) batch: u64,
    /// Samples in a batch, the unit of `batch`.
    pub(crate) batch_size: usize,
    pub(crate) samples: usize,
    /// Of older checkpoints: the network's file has it for each layer.
    #[serde(default, skip_serializing)]
    pub(crate) batches_seen: IgnoredAny,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) best: Option<BestValidation>,
    /// Class names, by label; none where they are not known.
    #[serde(default)]
    pub(crate) classes: Vec<String>,
    /// The resolved configuration; empty in older checkpoints.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) config: String,
    /// The text of the files by which all steps are shown, by name; none in older checkpoints.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) files: BTreeMap<String, String>,
    /// What was found at the logged steps so far, as TOML; none in older checkpoints.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) found: String,
    /// The event file could not take all steps up to this one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) lacks_events: bool,
    /// Of the other files; none in older checkpoints.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) checksums: Option<Checksums>,
}

/// CRC-32C of the files of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Checksums {
    pub(super) optimizer: u32,
    pub(super) network: u32,
}

impl TrainingProgress {
    /// The same position in batches of `batch_size` out of `samples` an epoch. A position inside a batch
    /// is rounded down to its beginning; one past the last sample is the next epoch.
    pub(crate) fn with_batch_size(mut self, batch_size: usize, samples: usize) -> Self {
        let learned = self.batch.saturating_mul(self.batch_size as u64);
        if learned < samples as u64 {
            self.batch = learned / (batch_size.max(1) as u64);
        } else {
            self.epoch = self.epoch.saturating_add(1);
            self.batch = 0;
        }
        self.batch_size = batch_size;
        self.samples = samples;
        self
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BestValidation {
    pub(crate) step: u64,
    /// Fraction of the validation samples classified correctly.
    pub(crate) accuracy: f64,
    /// Mean loss in nats, which decides between equal accuracies.
    pub(crate) loss: f64,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SavedCheckpoint {
    pub(crate) step: u64,
    /// The network's file; the others are next to it.
    pub(crate) network: PathBuf,
}

impl SavedCheckpoint {
    pub(crate) fn at(folder: &Path, step: u64) -> Self {
        Self {
            step,
            network: folder.join(format!("step_{step:06}.safetensors")),
        }
    }

    pub(crate) fn optimizer(&self) -> PathBuf {
        // What older runs call it.
        let older = self.network.with_extension("optimiser");
        if older.exists() {
            return older;
        }
        self.network.with_extension("optimizer")
    }

    pub(crate) fn progress(&self) -> PathBuf {
        self.network.with_extension("toml")
    }

    pub(crate) fn read_progress(&self) -> Result<TrainingProgress, CheckpointError> {
        let path = self.progress();
        let text = fs::read_to_string(&path).map_err(|error| self.unreadable(&path, &error))?;
        toml::from_str(&text).map_err(|error| self.unreadable(&path, &error.message()))
    }

    /// Fails where a file is not as it was written. Of those of an older checkpoint only the headers are known.
    fn check(&self) -> Result<(), CheckpointError> {
        for path in [&self.network, &self.optimizer(), &self.progress()] {
            match File::open(path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    let path = path.clone();
                    return Err(CheckpointError::Open { path, source });
                }
                _ => {}
            }
        }
        let Some(expected) = self.read_progress()?.checksums else {
            let opened = WeightsFile::open(&self.network);
            opened.map_err(|error| self.unreadable(&self.network, &one_line(&error)))?;
            return self.read_optimizer().map(drop);
        };
        let files = [
            (self.optimizer(), expected.optimizer),
            (self.network.clone(), expected.network),
        ];
        for (path, expected) in files {
            let found = checksum(&path).map_err(|error| self.unreadable(&path, &error))?;
            if found != expected {
                let why = format!("it is damaged: its checksum is {found:08x}, not {expected:08x}");
                return Err(self.unreadable(&path, &why));
            }
        }
        Ok(())
    }

    pub(super) fn read_optimizer(&self) -> Result<OptimizerRecord, CheckpointError> {
        let path = self.optimizer();
        OptimizerRecord::load(&path).map_err(|error| self.unreadable(&path, &error))
    }

    /// The network goes first: without it the others are no checkpoint. Where it stays, so do they; returns why.
    fn delete(&self) -> Option<String> {
        let files = [self.network.clone(), self.optimizer(), self.progress()];
        files.iter().find_map(|path| match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Some(format!("cannot delete {}: {error}", path.display()))
            }
            _ => None,
        })
    }

    pub(super) fn unreadable(&self, path: &Path, why: &dyn ToString) -> CheckpointError {
        CheckpointError::Read {
            path: path.to_owned(),
            why: why.to_string().replace('\n', " "),
            network: self.network.clone(),
        }
    }
}

/// Whether a file of that name is one that a killed process was writing: `step_000002.optimizer.part` of earlier versions,
/// or safetensors' own `.tmpXXXXXX`.
pub(crate) fn is_unfinished(name: &str) -> bool {
    let is_safetensors = name
        .strip_prefix(".tmp")
        .is_some_and(|rest| rest.len() == 6);
    is_safetensors || name.starts_with("step_") && name.split('.').any(|part| part == "part")
}

/// The checkpoints in `folder`, oldest first.
fn saved_in(folder: &Path) -> Result<Vec<SavedCheckpoint>, CheckpointError> {
    let failed = |source| CheckpointError::Folder {
        folder: folder.to_owned(),
        source,
    };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut saved = Vec::new();
    for entry in entries {
        let name = entry.map_err(failed)?.file_name();
        let step = name
            .to_str()
            .and_then(|name| name.strip_prefix("step_")?.strip_suffix(".safetensors"))
            .and_then(|digits| digits.parse().ok());
        saved.extend(step.map(|step| SavedCheckpoint::at(folder, step)));
    }
    saved.sort();
    Ok(saved)
}

/// Keeps the `keep` newest ones and that of step `best`. Returns a line for each that could not be deleted.
pub(super) fn prune(
    folder: &Path,
    keep: usize,
    best: Option<u64>,
) -> Result<Vec<String>, CheckpointError> {
    let saved = saved_in(folder)?;
    let old = saved.len().saturating_sub(keep);
    let deleted = saved[..old].iter().filter(|saved| Some(saved.step) != best);
    Ok(deleted.filter_map(SavedCheckpoint::delete).collect())
}

/// The newest checkpoint in `folder` that is whole, of those whose steps are in the event file if there is one: what
/// it lacks is made again. Damaged ones are set aside, since the run goes another way from here; `damaged` gets the
/// error of each.
///
/// # Errors
///
/// There is none; all are damaged, with the newest one's error; one cannot be opened or set aside.
pub(crate) fn newest_checkpoint(
    folder: &Path,
    mut damaged: impl FnMut(&CheckpointError),
) -> Result<SavedCheckpoint, CheckpointError> {
    let mut errors: Vec<(SavedCheckpoint, CheckpointError)> = Vec::new();
    let mut taken = None;
    for saved in saved_in(folder)?.into_iter().rev() {
        match saved.check() {
            Ok(()) if saved.read_progress()?.lacks_events => {
                taken.get_or_insert(saved);
            }
            Ok(()) => {
                taken = Some(saved);
                break;
            }
            Err(error @ CheckpointError::Read { .. }) => errors.push((saved, error)),
            Err(error) => return Err(error),
        }
    }
    if let Some(taken) = taken {
        for (saved, error) in &errors {
            set_aside(&saved.network)?;
            damaged(error);
        }
        return Ok(taken);
    }
    let folder = folder.to_owned();
    let newest = errors.into_iter().next();
    Err(newest.map_or(CheckpointError::Nothing { folder }, |(_, error)| error))
}

fn set_aside(network: &Path) -> Result<(), CheckpointError> {
    let renamed = fs::rename(network, network.with_added_extension(DAMAGED));
    renamed.map_err(|source| CheckpointError::Write {
        path: network.to_owned(),
        source,
    })
}

pub(super) fn checksum(path: &Path) -> io::Result<u32> {
    crc32c(&mut File::open(path)?)
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
        prune(folder.path(), usize::MAX, None).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 15);
        prune(folder.path(), 2, Some(20)).unwrap();
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
        let notes = prune(folder.path(), 1, None).unwrap();
        assert_eq!(notes.len(), 1);
        assert!(
            notes[0].contains("cannot delete") && notes[0].contains("step_000001"),
            "{notes:?}"
        );
        assert!(SavedCheckpoint::at(folder.path(), 1).progress().exists());
    }
}
