//! Batches of the data set, grouped into optimization steps.

use burn::tensor::Device;

use super::trainer::Samples;
use crate::data::labeled::{Batching, Dataset, Loader, LoaderError, Position, Recipe, Work};

pub(crate) struct Reading {
    pub(crate) recipe: Recipe,
    pub(crate) batching: Batching,
    pub(crate) work: Work,
    /// Batches in an optimization step.
    pub(crate) accumulate: u64,
}

impl Reading {
    pub(crate) fn steps_per_epoch(&self, data: &Dataset) -> u64 {
        self.batching
            .batches(data.train.len())
            .div_ceil(self.accumulate)
    }

    pub(super) fn train(&self, data: &Dataset, from: Position) -> Result<Groups, LoaderError> {
        let loader = Loader::train(&data.train, &self.recipe, self.batching, from, &self.work)?;
        Ok(Groups {
            loader,
            accumulate: self.accumulate,
            ahead: None,
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

/// A step ends with its epoch, even if that leaves it fewer batches than others.
pub(super) struct Groups {
    loader: Loader,
    accumulate: u64,
    /// The next batch, where it was uploaded before it was asked for.
    pub(super) ahead: Option<Result<Samples, LoaderError>>,
}

/// The batches of one step; none where no image of them can be read.
#[derive(Default)]
pub(super) struct Group {
    pub(super) batches: Vec<Samples>,
    pub(super) images: usize,
    /// Where a run resumes that has learned from them.
    pub(super) position: Position,
    pub(super) skipped: Vec<String>,
}

impl Groups {
    pub(super) fn next(&mut self) -> Result<Group, LoaderError> {
        let mut group = Group::default();
        loop {
            let mut samples = match self.ahead.take() {
                Some(samples) => samples?,
                // The plan has no end.
                None => Samples::from(self.loader.next().unwrap_or(Err(LoaderError::Stopped))?),
            };
            let batch = &mut samples.batch;
            group.images += batch.labels.len();
            group.position = batch.position;
            let epoch_ends = batch.position.epoch != batch.at.epoch;
            let full = (batch.at.batch + 1).is_multiple_of(self.accumulate);
            group.skipped.append(&mut batch.skipped);
            if !batch.labels.is_empty() {
                group.batches.push(samples);
            }
            if epoch_ends || full {
                return Ok(group);
            }
        }
    }

    /// Uploads the next batch if it is ready. That it cannot be read is said by [`next`](Self::next) only.
    pub(super) fn upload_ahead(&mut self, device: &Device) {
        if self.ahead.is_none() {
            self.ahead = self.loader.ready().map(|batch| {
                let mut samples = Samples::from(batch?);
                if !samples.batch.labels.is_empty() {
                    samples.upload(device);
                }
                Ok(samples)
            });
        }
    }
}
