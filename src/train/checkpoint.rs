//! Saving and restoring a trainer.
//!
//! A checkpoint of step 100 is three files: `step_000100.safetensors`, the network under torchvision's
//! names, loadable by PyTorch; `step_000100.optimizer`, Burn's record of the optimizer; and
//! `step_000100.toml`, the position in the data. Each is written under another name and renamed, the
//! network last: a checkpoint whose network exists is complete.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use burn::optim::OptimizerRecord;
use burn::tensor::{DType, TensorData};
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorView};
use serde::{Deserialize, Serialize};

use super::error::{CheckpointError, TrainError};
use super::trainer::Trainer;
use crate::durable;
use crate::network::{Network, Parameter};

/// The folder of checkpoints in a run's folder.
pub(crate) const CHECKPOINTS: &str = "checkpoints";

/// The key of the class names, as JSON, in the metadata of a network's file.
const CLASSES: &str = "classes";

/// The position of a training run.
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
    /// Batches seen so far, for `num_batches_tracked` of batch normalization: unused, but required by
    /// torch's strict loading.
    pub(crate) batches_seen: u64,
    /// The step with the best validation so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) best: Option<BestValidation>,
    /// Class names, by label; none where they are not known.
    #[serde(default)]
    pub(crate) classes: Vec<String>,
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

/// The best validation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BestValidation {
    pub(crate) step: u64,
    /// Fraction of the validation samples classified correctly.
    pub(crate) accuracy: f64,
    /// Mean loss in nats, which decides between equal accuracies.
    pub(crate) loss: f64,
}

/// A checkpoint on disk.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SavedCheckpoint {
    pub(crate) step: u64,
    /// The network's file; the others are next to it.
    pub(crate) network: PathBuf,
}

impl SavedCheckpoint {
    /// The checkpoint of `step` in `folder`.
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

    /// The file of its [`TrainingProgress`].
    pub(crate) fn progress(&self) -> PathBuf {
        self.network.with_extension("toml")
    }

    /// Reads the position of the training run.
    pub(crate) fn read_progress(&self) -> Result<TrainingProgress, CheckpointError> {
        let path = self.progress();
        let text = fs::read_to_string(&path).map_err(|error| self.unreadable(&path, &error))?;
        toml::from_str(&text).map_err(|error| self.unreadable(&path, &error.message()))
    }

    /// The network goes first: without it the other files are no checkpoint. Where it stays, so do they, and
    /// the returned line says why.
    fn delete(&self) -> Option<String> {
        let files = [self.network.clone(), self.optimizer(), self.progress()];
        files.iter().find_map(|path| match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Some(format!("cannot delete {}: {error}", path.display()))
            }
            _ => None,
        })
    }

    fn unreadable(&self, path: &Path, why: &dyn ToString) -> CheckpointError {
        CheckpointError::Read {
            path: path.to_owned(),
            why: why.to_string().replace('\n', " "),
            network: self.network.clone(),
        }
    }
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

/// Deletes every checkpoint in `folder` but the `keep` newest ones and the one of step `best`. Returns a line for
/// each that could not be deleted.
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

/// The class names that a network's file holds, by label; `None` where it holds none.
pub(crate) fn classes_of(network: &Path) -> Option<Vec<String>> {
    let mut file = File::open(network).ok()?;
    let mut length = [0; 8];
    file.read_exact(&mut length).ok()?;
    // What it is at most in the format; the first bytes of another file may be anything.
    let most = u64::from_le_bytes(length).min(100_000_000);
    let mut header = Vec::new();
    file.take(most).read_to_end(&mut header).ok()?;
    let header: Metadata = serde_json::from_slice(&header).ok()?;
    serde_json::from_str(header.metadata().as_ref()?.get(CLASSES)?).ok()
}

/// The newest checkpoint in `folder`.
pub(crate) fn newest_checkpoint(folder: &Path) -> Result<SavedCheckpoint, CheckpointError> {
    saved_in(folder)?
        .pop()
        .ok_or_else(|| CheckpointError::Nothing {
            folder: folder.to_owned(),
        })
}

impl Trainer {
    /// Writes a checkpoint into `folder`.
    pub(crate) fn save(
        &self,
        folder: &Path,
        progress: &TrainingProgress,
    ) -> Result<SavedCheckpoint, CheckpointError> {
        let saved = SavedCheckpoint::at(folder, self.steps);
        fs::create_dir_all(folder).map_err(|source| CheckpointError::Write {
            path: folder.to_owned(),
            source,
        })?;
        write_atomically(&saved.optimizer(), |path| {
            let record = self.optimizer.to_record();
            record.save(path).map_err(io::Error::other)
        })?;
        write_atomically(&saved.progress(), |path| {
            fs::write(path, toml::to_string(progress).map_err(io::Error::other)?)
        })?;
        write_atomically(&saved.network, |path| {
            let tensors = self.state_dict(progress.batches_seen);
            write_network(&tensors, &progress.classes, path)
        })?;
        Ok(saved)
    }

    /// The network's parameters and running statistics as torch names and keeps them.
    fn state_dict(&self, batches_seen: u64) -> Vec<(String, TensorData)> {
        let mut tensors = Vec::new();
        for Parameter { name, value, .. } in self.vgg.parameters().0 {
            let counted = self.batches_tracked(&name, batches_seen);
            tensors.push((name, value.into_data()));
            tensors.extend(counted);
        }
        tensors
    }

    /// The `num_batches_tracked` that torch stores after `name`, if it does.
    fn batches_tracked(&self, name: &str, batches_seen: u64) -> Option<(String, TensorData)> {
        let layer = name.strip_suffix(".running_var")?;
        let index: usize = layer.strip_prefix("features.")?.parse().ok()?;
        let learns = (self.settings.frozen).is_none_or(|deepest| index > deepest);
        let count = if learns { batches_seen } else { 0 };
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let count = TensorData::new(vec![count], [0; 0]);
        Some((format!("{layer}.num_batches_tracked"), count))
    }

    /// Loads the optimizer's state; the network must have been built from `saved`.
    pub(crate) fn restore(&mut self, saved: &SavedCheckpoint) -> Result<(), TrainError> {
        let path = saved.optimizer();
        let record = OptimizerRecord::load(&path)
            .map_err(|error| TrainError::Checkpoint(saved.unreadable(&path, &error)))?;
        self.optimizer = self.optimizer.clone().load_record(record);
        self.factors = self.settings.schedule.factors(saved.step)?;
        self.steps = saved.step;
        Ok(())
    }
}

/// Writes a file completely or not at all, even if power fails.
fn write_atomically(
    path: &Path,
    write: impl FnOnce(&Path) -> io::Result<()>,
) -> Result<(), CheckpointError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    let done = write(&part).and_then(|()| durable::rename(&part, path));
    done.map_err(|source| {
        // The error being returned is more useful than one of this.
        let _ = fs::remove_file(&part);
        CheckpointError::Write {
            path: path.to_owned(),
            source,
        }
    })
}

/// The network as PyTorch's `load_state_dict(strict=True)` requires it.
fn write_network(
    tensors: &[(String, TensorData)],
    classes: &[String],
    path: &Path,
) -> io::Result<()> {
    let classes = serde_json::to_string(classes)?;
    // safetensors writes the entries as the map has them, and equal networks give equal files: each new map
    // has an order of its own.
    let metadata = loop {
        let entries = [("format", "pt"), (CLASSES, &classes)];
        let map = HashMap::from(entries.map(|(key, value)| (key.to_owned(), value.to_owned())));
        if map.keys().next().is_some_and(|key| key == CLASSES) {
            break map;
        }
    };
    let mut views = Vec::new();
    for (name, data) in tensors {
        let dtype = match data.dtype() {
            DType::I64 => Dtype::I64,
            _ => Dtype::F32,
        };
        let view = TensorView::new(dtype, data.shape().to_vec(), data.as_bytes());
        views.push((name, view.map_err(io::Error::other)?));
    }
    // safetensors would create it readable by its owner only; an existing file keeps its mode.
    File::create(path)?;
    safetensors::serialize_to_file(views, Some(metadata), path).map_err(io::Error::other)
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
