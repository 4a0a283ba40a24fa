//! A training that goes on: step after step, and what is written of each.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::data::{Group, Groups, Reading};
use super::explain::explain;
use super::start::Start;
use super::validate::validate;
use super::{hparams, record};
use crate::config::{Every, Training, as_markdown};
use crate::dataset::Position;
use crate::events::Summary;
use crate::pipeline::RunError;
use crate::pipeline::guard::guarded;
use crate::pipeline::lane::{Lane, OpenStep};
use crate::pipeline::probes::Probes;
use crate::pipeline::report::Ended;
use crate::pipeline::timings::Stage;
use crate::train::{Best, Keeper, Outcome, Progress, Saved, Trainer};

/// A training that goes on.
pub(super) struct Session<'a> {
    pub(super) lane: &'a Lane,
    pub(super) probes: Probes,
    pub(super) training: &'a Training,
    pub(super) reading: Reading,
    pub(super) start: Start,
    pub(super) trainer: Trainer,
    pub(super) progress: Progress,
    pub(super) keeper: Keeper,
    pub(super) total: u64,
    pub(super) last_saved: Option<Saved>,
    /// The resolved configuration, with which the run can go on.
    pub(super) config_file: PathBuf,
    /// Whether no pictures were shown yet: a tag's first value in an event file carries its
    /// description.
    pub(super) first: bool,
    pub(super) ended: Ended,
}

/// What an optimisation step came to.
struct Learnt {
    outcome: Outcome,
    histograms: Vec<Summary>,
    images: usize,
    took: Duration,
}

impl Session<'_> {
    /// Step 0: the network as it begins.
    pub(super) fn begin(&mut self, resolved: &str) -> Result<(), RunError> {
        let Ok(mut open) = self.lane.begin(0, "the network as it begins".to_owned()) else {
            return Ok(());
        };
        open.add("config", Summary::text("config", as_markdown(resolved)));
        for summary in hparams::beginning(resolved) {
            open.add("hparams", summary);
        }
        self.show(&mut open)?;
        open.finish();
        if self.training.save_every != Every::Off {
            self.save()?;
        }
        Ok(())
    }

    pub(super) fn train(&mut self) -> Result<(), RunError> {
        let from = Position {
            epoch: self.progress.epoch,
            batch: self.progress.batch,
        };
        let mut groups = self.reading.train(&self.start.dataset, from)?;
        while self.trainer.steps() < self.total {
            let began = Instant::now();
            let group = self.next_group(&mut groups)?;
            if !self.step(group, began.elapsed())? {
                break;
            }
            if self.lane.interrupt.is_asked() {
                self.save_if_new()?;
                break;
            }
        }
        Ok(())
    }

    /// The next batches. What was learnt is saved before an image that cannot be read ends the run.
    fn next_group(&mut self, groups: &mut Groups) -> Result<Group, RunError> {
        match groups.next() {
            Ok(group) => Ok(group),
            Err(error) => {
                self.save_if_new()?;
                Err(error)
            }
        }
    }

    /// One optimisation step and everything that is written of it; false when the writer stopped.
    /// Its batches were waited for as long as `waited` says.
    fn step(&mut self, group: Group, waited: Duration) -> Result<bool, RunError> {
        let step = self.trainer.steps() + 1;
        let last = step == self.total;
        let ends_epoch = group.position.batch == 0;
        let due = |every: Every| last || every.includes(step, ends_epoch);
        let [show, save, validation] = [
            due(self.training.every),
            due(self.training.save_every),
            due(self.training.validate_every),
        ];
        let with_histograms = self.training.histograms_every.includes(step, ends_epoch);

        let Learnt {
            outcome,
            histograms,
            images,
            took,
        } = self.learn(step, group, with_histograms)?;
        #[expect(clippy::cast_precision_loss, reason = "batches are small")]
        let images_per_second = images as f64 / (waited + took).as_secs_f64();
        let Ok(mut open) = self
            .lane
            .begin(signed(step), title(&outcome, images_per_second))
        else {
            return Ok(false);
        };
        open.laps.record(Stage::Decode, waited);
        open.laps.record(Stage::Train, took);
        let classes = self.start.dataset.classes.len();
        for summary in record::step(&outcome, classes, images_per_second) {
            open.add("scalars", summary);
        }
        for summary in histograms {
            open.add("histograms", summary);
        }
        if show {
            self.show(&mut open)?;
        }
        if validation {
            self.validate(&mut open)?;
        }
        if last {
            open.add("hparams", hparams::end());
        }
        open.finish();
        if save {
            self.save()?;
        }
        Ok(true)
    }

    /// The optimisation step itself.
    fn learn(
        &mut self,
        step: u64,
        group: Group,
        with_histograms: bool,
    ) -> Result<Learnt, RunError> {
        let began = Instant::now();
        let arch = self.lane.arch;
        let seen = group.batches.len() as u64;
        let mut histograms = Vec::new();
        let outcome = guarded(|| {
            self.trainer.step(group.batches, |vgg, gradients| {
                if with_histograms {
                    histograms = record::histograms(vgg, gradients, arch);
                }
            })
        })
        .map_err(|why| RunError::Backend {
            what: format!("step {step}"),
            why,
        })?
        .map_err(|error| explain(error, arch, self.last_saved.as_ref()))?;
        self.ended.skipped.extend(group.skipped);
        self.progress.step = step;
        self.progress.epoch = group.position.epoch;
        self.progress.batch = group.position.batch;
        self.progress.batches_seen += seen;
        Ok(Learnt {
            outcome,
            histograms,
            images: group.images,
            took: began.elapsed(),
        })
    }

    /// The probe images as the network sees them now.
    fn show(&mut self, open: &mut OpenStep) -> Result<(), RunError> {
        let network = self.trainer.network();
        let what = format!("step {}", open.step());
        self.probes
            .show(self.lane, &network, open, &what, self.first)?;
        self.first = false;
        Ok(())
    }

    fn validate(&mut self, open: &mut OpenStep) -> Result<(), RunError> {
        let mut validation = validate(
            &self.trainer.network(),
            &self.start.dataset,
            &self.reading,
            &self.lane.device.device,
            self.training.misclassified,
        )?;
        let score = validation.score;
        for summary in record::scores("val", &score, self.start.dataset.classes.len()) {
            open.add("scalars", summary);
        }
        for skipped in std::mem::take(&mut validation.skipped) {
            if !self.ended.skipped.contains(&skipped) {
                self.ended.skipped.push(skipped);
            }
        }
        validation.show(&self.start.dataset, open);
        let best = Best {
            step: self.trainer.steps(),
            accuracy: score.accuracy(),
            loss: score.loss(),
        };
        if best.beats(self.progress.best.as_ref()) {
            self.progress.best = Some(best);
        }
        Ok(())
    }

    /// Saves a checkpoint, once every step before it is in the event file: a run that goes on from
    /// here begins with the step after it.
    fn save(&mut self) -> Result<(), RunError> {
        if self.lane.writer.flush().is_err() {
            // The writer's own error says more.
            return Ok(());
        }
        let saved = self.trainer.save(&self.keeper.folder, &self.progress)?;
        self.last_saved = Some(saved);
        self.keeper.tidy(self.progress.best.map(|best| best.step))?;
        Ok(())
    }

    fn save_if_new(&mut self) -> Result<(), RunError> {
        let saved = self.last_saved.as_ref().map(|saved| saved.step);
        if saved == Some(self.trainer.steps()) {
            return Ok(());
        }
        self.save()
    }

    pub(super) fn conclude(mut self) -> Ended {
        if let Some(best) = self.progress.best {
            self.ended.notes.push(format!(
                "best validation: {:.1}% right, loss {:.4}, at step {}",
                best.accuracy * 100.0,
                best.loss,
                best.step
            ));
        }
        if let Some(saved) = self.last_saved {
            self.ended
                .notes
                .push(format!("last checkpoint: {}", saved.network.display()));
        }
        if self.trainer.steps() < self.total {
            self.ended.notes.push(format!(
                "go on with:  vggscope train --config {} --resume",
                self.config_file.display()
            ));
        }
        self.ended
    }
}

fn title(outcome: &Outcome, images_per_second: f64) -> String {
    format!(
        "loss {:.4}, {:.0}% right, {images_per_second:.1} images/s",
        outcome.score.loss(),
        outcome.score.accuracy() * 100.0
    )
}

fn signed(step: u64) -> i64 {
    i64::try_from(step).unwrap_or(i64::MAX)
}
