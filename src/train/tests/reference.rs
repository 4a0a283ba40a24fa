//! What PyTorch's loops came to.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::data::labeled::Batch;
use crate::schedule::Decay;
use crate::train::trainer::Samples;
use crate::train::{Optimizer, Schedule, TrainingSettings};
use safetensors::SafeTensors;
use serde::Deserialize;

/// Side of the images.
const SIDE: usize = 32;

pub(crate) fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

/// `train.json` and `train.safetensors`.
pub(crate) struct Reference {
    pub(crate) text: Text,
    tensors: Vec<u8>,
}

#[derive(Deserialize)]
pub(crate) struct Text {
    labels: Vec<usize>,
    /// Name, shape and dtype of everything in a network's state dict.
    pub(crate) state_dicts: BTreeMap<String, Vec<(String, Vec<usize>, String)>>,
    pub(crate) cases: BTreeMap<String, Case>,
}

/// A loop: its settings, and what it came to at every step.
#[derive(Deserialize)]
pub(crate) struct Case {
    pub(crate) arch: String,
    optimizer: String,
    lr: f64,
    #[serde(default)]
    momentum: f64,
    #[serde(default)]
    nesterov: bool,
    weight_decay: f32,
    clip: Option<f64>,
    smoothing: f32,
    warm_up: usize,
    cosine: bool,
    frozen: Option<usize>,
    /// Images of every batch of every step.
    pub(crate) order: Vec<Vec<Vec<usize>>>,
    pub(crate) loss: Vec<f64>,
    pub(crate) gradient_norm: Vec<f64>,
    pub(crate) learning_rate: Vec<f64>,
}

impl Case {
    pub(crate) fn settings(&self) -> TrainingSettings {
        TrainingSettings {
            optimizer: match self.optimizer.as_str() {
                "sgd" => Optimizer::Sgd {
                    momentum: self.momentum,
                    nesterov: self.nesterov,
                },
                "adam" => Optimizer::Adam,
                _ => Optimizer::AdamW,
            },
            weight_decay: self.weight_decay,
            schedule: Schedule {
                learning_rate: self.lr,
                decay: if self.cosine {
                    Decay::Cosine
                } else {
                    Decay::Constant
                },
                warm_up: self.warm_up,
                steps: self.loss.len(),
            },
            max_gradient_norm: self.clip,
            label_smoothing: self.smoothing,
            frozen: self.frozen,
            max_loss: 1000.0,
            seed: 0,
        }
    }
}

impl Reference {
    pub(crate) fn read() -> Self {
        let text = std::fs::read_to_string(fixture("train/train.json")).unwrap();
        Self {
            text: serde_json::from_str(&text).unwrap(),
            tensors: std::fs::read(fixture("train/train.safetensors")).unwrap(),
        }
    }

    /// The tensors whose names begin with `prefix`, without it.
    pub(crate) fn tensors(&self, prefix: &str) -> BTreeMap<String, Vec<f32>> {
        let file = SafeTensors::deserialize(&self.tensors).unwrap();
        file.iter()
            .filter(|(_, view)| view.dtype() == safetensors::Dtype::F32)
            .filter_map(|(name, view)| {
                let name = name.strip_prefix(prefix)?.to_owned();
                Some((name, floats(view.data())))
            })
            .collect()
    }

    /// A batch of these images of the pool.
    pub(crate) fn samples(&self, images: &[usize]) -> Samples {
        let file = SafeTensors::deserialize(&self.tensors).unwrap();
        let pool = file.tensor("pool").unwrap();
        let pool = pool.data().as_chunks::<{ SIDE * SIDE * 3 }>().0;
        let pixels = images.iter().flat_map(|image| pool[*image]);
        let pixels = pixels.map(|byte| f32::from(byte) / 64.0 - 2.0);
        let labels = images.iter().map(|image| self.text.labels[*image]);
        Samples::from(Batch {
            pixels: pixels.collect(),
            labels: labels.collect(),
            height: SIDE,
            width: SIDE,
            ..Batch::default()
        })
    }
}

pub(crate) fn floats(bytes: &[u8]) -> Vec<f32> {
    let (numbers, rest) = bytes.as_chunks::<4>();
    assert!(rest.is_empty());
    numbers.iter().map(|b| f32::from_le_bytes(*b)).collect()
}
