//! A trainer saved and restored.
//!
//! A checkpoint of step 100 is three files: `step_000100.safetensors`, the network under torchvision's
//! names, loadable by PyTorch; `step_000100.optimiser`, Burn's record of the optimiser; and
//! `step_000100.toml`, where in the data the training is. Each is written under another name and
//! renamed, the network last, so that a network that is there is a checkpoint that is whole.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use burn::optim::OptimizerRecord;
use burn::tensor::TensorData;
use safetensors::{Dtype, View};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::TrainError;
use super::trainer::Trainer;
use crate::vgg::{Named, ParameterVisitor};

/// Where a training is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// Steps that were taken.
    pub step: u64,
    /// The epoch of the next batch, from 0.
    pub epoch: u64,
    /// The place of the next batch in its epoch, from 0.
    pub batch: u64,
    /// Samples in a batch, in which `batch` is counted.
    pub batch_size: usize,
    /// Training samples in an epoch.
    pub samples: usize,
    /// Batches that this training showed the network, for `num_batches_tracked` of the batch
    /// normalisation that learns. Nothing computes with it, but torch's strict loading asks for it.
    pub batches_seen: u64,
    /// The step with the best validation so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<Best>,
    /// Class names; a class is its place here.
    pub classes: Vec<String>,
}

impl Progress {
    /// The same place for a run with batches of `batch_size` out of `samples` an epoch. Where it falls
    /// into a batch, that batch comes again as a whole; what is behind the last one is the next epoch.
    #[must_use]
    pub fn counted_in(mut self, batch_size: usize, samples: usize) -> Self {
        let learnt = self.batch.saturating_mul(self.batch_size as u64);
        if learnt < samples as u64 {
            self.batch = learnt / (batch_size.max(1) as u64);
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
pub struct Best {
    /// The step it was at.
    pub step: u64,
    /// Share of the validation samples that were right.
    pub accuracy: f64,
    /// Mean loss, which decides between equal accuracies.
    pub loss: f64,
}

impl Best {
    /// Whether this is better than `other`.
    #[must_use]
    pub fn beats(&self, other: Option<&Self>) -> bool {
        other.is_none_or(|other| (self.accuracy, -self.loss) > (other.accuracy, -other.loss))
    }
}

/// A checkpoint that cannot be written or read.
#[derive(Debug, Error)]
pub enum CheckpointError {
    /// It cannot be written.
    #[error("cannot write the checkpoint {path}: make room on that disk, then go on with --resume")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It cannot be written, in safetensors' words.
    #[error("cannot write the checkpoint {path}: {why}")]
    Format {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The folder cannot be looked into.
    #[error("cannot look for checkpoints in {folder}")]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// What belongs to the network is missing or damaged.
    #[error(
        "{path} cannot be read: {why}; delete {network} to resume from the checkpoint before it"
    )]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
        /// The network's file.
        network: PathBuf,
    },
    /// There is nothing to go on from.
    #[error(
        "nothing to resume: {folder} holds no checkpoint (step_000100.safetensors); start without --resume, in another --run"
    )]
    Nothing {
        /// The folder.
        folder: PathBuf,
    },
}

/// A checkpoint in a folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Saved {
    /// Steps that were taken.
    pub step: u64,
    /// The network's file; the others stand beside it.
    pub network: PathBuf,
}

impl Saved {
    /// The checkpoint of `step` in `folder`.
    #[must_use]
    pub fn at(folder: &Path, step: u64) -> Self {
        Self {
            step,
            network: folder.join(format!("step_{step:06}.safetensors")),
        }
    }

    /// The optimiser's file.
    #[must_use]
    pub fn optimiser(&self) -> PathBuf {
        self.network.with_extension("optimiser")
    }

    /// The file that says where in the data the training is.
    #[must_use]
    pub fn progress(&self) -> PathBuf {
        self.network.with_extension("toml")
    }

    /// Reads where the training was.
    ///
    /// # Errors
    ///
    /// The file is missing or damaged.
    pub fn read_progress(&self) -> Result<Progress, CheckpointError> {
        let path = self.progress();
        let text = fs::read_to_string(&path).map_err(|error| self.unreadable(&path, &error))?;
        toml::from_str(&text).map_err(|error| self.unreadable(&path, &error.message()))
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
pub(super) fn saved_in(folder: &Path) -> Result<Vec<Saved>, CheckpointError> {
    let failed = |source| CheckpointError::Folder {
        folder: folder.to_owned(),
        source,
    };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut saved = Vec::new();
    for entry in entries {
        let name = entry.map_err(failed)?.file_name();
        let step = name
            .to_str()
            .and_then(|name| name.strip_prefix("step_")?.strip_suffix(".safetensors"))
            .and_then(|digits| digits.parse().ok());
        saved.extend(step.map(|step| Saved::at(folder, step)));
    }
    saved.sort();
    Ok(saved)
}

/// The newest checkpoint in `folder`.
///
/// # Errors
///
/// There is none; the folder cannot be read.
pub fn newest(folder: &Path) -> Result<Saved, CheckpointError> {
    saved_in(folder)?
        .pop()
        .ok_or_else(|| CheckpointError::Nothing {
            folder: folder.to_owned(),
        })
}

impl Trainer {
    /// Writes a checkpoint into `folder`.
    ///
    /// # Errors
    ///
    /// The disk is full or the folder cannot be written to; what was there stays.
    pub fn save(&self, folder: &Path, progress: &Progress) -> Result<Saved, CheckpointError> {
        let saved = Saved::at(folder, self.steps);
        fs::create_dir_all(folder).map_err(|source| CheckpointError::Write {
            path: folder.to_owned(),
            source,
        })?;
        whole(&saved.optimiser(), |path| {
            let record = self.optimiser.to_record();
            record.save(path).map_err(std::io::Error::other)
        })?;
        let text = toml::to_string(progress).map_err(|error| CheckpointError::Format {
            path: saved.progress(),
            why: error.to_string(),
        })?;
        whole(&saved.progress(), |path| fs::write(path, &text))?;
        whole(&saved.network, |path| {
            let mut tensors = Collected {
                batches_seen: progress.batches_seen,
                frozen: self.settings.frozen,
                tensors: Vec::new(),
            };
            self.vgg.each_parameter(&mut tensors);
            write_network(tensors.tensors, path)
        })?;
        Ok(saved)
    }

    /// Takes up the optimiser's state; the network was built from `saved` already.
    ///
    /// # Errors
    ///
    /// The optimiser's file is missing or damaged; the schedule cannot be.
    pub fn restore(&mut self, saved: &Saved) -> Result<(), TrainError> {
        let path = saved.optimiser();
        let record = OptimizerRecord::load(&path)
            .map_err(|error| TrainError::Checkpoint(saved.unreadable(&path, &error)))?;
        self.optimiser = self.optimiser.clone().load_record(record);
        self.continue_from(saved.step)
    }
}

/// Writes a file so that it is either all there or not at all, also when the power goes.
fn whole(
    path: &Path,
    write: impl FnOnce(&Path) -> std::io::Result<()>,
) -> Result<(), CheckpointError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    let done = write(&part)
        .and_then(|()| File::open(&part)?.sync_all())
        .and_then(|()| fs::rename(&part, path));
    done.map_err(|source| {
        // The error that is on its way says more than a failure of this would.
        let _ = fs::remove_file(&part);
        CheckpointError::Write {
            path: path.to_owned(),
            source,
        }
    })
}

/// The network as PyTorch's `load_state_dict(strict=True)` wants it.
fn write_network(tensors: Vec<(String, Values)>, path: &Path) -> std::io::Result<()> {
    // One word alone: safetensors writes several in any order, and the files of equal networks are equal.
    let about = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    // safetensors would create the file for its owner alone; one that is there keeps its mode.
    File::create(path)?;
    safetensors::serialize_to_file(tensors, Some(about), path).map_err(std::io::Error::other)
}

struct Collected {
    batches_seen: u64,
    /// The deepest layer that stays, and its statistics with it.
    frozen: Option<usize>,
    tensors: Vec<(String, Values)>,
}

impl ParameterVisitor for Collected {
    fn visit<const D: usize>(&mut self, parameter: Named<D>) {
        let values = Values {
            data: parameter.value.into_data(),
            dtype: Dtype::F32,
        };
        let counted = self.counted_beside(&parameter.name);
        self.tensors.push((parameter.name, values));
        self.tensors.extend(counted);
    }
}

impl Collected {
    /// The count that torch has behind the statistic `name`, if it has one there.
    fn counted_beside(&self, name: &str) -> Option<(String, Values)> {
        let layer = name.strip_suffix(".running_var")?;
        let index: usize = layer.strip_prefix("features.")?.parse().ok()?;
        let learns = self.frozen.is_none_or(|deepest| index > deepest);
        let count = if learns { self.batches_seen } else { 0 };
        let values = Values {
            data: TensorData::new(vec![i64::try_from(count).unwrap_or(i64::MAX)], [0; 0]),
            dtype: Dtype::I64,
        };
        Some((format!("{layer}.num_batches_tracked"), values))
    }
}

struct Values {
    data: TensorData,
    dtype: Dtype,
}

impl View for Values {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        self.data.shape()
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self.data.as_bytes())
    }

    fn data_len(&self) -> usize {
        self.data.as_bytes().len()
    }
}
