//! One training: step after step, and what is written of each.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use burn::optim::GradientsParams;

use super::batches::{Group, Groups, Reading};
use super::divergence::Divergence;
use super::error::TrainError;
use super::saved::{BestValidation, SavedCheckpoint, TrainingProgress, prune};
use super::score::Score;
use super::trainer::{StepMetrics, Trainer};
use super::validation::{Validation, validate};
use super::{hparams, record};
use crate::analysis::probe::{ProbeActivations, ProbeImages};
use crate::analysis::{ObservedNetwork, Observers, charts};
use crate::data::labeled::{Dataset, Position};
use crate::device::{caught, is_asynchronous};
use crate::interrupt::Interrupt;
use crate::logger::{FeatureLogger, Stage};
use crate::network::ForwardPass;
use crate::network::vgg::Vgg;
use crate::one_line::one_line;
use crate::schedule::Interval;
use tensorboard_events::Summary;

/// What is written of a training. The last step has all of it but histograms.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record {
    pub(crate) every: Interval,
    pub(crate) validate_every: Interval,
    pub(crate) save_every: Interval,
    pub(crate) histograms_every: Interval,
    pub(crate) keep: usize,
    pub(crate) misclassified: usize,
}

pub(crate) struct Session<'a> {
    pub(crate) record: Record,
    pub(crate) pass: &'a ForwardPass,
    pub(crate) interrupt: &'a Interrupt,
    pub(crate) logger: FeatureLogger,
    pub(crate) probes: ProbeImages,
    pub(crate) observers: Option<Observers>,
    pub(crate) dataset: Dataset,
    pub(crate) reading: Reading,
    pub(crate) trainer: Trainer,
    pub(crate) progress: TrainingProgress,
    pub(crate) checkpoints: PathBuf,
    pub(crate) total: u64,
    pub(crate) last_saved: Option<SavedCheckpoint>,
    pub(crate) skipped: Vec<String>,
    pub(crate) undeleted: Vec<String>,
}

struct Learned {
    /// `None` where no image of its batches could be read.
    metrics: Option<StepMetrics>,
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
        let observers = self.observers.as_ref();
        step.summary(charts(&self.pass.wanted, observers, true));
        for summary in hparams::start(config, hyperparameters) {
            step.summary(summary);
        }
        let network = self.trainer.network();
        let observed = self.probes.run(self.pass, &network, "step 0")?;
        if let Some(observers) = &mut self.observers {
            observers.observe(&mut step, &observed)?;
        }
        self.probes.log(observed, &mut step)?;
        step.finish();
        if self.record.save_every != Interval::Never {
            self.save()?;
        }
        Ok(())
    }

    /// Trains to the end, or until it is interrupted. Whatever ends it, what was learned is saved.
    pub(crate) fn train(&mut self) -> Result<(), TrainError> {
        let ended = caught(|| self.take_steps()).unwrap_or_else(|source| {
            let what = format!("step {}", self.trainer.steps() + 1);
            Err(TrainError::Backend { what, source })
        });
        match ended {
            Ok(()) if self.is_saved() => Ok(()),
            Ok(()) => self.save(),
            // The network is not worth saving, or not there.
            Err(error @ (TrainError::Diverged(_) | TrainError::NetworkLost)) => Err(error),
            Err(error) => Err(self.save_before(error)),
        }
    }

    fn take_steps(&mut self) -> Result<(), TrainError> {
        let from = Position {
            epoch: self.progress.epoch,
            batch: self.progress.batch,
        };
        let mut groups = self.reading.train(&self.dataset, from)?;
        while self.trainer.steps() < self.total && !self.interrupt.is_requested() {
            let began = Instant::now();
            let group = groups.next()?;
            self.step(group, began.elapsed(), &mut groups)?;
        }
        Ok(())
    }

    /// Saves what was learned before `error` ends the training, and adds to it where that is not complete.
    fn save_before(&mut self, error: TrainError) -> TrainError {
        let step = self.trainer.steps();
        if step == 0 || self.is_saved() || matches!(error, TrainError::Checkpoint(_)) {
            return error;
        }
        // Even where the event file did not take the last steps: the network is worth more than their record.
        let logged = self.logger.flush();
        self.progress.lacks_events = logged.is_err();
        let kept = match (self.save_network(), logged) {
            (Ok(()), Ok(())) => return error,
            (Ok(()), Err(_)) => format!(
                "step {step} is saved, but the event file lacks the steps that could not be written; resumed, the run makes them again from the checkpoint before"
            ),
            (Err(unsaved), _) => format!(
                "what was learned up to step {step} could not be saved ({})",
                one_line(&unsaved)
            ),
        };
        TrainError::Ended {
            kept,
            source: Box::new(error),
        }
    }

    /// `waited` is how long its batches took to arrive; `coming` are those of the steps after it.
    fn step(
        &mut self,
        group: Group,
        waited: Duration,
        coming: &mut Groups,
    ) -> Result<(), TrainError> {
        let number = self.trainer.steps() + 1;
        let last = number == self.total;
        let ends_epoch = group.position.batch == 0;
        let due = |every: Interval| last || every.includes(number, ends_epoch);
        let with_histograms = self.record.histograms_every.includes(number, ends_epoch);
        if let Some(observers) = self.observers.as_mut().filter(|_| due(self.record.every)) {
            observers.before_update(&ObservedNetwork {
                pass: self.pass,
                network: &self.trainer.network(),
                probes: ProbeActivations::default(),
                name: "the last step",
            })?;
        }
        let learned = self.learn(number, group, coming, with_histograms)?;

        let images_per_second = learned.images as f64 / (waited + learned.took).as_secs_f64();
        let network = self.trainer.network();
        let validated = if due(self.record.validate_every) {
            self.validate(&network).map(Some)
        } else {
            Ok(None)
        };
        let mut step = self
            .logger
            .step(i64::try_from(number).unwrap_or(i64::MAX))?;
        step.set_title(title(learned.metrics.as_ref(), images_per_second));
        step.record(Stage::Decode, waited);
        step.record(Stage::Train, learned.took);
        if let Some(metrics) = &learned.metrics {
            let classes = self.dataset.classes.len();
            for summary in record::step_scalars(metrics, classes, images_per_second) {
                step.summary(summary);
            }
        }
        for summary in learned.histograms {
            step.summary(summary);
        }
        if due(self.record.every) {
            let what = format!("step {number}");
            let observed = self.probes.run(self.pass, &network, &what)?;
            if let Some(observers) = &mut self.observers {
                observers.observe(&mut step, &observed)?;
            }
            self.probes.log(observed, &mut step)?;
        }
        // A validation that failed does not take the step with it.
        let (validation, failed) = match validated {
            Ok(validation) => (validation, None),
            Err(error) => (None, Some(error)),
        };
        let mut improved = false;
        if let Some(validation) = validation {
            improved = note_best(&mut self.progress, number, &validation.score);
            for skipped in validation.log(&self.dataset, &mut step) {
                if !self.skipped.contains(&skipped) {
                    self.skipped.push(skipped);
                }
            }
        }
        if last && failed.is_none() {
            step.summary(hparams::end());
        }
        step.finish();
        // Before the next step moves the parameters: a parameter that is held twice is copied.
        drop(network);
        if let Some(error) = failed {
            return Err(error);
        }
        let best = improved && self.record.save_every != Interval::Never;
        if best || due(self.record.save_every) {
            self.save()?;
        }
        Ok(())
    }

    fn validate(&self, network: &Vgg) -> Result<Validation, TrainError> {
        let (data, reading, most) = (&self.dataset, &self.reading, self.record.misclassified);
        let device = &self.pass.device().device;
        validate(network, data, reading, device, most)
    }

    fn learn(
        &mut self,
        number: u64,
        group: Group,
        coming: &mut Groups,
        with_histograms: bool,
    ) -> Result<Learned, TrainError> {
        let began = Instant::now();
        let mut histograms = Vec::new();
        let metrics = caught(|| {
            if group.batches.is_empty() {
                self.trainer.skip_step();
                return Ok(None);
            }
            let device = self.trainer.device.clone();
            let inspect = |vgg: &Vgg, gradients: &GradientsParams| {
                if is_asynchronous(&device) {
                    coming.upload_ahead(&device);
                }
                if with_histograms {
                    histograms = record::histograms(vgg, gradients);
                }
            };
            self.trainer.step(group.batches, inspect).map(Some)
        })
        .map_err(|source| TrainError::Backend {
            what: format!("step {number}"),
            source,
        })?
        .map_err(|error| match error {
            TrainError::Diverged(divergence) => TrainError::Diverged(Divergence {
                last_good: self.last_saved.as_ref().map(|saved| saved.network.clone()),
                ..divergence
            }),
            error => error,
        })?;
        self.skipped.extend(group.skipped);
        self.progress.step = number;
        self.progress.epoch = group.position.epoch;
        self.progress.batch = group.position.batch;
        Ok(Learned {
            metrics,
            histograms,
            images: group.images,
            took: began.elapsed(),
        })
    }

    /// Once every step before it is in the event file: a run that resumes from here begins with the step after it.
    fn save(&mut self) -> Result<(), TrainError> {
        self.logger.flush()?;
        self.progress.lacks_events = false;
        self.save_network()
    }

    fn save_network(&mut self) -> Result<(), TrainError> {
        if !self.trainer.is_whole() {
            return Err(TrainError::NetworkLost);
        }
        if let Some(observers) = &mut self.observers {
            self.progress.found = toml::to_string(observers.summary()).unwrap_or_default();
        }
        let saved = self.trainer.save(&self.checkpoints, &self.progress)?;
        self.last_saved = Some(saved);
        let best = self.progress.best.map(|best| best.step);
        for note in prune(&self.checkpoints, self.record.keep, best)? {
            // A file that cannot be deleted is tried again at every checkpoint.
            if !self.undeleted.contains(&note) {
                self.undeleted.push(note);
            }
        }
        Ok(())
    }

    fn is_saved(&self) -> bool {
        let saved = self.last_saved.as_ref().map(|saved| saved.step);
        saved == Some(self.trainer.steps())
    }

    pub(crate) fn is_unfinished(&self) -> bool {
        self.trainer.steps() < self.total
    }

    pub(crate) fn notes(&self) -> Vec<String> {
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
        let undeleted = self.undeleted.iter().cloned();
        best.into_iter().chain(saved).chain(undeleted).collect()
    }
}

/// Remembers the best validation so far; true if that of this `step` is.
fn note_best(progress: &mut TrainingProgress, step: u64, score: &Score) -> bool {
    let (accuracy, loss) = (score.accuracy(), score.loss());
    let is_better = |best: BestValidation| (accuracy, -loss) > (best.accuracy, -best.loss);
    let improved = score.samples > 0 && progress.best.is_none_or(is_better);
    if improved {
        progress.best = Some(BestValidation {
            step,
            accuracy,
            loss,
        });
    }
    improved
}

fn title(metrics: Option<&StepMetrics>, images_per_second: f64) -> String {
    let Some(metrics) = metrics else {
        return "no image of this step can be read".to_owned();
    };
    format!(
        "loss {:.4}, accuracy {:.0}%, {images_per_second:.1} images/s",
        metrics.score.loss(),
        metrics.score.accuracy() * 100.0
    )
}
