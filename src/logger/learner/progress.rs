//! The speed of a training, and its step.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::sync::mpsc::Sender;
use std::time::Instant;

use burn::train::logger::TrainingProgressLogger;
use burn::train::metric::store::Split;

use super::Speed;

/// Has [`LearnerMetrics`](super::LearnerMetrics) write how fast the batches of a training are, and counts them: a
/// [`TrainingProgressLogger`] for [`with_progress_logger`](burn::train::SupervisedTraining::with_progress_logger).
pub struct LearnerProgress {
    step: Arc<AtomicI64>,
    speeds: Sender<Speed>,
    is_training: bool,
    /// Of the split so far.
    items: usize,
    since: Instant,
}

impl LearnerProgress {
    pub(super) fn new(step: i64, speeds: Sender<Speed>) -> Self {
        Self {
            step: Arc::new(AtomicI64::new(step)),
            speeds,
            is_training: false,
            items: 0,
            since: Instant::now(),
        }
    }

    /// The number of the last batch whose metrics were computed, for a metric that logs something else at the same
    /// step: in a metric of the validation it is the last one of the epoch.
    pub fn step(&self) -> Arc<AtomicI64> {
        Arc::clone(&self.step)
    }
}

impl TrainingProgressLogger for LearnerProgress {
    fn start_split(&mut self, split: &str, _total_items: usize) {
        self.is_training = split == Split::Train.to_string();
        self.items = 0;
        self.since = Instant::now();
    }

    fn update_split(&mut self, items_processed: usize) {
        if !self.is_training {
            return;
        }
        let step = self.step.fetch_add(1, Relaxed) + 1;
        let items = items_processed.saturating_sub(self.items);
        let items = u32::try_from(items).map_or(f64::NAN, f64::from);
        let items_per_second = items / self.since.elapsed().as_secs_f64();
        self.items = items_processed;
        self.since = Instant::now();
        // Nobody listens any more where the metrics are not logged.
        let _ = self.speeds.send(Speed {
            step,
            items_per_second,
        });
    }

    fn start(
        &mut self,
        _epochs: usize,
        _first: usize,
        _items: Option<usize>,
        _label: Option<&str>,
    ) {
    }
    fn update_epoch(&mut self, _epoch: usize) {}
    fn end_split(&mut self) {}
    fn end(&mut self) {}
    fn log_event_training(&mut self, _event: String) {}
}
