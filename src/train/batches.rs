//! Batches of the data set, grouped into optimization steps.

use super::trainer::Samples;
use crate::dataset::{Batch, Batching, Dataset, Loader, LoaderError, Position, Recipe, Work};

/// How the samples of a training are read.
pub(crate) struct Reading {
    pub(crate) recipe: Recipe,
    pub(crate) batching: Batching,
    pub(crate) work: Work,
    /// Batches in an optimization step.
    pub(crate) accumulate: u64,
}

impl Reading {
    /// Optimization steps in an epoch.
    pub(crate) fn steps_per_epoch(&self, data: &Dataset) -> u64 {
        self.batching
            .batches(data.train.len())
            .div_ceil(self.accumulate)
    }

    /// Training batches from a position on, without end.
    pub(super) fn train(&self, data: &Dataset, from: Position) -> Result<Groups, LoaderError> {
        let loader = Loader::train(&data.train, &self.recipe, self.batching, from, &self.work)?;
        Ok(Groups {
            loader,
            accumulate: self.accumulate,
        })
    }

    pub(super) fn validation(&self, data: &Dataset) -> Result<Loader, LoaderError> {
        Loader::eval(
            &data.val,
            &self.recipe.eval,
            self.batching.batch,
            &self.work,
        )
    }
}

/// The batches of one step after the other. A step ends with its epoch, even if that leaves it fewer
/// batches than others.
pub(super) struct Groups {
    loader: Loader,
    accumulate: u64,
}

/// The batches of one step; none where no image of them can be read.
#[derive(Default)]
pub(super) struct Group {
    pub(super) batches: Vec<Samples>,
    pub(super) images: usize,
    /// Where a run resumes that has learned from them.
    pub(super) position: Position,
    /// Files that were left out, each with the reason.
    pub(super) skipped: Vec<String>,
}

impl Groups {
    pub(super) fn next(&mut self) -> Result<Group, LoaderError> {
        let mut group = Group::default();
        loop {
            // The plan has no end.
            let batch = self.loader.next().unwrap_or(Err(LoaderError::Stopped))?;
            group.images += batch.labels.len();
            group.position = batch.position;
            let epoch_ends = batch.position.epoch != batch.at.epoch;
            let full = (batch.at.batch + 1).is_multiple_of(self.accumulate);
            group.skipped.extend_from_slice(&batch.skipped);
            if !batch.labels.is_empty() {
                group.batches.push(samples(batch));
            }
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
