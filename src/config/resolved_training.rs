//! The training's part of the resolved configuration.

use std::path::PathBuf;

use serde::Serialize;

use super::resolved::absolute;
use super::train_words::schedule_word;
use super::training::{Length, Training};
use crate::train::Optimiser;

/// Every setting of a training with the value it took.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct ResolvedTraining {
    data: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    epochs: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<u64>,
    batch_size: usize,
    accumulate: usize,
    val_fraction: f64,
    no_augment: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    scale: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aspect: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flip: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jitter: Option<String>,
    optimizer: &'static str,
    learning_rate: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    momentum: Option<f64>,
    nesterov: bool,
    weight_decay: f64,
    schedule: String,
    warm_up: usize,
    clip_norm: String,
    label_smoothing: f64,
    dropout: f64,
    freeze: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hidden: Option<usize>,
    width: f64,
    stop_above: f64,
    every: String,
    validate_every: String,
    save_every: String,
    histograms_every: String,
    keep: String,
    misclassified: usize,
}

impl From<&Training> for ResolvedTraining {
    fn from(training: &Training) -> Self {
        let (optimizer, momentum, nesterov) = match training.optimiser {
            Optimiser::Sgd { momentum, nesterov } => ("sgd", Some(momentum), nesterov),
            Optimiser::Adam => ("adam", None, false),
            Optimiser::AdamW => ("adamw", None, false),
        };
        let augment = training.augment;
        Self {
            data: absolute(&training.data),
            epochs: match training.length {
                Length::Epochs(epochs) => Some(epochs),
                Length::Steps(_) => None,
            },
            steps: match training.length {
                Length::Epochs(_) => None,
                Length::Steps(steps) => Some(steps),
            },
            batch_size: training.batch_size,
            accumulate: training.accumulate,
            val_fraction: training.val_fraction,
            no_augment: augment.is_none(),
            scale: augment.map(|augment| augment.scale.to_string()),
            aspect: augment.map(|augment| augment.aspect.to_string()),
            flip: augment.map(|augment| augment.flip),
            jitter: augment.map(|augment| augment.jitter.to_string()),
            optimizer,
            learning_rate: training.learning_rate,
            momentum,
            nesterov,
            weight_decay: training.weight_decay,
            schedule: schedule_word(training.decay),
            warm_up: training.warm_up,
            clip_norm: training
                .clip_norm
                .map_or_else(|| "off".to_owned(), |norm| norm.to_string()),
            label_smoothing: training.label_smoothing,
            dropout: training.dropout,
            freeze: training.freeze.to_string(),
            hidden: training.hidden,
            width: training.width,
            stop_above: training.stop_above,
            every: training.every.to_string(),
            validate_every: training.validate_every.to_string(),
            save_every: training.save_every.to_string(),
            histograms_every: training.histograms_every.to_string(),
            keep: training.keep.to_string(),
            misclassified: training.misclassified,
        }
    }
}
