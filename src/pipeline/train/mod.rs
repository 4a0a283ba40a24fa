//! A training: optimisation steps, and at every one of them what the network sees.
//!
//! ```text
//! loader threads       this thread                          rendering threads    writer thread
//! decode, augment ───> step, probe images' forward pass ──> render, encode ────> event file
//!                      validation, checkpoints
//! ```
//!
//! Step 0 is the network as it begins; step N what it is after N optimisation steps.

mod data;
mod graph;
mod hparams;
mod record;
mod start;
mod validate;

use std::path::PathBuf;
use std::time::Instant;

use burn::tensor::Device;

pub(super) use start::{Start, open};

use self::data::{Group, Groups, Reading};
use self::start::checkpoints_folder;
use self::validate::validate;
use super::RunError;
use super::guard::guarded;
use super::lane::{Lane, OpenStep};
use super::probes::Probes;
use super::report::Ended;
use super::timings::Stage;
use crate::config::{Config, Every, Training, as_markdown};
use crate::dataset::Position;
use crate::events::Summary;
use crate::input::list::ImageFile;
use crate::train::{
    Best, Keeper, Optimisation, Outcome, Place, Progress, Saved, Schedule, TrainError, Trainer,
    Trouble,
};

/// Trains to the end, or until it is asked to end.
pub(super) fn run(
    lane: &Lane,
    start: Start,
    images: &[ImageFile],
    config: &Config,
    training: &Training,
    resolved: &str,
) -> Result<Ended, RunError> {
    let (_, total) = start.taken_and_total(config, training)?;
    let mut ended = Ended::default();
    let probes = Probes::load(lane, images, config, &mut ended.skipped)?;
    let reading = Reading::new(config, training);
    let device = lane.device.device.clone().autodiff();
    let mut session = Session {
        lane,
        probes,
        training,
        steps_per_epoch: reading.steps_per_epoch(&start.dataset),
        total,
        keeper: Keeper {
            folder: checkpoints_folder(&config.run_folder()),
            newest: training.keep.count(),
        },
        trainer: trainer(lane, &start, config, training, total, &device)?,
        progress: start.resumed.as_ref().map_or_else(
            || Progress {
                classes: start.dataset.classes.clone(),
                ..Progress::default()
            },
            |(_, progress)| progress.clone(),
        ),
        last_saved: start.resumed.as_ref().map(|(saved, _)| saved.clone()),
        config_file: config.run_folder().join("config.toml"),
        reading,
        first: true,
        start,
        ended,
    };
    // What goes on from step 0 has written that already.
    if session.start.resumed.is_none() {
        session.begin(resolved)?;
    }
    session.train()?;
    Ok(session.conclude())
}

fn trainer(
    lane: &Lane,
    start: &Start,
    config: &Config,
    training: &Training,
    total: u64,
    device: &Device,
) -> Result<Trainer, RunError> {
    let vgg = start
        .network(device, lane.device.prefers_interleaved())?
        .with_dropout(training.dropout);
    #[expect(clippy::cast_possible_truncation, reason = "Burn takes f32 here")]
    let settings = Optimisation {
        optimiser: training.optimiser,
        weight_decay: training.weight_decay as f32,
        schedule: Schedule {
            learning_rate: training.learning_rate,
            decay: training.decay,
            warm_up: training.warm_up,
            steps: usize::try_from(total).unwrap_or(usize::MAX),
        },
        clip_norm: training.clip_norm,
        label_smoothing: training.label_smoothing as f32,
        frozen: start.frozen,
        highest_loss: training.stop_above,
        seed: config.seed,
    };
    let mut trainer = Trainer::new(vgg, settings, device)?;
    if let Some((saved, _)) = &start.resumed {
        trainer.restore(saved)?;
    }
    Ok(trainer)
}

/// A training that goes on.
struct Session<'a> {
    lane: &'a Lane,
    probes: Probes,
    training: &'a Training,
    reading: Reading,
    start: Start,
    trainer: Trainer,
    progress: Progress,
    keeper: Keeper,
    steps_per_epoch: u64,
    total: u64,
    last_saved: Option<Saved>,
    /// The resolved configuration, with which the run can go on.
    config_file: PathBuf,
    /// Whether no pictures were shown yet: a tag's first value in an event file carries its
    /// description.
    first: bool,
    ended: Ended,
}

impl Session<'_> {
    /// Step 0: the network as it begins.
    fn begin(&mut self, resolved: &str) -> Result<(), RunError> {
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

    fn train(&mut self) -> Result<(), RunError> {
        let from = Position {
            epoch: self.progress.epoch,
            batch: self.progress.batch,
        };
        let mut groups = self.reading.train(&self.start.dataset, from)?;
        while self.trainer.steps() < self.total {
            let group = self.next_group(&mut groups)?;
            if !self.step(group)? {
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
    fn step(&mut self, group: Group) -> Result<bool, RunError> {
        let step = self.trainer.steps() + 1;
        let last = step == self.total;
        let due = |every: Every| last || every.includes(step, self.steps_per_epoch);
        let [show, save, validation] = [
            due(self.training.every),
            due(self.training.save_every),
            due(self.training.validate_every),
        ];
        let with_histograms = self
            .training
            .histograms_every
            .includes(step, self.steps_per_epoch);

        let began = Instant::now();
        let Group {
            batches,
            images,
            position,
            skipped,
        } = group;
        self.ended.skipped.extend(skipped);
        self.progress.batches_seen += batches.len() as u64;
        let mut histograms = Vec::new();
        let arch = self.lane.arch;
        let outcome = guarded(|| {
            self.trainer.step(batches, |vgg, gradients| {
                if with_histograms {
                    histograms = record::histograms(vgg, gradients, arch);
                }
            })
        })
        .map_err(|why| RunError::Backend {
            what: format!("step {step}"),
            why,
        })?;
        let outcome = outcome.map_err(|error| self.explain(error))?;
        let took = began.elapsed();
        self.progress.step = step;
        self.progress.epoch = position.epoch;
        self.progress.batch = position.batch;

        #[expect(clippy::cast_precision_loss, reason = "batches are small")]
        let images_per_second = images as f64 / took.as_secs_f64();
        let Ok(mut open) = self
            .lane
            .begin(signed(step), title(&outcome, images_per_second))
        else {
            return Ok(false);
        };
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

    /// Says where a loss that is not finite comes from, and what can be done.
    fn explain(&self, error: TrainError) -> RunError {
        let TrainError::Trouble(Trouble {
            step,
            symptom,
            place,
        }) = error
        else {
            return error.into();
        };
        let layers = self.lane.arch.layers();
        RunError::Trouble {
            what: format!("step {step}: {symptom}"),
            place: match place {
                Place::Parameter(name) => format!("the parameter {name} is not finite"),
                Place::Layer(index) => {
                    let layer = layers
                        .get(index)
                        .map_or_else(String::new, |layer| layer.name());
                    format!(
                        "{layer} (features.{index}) is the first layer whose maps are not finite"
                    )
                }
                Place::Classifier => {
                    "all feature maps are finite, the classifier's scores are not".to_owned()
                }
                Place::Nowhere => "all feature maps and scores are finite".to_owned(),
            },
            checkpoint: match &self.last_saved {
                Some(saved) => format!(
                    "the last good checkpoint is {}: go on from it with a smaller --learning-rate, or with --clip-norm, and --resume",
                    saved.network.display()
                ),
                None => "no checkpoint was saved yet: begin again with a smaller --learning-rate, or with --clip-norm".to_owned(),
            },
        }
    }

    fn conclude(mut self) -> Ended {
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
