//! Saving and restoring a trainer.
//!
//! A checkpoint of step 100 is three files: `step_000100.safetensors`, the network under torchvision's
//! names, loadable by PyTorch; `step_000100.optimizer`, Burn's record of the optimizer; and
//! `step_000100.toml`, the position in the data, with the settings and checksums of the others. Each is written under
//! another name and renamed, the network last: a checkpoint whose network exists is complete.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use burn::tensor::{DType, TensorData};
use safetensors::tensor::{Metadata, TensorView};
use safetensors::{Dtype, SafeTensorError};

use super::error::{CheckpointError, TrainError};
use super::saved::{Checksums, SavedCheckpoint, TrainingProgress, checksum};
use super::trainer::Trainer;
use crate::device::caught;
use crate::durable;
use crate::network::vgg::Feature;
use crate::network::{Network, Parameter};

/// The key of the class names, as JSON, in the metadata of a network's file.
const CLASSES: &str = "classes";

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

impl Trainer {
    pub(crate) fn save(
        &self,
        folder: &Path,
        progress: &TrainingProgress,
    ) -> Result<SavedCheckpoint, CheckpointError> {
        let saved = SavedCheckpoint::at(folder, self.steps);
        durable::make_folder(folder).map_err(|source| CheckpointError::Write {
            path: folder.to_owned(),
            source,
        })?;
        let failed = |path: PathBuf| |source| CheckpointError::Write { path, source };
        let optimizer = saved.optimizer();
        durable::write(&optimizer, |path| {
            let record = self.optimizer.to_record();
            record.save(path).map_err(io::Error::other)
        })
        .map_err(failed(optimizer.clone()))?;
        durable::write(&saved.network, |path| {
            let tensors = self.state_dict();
            write_network(&tensors, &progress.classes, path)?;
            let checksums = Some(Checksums {
                optimizer: checksum(&optimizer)?,
                network: checksum(path)?,
            });
            let progress = toml::to_string(&TrainingProgress {
                checksums,
                ..progress.clone()
            });
            let progress = progress.map_err(io::Error::other)?;
            durable::write(&saved.progress(), |path| fs::write(path, progress))
        })
        .map_err(failed(saved.network.clone()))?;
        Ok(saved)
    }

    /// The network's parameters and running statistics as torch names and keeps them.
    fn state_dict(&self) -> Vec<(String, TensorData)> {
        let mut tensors = Vec::new();
        for Parameter { name, value, .. } in self.vgg.parameters().0 {
            let counted = self.batches_tracked(&name);
            tensors.push((name, value.into_data()));
            tensors.extend(counted);
        }
        tensors
    }

    /// The `num_batches_tracked` that torch stores after `name`, if it does.
    fn batches_tracked(&self, name: &str) -> Option<(String, TensorData)> {
        let layer = name.strip_suffix(".running_var")?;
        let index: usize = layer.strip_prefix("features.")?.parse().ok()?;
        let Feature::BatchNorm(norm) = self.vgg.features.get(index)? else {
            return None;
        };
        let learns = (self.settings.frozen).is_none_or(|deepest| index > deepest);
        let seen = if learns { self.batches } else { 0 };
        let count = norm.batches_tracked.saturating_add(seen);
        let count = TensorData::new(vec![count], [0; 0]);
        Some((format!("{layer}.num_batches_tracked"), count))
    }

    /// Loads the optimizer's state; the network must have been built from `saved`.
    pub(crate) fn restore(&mut self, saved: &SavedCheckpoint) -> Result<(), TrainError> {
        let record = saved.read_optimizer()?;
        // Burn panics at a record that it does not like.
        let loaded = caught(|| self.optimizer.clone().load_record(record));
        self.optimizer = loaded.map_err(|error| saved.unreadable(&saved.optimizer(), &error))?;
        self.factors = self.settings.schedule.factors(saved.step)?;
        self.steps = saved.step;
        Ok(())
    }
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
    // safetensors puts a file in its place that only its owner may read.
    let permissions = File::create(path)?.metadata()?.permissions();
    safetensors::serialize_to_file(views, Some(metadata), path).map_err(|error| match error {
        SafeTensorError::IoError(error) => error,
        error => io::Error::other(error),
    })?;
    fs::set_permissions(path, permissions)
}
