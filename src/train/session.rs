//! One training: step after step, and what is written of each.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::batches::{Group, Groups, Reading};
use super::checkpoint::{BestValidation, SavedCheckpoint, TrainingProgress};
use super::error::TrainError;
use super::prune::prune_checkpoints;
use super::trainer::{StepMetrics, Trainer};
use super::validation::validate;
use super::{hparams, record};
use crate::dataset::{Dataset, Position};
use crate::device::guarded;
use crate::events::Summary;
use crate::interrupt::Interrupt;
use crate::logger::{FeatureLogger, Stage};
use crate::probe::{Capture, ProbeImages};
use crate::settings::{Every, RecordSettings};

/// A training and everything it needs.
pub(crate) struct Session<'a> {
    pub(crate) record: &'a RecordSettings,
    pub(crate) capture: &'a Capture,
    pub(crate) interrupt: &'a Interrupt,
    pub(crate) logger: FeatureLogger,
    pub(crate) probes: ProbeImages,
    pub(crate) dataset: Dataset,
    pub(crate) reading: Reading,
    pub(crate) trainer: Trainer,
    pub(crate) progress: TrainingProgress,
    pub(crate) checkpoints: PathBuf,
    /// Optimization steps of the whole training.
    pub(crate) total: u64,
    pub(crate) last_saved: Option<SavedCheckpoint>,
    /// Files that were left out, each with the reason.
    pub(crate) skipped: Vec<String>,
}

/// What an optimization step gave.
struct Learned {
    metrics: StepMetrics,
    histograms: Vec<Summary>,
    images: usize,
    took: Duration,
}

impl Session<'_> {
    /// Logs step 0: the network before the first optimization step. `markdown` is the resolved
    /// configuration, as text for TensorBoard, and `hyperparameters` are the settings that runs are compared by.
    pub(crate) fn begin(
        &mut self,
        config: &str,
        markdown: String,
        hyperparameters: &[String],
    ) -> Result<(), TrainError> {
        let mut step = self.logger.step(0)?;
        step.set_title("before training");
        step.text("config", markdown);
        for summary in hparams::start(config, hyperparameters) {
            step.summary(summary);
        }
        let network = self.trainer.network();
        self.probes
            .log(self.capture, &network, &mut step, "step 0")?;
        step.finish();
        if self.record.save_every != Every::Off {
            self.save()?;
        }
        Ok(())
    }

    /// Trains to the end, or until it is interrupted.
    pub(crate) fn train(&mut self) -> Result<(), TrainError> {
        let from = Position {
            epoch: self.progress.epoch,
            batch: self.progress.batch,
        };
        let mut groups = self.reading.train(&self.dataset, from)?;
        while self.trainer.steps() < self.total {
            let began = Instant::now();
            let group = self.next_group(&mut groups)?;
            self.step(group, began.elapsed())?;
            if self.interrupt.is_requested() {
                return self.save_if_new();
            }
        }
        Ok(())
    }

    /// The next batches. What was learned is saved before an image that cannot be read ends the run.
    fn next_group(&mut self, groups: &mut Groups) -> Result<Group, TrainError> {
        match groups.next() {
            Ok(group) => Ok(group),
            Err(error) => {
                self.save_if_new()?;
                Err(error.into())
            }
        }
    }

    /// One optimization step and everything that is written of it. `waited` is how long its batches took
    /// to arrive.
    fn step(&mut self, group: Group, waited: Duration) -> Result<(), TrainError> {
        let number = self.trainer.steps() + 1;
        let last = number == self.total;
        let ends_epoch = group.position.batch == 0;
        let due = |every: Every| last || every.includes(number, ends_epoch);
        let with_histograms = self.record.histograms_every.includes(number, ends_epoch);
        let learned = self.learn(number, group, with_histograms)?;

        #[expect(clippy::cast_precision_loss, reason = "batches are small")]
        let images_per_second = learned.images as f64 / (waited + learned.took).as_secs_f64();
        let mut step = self
            .logger
            .step(i64::try_from(number).unwrap_or(i64::MAX))?;
        step.set_title(title(&learned.metrics, images_per_second));
        step.record(Stage::Decode, waited);
        step.record(Stage::Train, learned.took);
        let classes = self.dataset.classes.len();
        let scalars = record::step_scalars(&learned.metrics, classes, images_per_second);
        for summary in scalars.into_iter().chain(learned.histograms) {
            step.summary(summary);
        }
        let network = self.trainer.network();
        if due(self.record.every) {
            let what = format!("step {number}");
            self.probes.log(self.capture, &network, &mut step, &what)?;
        }
        if due(self.record.validate_every) {
            let validation = validate(
                &network,
                &self.dataset,
                &self.reading,
                &self.capture.device.device,
                self.record.misclassified,
            )?;
            let best = BestValidation {
                step: number,
                accuracy: validation.score.accuracy(),
                loss: validation.score.loss(),
            };
            if best.improves_on(self.progress.best.as_ref()) {
                self.progress.best = Some(best);
            }
            for skipped in validation.log(&self.dataset, &mut step)? {
                if !self.skipped.contains(&skipped) {
                    self.skipped.push(skipped);
                }
            }
        }
        if last {
            step.summary(hparams::end());
        }
        step.finish();
        // Before the next step moves the parameters: a parameter that is held twice is copied.
        drop(network);
        if due(self.record.save_every) {
            self.save()?;
        }
        Ok(())
    }

    /// The optimization step itself.
    fn learn(
        &mut self,
        number: u64,
        group: Group,
        with_histograms: bool,
    ) -> Result<Learned, TrainError> {
        let began = Instant::now();
        let arch = self.capture.arch;
        let seen = group.batches.len() as u64;
        let mut histograms = Vec::new();
        let metrics = guarded(|| {
            self.trainer.step(group.batches, |vgg, gradients| {
                if with_histograms {
                    histograms = record::histograms(vgg, gradients, arch);
                }
            })
        })
        .map_err(|why| TrainError::Backend {
            what: format!("step {number}"),
            why,
        })?
        .map_err(|error| match error {
            TrainError::Diverged(divergence) => {
                let last = self.last_saved.as_ref().map(|saved| &*saved.network);
                TrainError::Explained(divergence.explain(arch, last))
            }
            error => error,
        })?;
        self.skipped.extend(group.skipped);
        self.progress.step = number;
        self.progress.epoch = group.position.epoch;
        self.progress.batch = group.position.batch;
        self.progress.batches_seen += seen;
        Ok(Learned {
            metrics,
            histograms,
            images: group.images,
            took: began.elapsed(),
        })
    }

    /// Saves a checkpoint, once every step before it is in the event file: a run that resumes from here
    /// begins with the step after it.
    fn save(&mut self) -> Result<(), TrainError> {
        self.logger.flush()?;
        let saved = self.trainer.save(&self.checkpoints, &self.progress)?;
        self.last_saved = Some(saved);
        let best = self.progress.best.map(|best| best.step);
        prune_checkpoints(&self.checkpoints, self.record.keep.number(), best)?;
        Ok(())
    }

    fn save_if_new(&mut self) -> Result<(), TrainError> {
        let saved = self.last_saved.as_ref().map(|saved| saved.step);
        if saved == Some(self.trainer.steps()) {
            return Ok(());
        }
        self.save()
    }

    /// What there is to say at the end, a line each; `config_file` is what a resumed run reads.
    pub(crate) fn notes(&self, config_file: &Path) -> Vec<String> {
        let best = self.progress.best.map(|best| {
            format!(
                "best validation: accuracy {:.1}%, loss {:.4}, at step {}",
                best.accuracy * 100.0,
                best.loss,
                best.step
            )
        });
        let saved = self
            .last_saved
            .as_ref()
            .map(|saved| format!("last checkpoint: {}", saved.network.display()));
        let resume = (self.trainer.steps() < self.total).then(|| {
            format!(
                "to resume:  vggscope train --config {} --resume",
                config_file.display()
            )
        });
        best.into_iter().chain(saved).chain(resume).collect()
    }
}

fn title(metrics: &StepMetrics, images_per_second: f64) -> String {
    format!(
        "loss {:.4}, accuracy {:.0}%, {images_per_second:.1} images/s",
        metrics.score.loss(),
        metrics.score.accuracy() * 100.0
    )
}
