//! Batches of the data set, grouped into optimisation steps.

use std::num::NonZeroUsize;

use crate::config::{Config, OnError, Training};
use crate::dataset::augment::{ColourJitter, RandomResizedCrop};
use crate::dataset::{
    Augment, Batch, Dataset, Loader, LoaderError, OnUnreadable, Plan, Position, Recipe, Work,
};
use crate::pipeline::RunError;
use crate::train::Samples;

/// How the samples of a run are read.
pub(super) struct Reading {
    recipe: Recipe,
    plan: Plan,
    work: Work,
    batch: NonZeroUsize,
    accumulate: u64,
}

impl Reading {
    pub(super) fn new(config: &Config, training: &Training) -> Self {
        let batch = NonZeroUsize::new(training.batch_size).unwrap_or(NonZeroUsize::MIN);
        let augment = training.augment.zip(config.preprocess.crop);
        Self {
            recipe: Recipe {
                augment: augment.map(|(augment, size)| Augment {
                    crop: RandomResizedCrop {
                        size,
                        scale: (augment.scale.from, augment.scale.to),
                        ratio: (augment.aspect.from, augment.aspect.to),
                    },
                    flip: augment.flip,
                    jitter: ColourJitter {
                        brightness: augment.jitter.brightness,
                        contrast: augment.jitter.contrast,
                        saturation: augment.jitter.saturation,
                        hue: augment.jitter.hue,
                    },
                }),
                eval: config.preprocess,
            },
            plan: Plan {
                batch,
                drop_last: false,
                seed: config.seed,
                epochs: u64::MAX,
            },
            work: Work {
                threads: NonZeroUsize::new(training.threads).unwrap_or(NonZeroUsize::MIN),
                on_unreadable: match config.on_error {
                    OnError::Stop => OnUnreadable::Stop,
                    OnError::Skip => OnUnreadable::Skip,
                },
            },
            batch,
            accumulate: training.accumulate as u64,
        }
    }

    /// Optimisation steps in an epoch.
    pub(super) fn steps_per_epoch(&self, data: &Dataset) -> u64 {
        self.plan
            .batches(data.train.len())
            .div_ceil(self.accumulate)
    }

    /// Training batches from a position on, without end.
    pub(super) fn train(&self, data: &Dataset, from: Position) -> Result<Groups, RunError> {
        let loader = Loader::train(&data.train, &self.recipe, self.plan, from, self.work)?;
        Ok(Groups {
            loader,
            accumulate: self.accumulate,
        })
    }

    /// The validation samples, once.
    pub(super) fn validation(&self, data: &Dataset) -> Result<Loader, LoaderError> {
        Loader::eval(&data.val, &self.recipe.eval, self.batch, self.work)
    }
}

/// The batches of one step after the other. A step ends with its epoch, even if that leaves it fewer
/// batches than others.
pub(super) struct Groups {
    loader: Loader,
    accumulate: u64,
}

/// The batches of one step.
pub(super) struct Group {
    pub(super) batches: Vec<Samples>,
    /// Images in all of them.
    pub(super) images: usize,
    /// Where a run goes on that has learnt from them.
    pub(super) position: Position,
    /// Files that were left out, each with the reason.
    pub(super) skipped: Vec<String>,
}

impl Groups {
    pub(super) fn next(&mut self) -> Result<Group, RunError> {
        let mut group = Group {
            batches: Vec::new(),
            images: 0,
            position: Position::default(),
            skipped: Vec::new(),
        };
        loop {
            // The plan has no end, so the loader ends with an error only.
            let batch = self.loader.next().ok_or(RunError::Crashed)??;
            group.images += batch.labels.len();
            group.position = batch.position;
            let epoch_ends = batch.position.epoch != batch.at.epoch;
            let full = (batch.at.batch + 1).is_multiple_of(self.accumulate);
            group.skipped.extend_from_slice(&batch.skipped);
            group.batches.push(samples(batch));
            if epoch_ends || full {
                return Ok(group);
            }
        }
    }
}

/// What the network gets of a batch.
pub(super) fn samples(batch: Batch) -> Samples {
    Samples {
        pixels: batch.pixels,
        labels: batch.labels,
        height: batch.height,
        width: batch.width,
    }
}
