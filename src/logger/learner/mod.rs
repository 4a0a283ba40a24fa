//! The metrics of Burn's own training loop, [`SupervisedTraining`](burn::train::SupervisedTraining), as a run.
//!
//! ```text
//! let metrics = LearnerMetrics::create("runs/mine", training.interrupter())?;
//! let progress = metrics.progress();
//! training.with_metric_logger(metrics).with_progress_logger(progress).launch(learner)
//! ```
//!
//! | tag | at which step | value |
//! | --- | --- | --- |
//! | `train/METRIC` | every batch | the batch's |
//! | `train/METRIC/epoch` | the last batch of an epoch | the epoch's |
//! | `valid/METRIC` | the same | that of the validation after the epoch |
//! | `epoch` | the same | the number of the epoch, from 1 |
//! | `train/items_per_second` | every batch | how fast the batch was trained on; of [`LearnerProgress`] |
//!
//! A step is a batch of the training, counted from 1 through all epochs. Metrics that are text are not written.
//!
//! `examples/learner.rs` is a whole program, which also logs feature maps at these steps, with a
//! [`FeatureLogger`](super::FeatureLogger) in a folder of its own.

mod earlier;
mod progress;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};

use burn::train::Interrupter;
use burn::train::logger::MetricLogger;
use burn::train::metric::store::{EpochSummary, MetricsUpdate, NumericMetricUpdate, Split};
use burn::train::metric::{MetricDefinition, MetricId, MetricName, NumericEntry};
use tensorboard_events::{EventFile, EventFileError, ReadError, Summary};
use thiserror::Error;

use crate::one_line::one_line;
use earlier::Earlier;
pub use progress::LearnerProgress;

const EPOCH: &str = "epoch";

/// A run of a learner that cannot be begun or resumed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LearnerError {
    /// The event file cannot be created, or the earlier ones cannot be truncated.
    #[error("{0}")]
    Events(#[from] EventFileError),
    /// An event file that is to be resumed cannot be read.
    #[error("{0}")]
    Read(#[from] ReadError),
    /// The folder to resume cannot be listed.
    #[error("cannot list {0}")]
    Folder(PathBuf, #[source] std::io::Error),
    /// The training did not get as far as the checkpoint, or was logged elsewhere.
    #[error(
        "{folder}: the event files end with epoch {last}, expected epoch {expected}, that of the checkpoint"
    )]
    NoEpoch {
        /// The run.
        folder: PathBuf,
        /// The epoch of the checkpoint.
        expected: usize,
        /// The last one in the event files; 0 for none.
        last: usize,
    },
}

/// Writes the numeric metrics of a training as scalars: a [`MetricLogger`] for
/// [`with_metric_logger`](burn::train::SupervisedTraining::with_metric_logger).
///
/// The values of whole epochs are remembered, those before a resumed one too, so that checkpoints can be chosen and
/// trainings stopped early by them. Burn's `summary()` reads files of Burn's own: register a
/// [`FileMetricLogger`](burn::train::logger::FileMetricLogger) as well to have it.
///
/// Where the event file cannot be written, the training is stopped through its interrupter, with the reason. At the
/// end of each epoch the file is on the disk.
pub struct LearnerMetrics {
    file: EventFile,
    interrupter: Interrupter,
    names: HashMap<MetricId, MetricName>,
    step: i64,
    epochs: HashMap<Whole, f64>,
    speeds: Receiver<Speed>,
    speed_sender: Sender<Speed>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Whole {
    split: Split,
    name: String,
    epoch: usize,
}

struct Speed {
    step: i64,
    items_per_second: f64,
}

impl LearnerMetrics {
    /// Begins a run in `folder`, which is made where it is missing.
    ///
    /// # Errors
    ///
    /// The folder or the event file cannot be made.
    pub fn create(
        folder: impl AsRef<Path>,
        interrupter: Interrupter,
    ) -> Result<Self, LearnerError> {
        let file = EventFile::create(folder.as_ref())?;
        Ok(Self::following(file, Earlier::default(), interrupter))
    }

    /// Resumes the run in `folder` after the epoch of a checkpoint, the number that
    /// [`checkpoint`](burn::train::SupervisedTraining::checkpoint) is given: what was written after that epoch is cut
    /// off, and the steps go on from there.
    ///
    /// # Errors
    ///
    /// The event files cannot be read or truncated, or do not have that epoch.
    pub fn resume(
        folder: impl AsRef<Path>,
        checkpoint: usize,
        interrupter: Interrupter,
    ) -> Result<Self, LearnerError> {
        let earlier = Earlier::read(folder.as_ref(), checkpoint)?;
        let file = EventFile::resume(folder.as_ref(), earlier.step + 1)?;
        Ok(Self::following(file, earlier, interrupter))
    }

    fn following(file: EventFile, earlier: Earlier, interrupter: Interrupter) -> Self {
        let (speed_sender, speeds) = channel();
        Self {
            file,
            interrupter,
            names: HashMap::new(),
            step: earlier.step,
            epochs: earlier.epochs,
            speeds,
            speed_sender,
        }
    }

    /// The number of the last step that is written, 0 before the first.
    pub fn step(&self) -> i64 {
        self.step
    }

    /// What logs the speed of the same training, for
    /// [`with_progress_logger`](burn::train::SupervisedTraining::with_progress_logger), and knows its step.
    pub fn progress(&self) -> LearnerProgress {
        LearnerProgress::new(self.step, self.speed_sender.clone())
    }

    fn values(&self, update: &MetricsUpdate) -> Vec<(String, f64)> {
        let value = |metric: &NumericMetricUpdate| {
            let name = self.names.get(&metric.entry.metric_id)?;
            let entry = metric.numeric_entry.as_ref()?;
            Some((name.to_string(), entry.current()))
        };
        update.entries_numeric.iter().filter_map(value).collect()
    }

    fn write(&mut self, step: i64, summaries: Vec<Summary>) {
        if summaries.is_empty() {
            return;
        }
        let written = self.file.write_step(step, summaries);
        self.stop_on(written.map(drop));
    }

    fn stop_on(&self, result: Result<(), EventFileError>) {
        if let Err(error) = result {
            self.interrupter.stop(Some(&one_line(&error)));
        }
    }

    /// The speeds of batches that were counted already; that of the last one may come with the next.
    fn write_speeds(&mut self) {
        for speed in self.speeds.try_iter().collect::<Vec<_>>() {
            let tag = "train/items_per_second";
            self.write(
                speed.step,
                vec![Summary::scalar(tag, speed.items_per_second)],
            );
        }
    }
}

/// Whether an update is of a whole epoch: those of a batch have running values, or none yet.
fn is_of_epoch(update: &MetricsUpdate) -> bool {
    let metrics = &update.entries_numeric;
    !metrics.is_empty()
        && metrics
            .iter()
            .all(|metric| metric.numeric_entry.is_some() && metric.running_entry.is_none())
}

impl MetricLogger for LearnerMetrics {
    fn log(&mut self, update: MetricsUpdate, epoch: usize, split: &Split) {
        let is_of_epoch = is_of_epoch(&update);
        let suffix = match split {
            Split::Train if is_of_epoch => "/epoch",
            Split::Train => {
                self.step += 1;
                ""
            }
            Split::Valid if is_of_epoch => "",
            _ => return,
        };
        let values = self.values(&update);
        let scalar = |(name, value): &(String, f64)| {
            Summary::scalar(format!("{split}/{name}{suffix}"), *value)
        };
        self.write(self.step, values.iter().map(scalar).collect());
        self.write_speeds();
        if is_of_epoch {
            let whole = |(name, value)| {
                (
                    Whole {
                        split: split.clone(),
                        name,
                        epoch,
                    },
                    value,
                )
            };
            self.epochs.extend(values.into_iter().map(whole));
        }
    }

    fn read_numeric(
        &mut self,
        name: &str,
        epoch: usize,
        split: &Split,
    ) -> Result<Vec<NumericEntry>, String> {
        let whole = Whole {
            split: split.clone(),
            name: name.to_owned(),
            epoch,
        };
        let value = self.epochs.get(&whole);
        Ok(value
            .map(|value| NumericEntry::Final(*value))
            .into_iter()
            .collect())
    }

    fn log_metric_definition(&mut self, definition: MetricDefinition) {
        self.names.insert(definition.metric_id, definition.name);
    }

    fn log_epoch_summary(&mut self, summary: EpochSummary) {
        if summary.split == Split::Valid {
            let number = u32::try_from(summary.epoch_number).unwrap_or(u32::MAX);
            self.write(self.step, vec![Summary::scalar(EPOCH, number)]);
            let synced = self.file.sync();
            self.stop_on(synced);
        }
    }
}
