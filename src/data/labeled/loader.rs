//! Batches, prepared on background threads while the network trains.
//!
//! ```text
//!            ┌── jobs ──> workers (decode, augment, normalize) ──┐
//! scheduler ─┤                                                   ├─> assembler ──> Loader::next
//!            └── batches to come, in order ──────────────────────┘
//! ```
//!
//! The scheduler starts the next batch only when one of the two before it was taken, so memory is
//! flat: two batches besides the one in use.

mod assemble;
mod batch;
mod problem;
mod threads;

pub(crate) use batch::Batch;
pub(crate) use problem::LoaderError;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvError, sync_channel};

use self::assemble::Assembler;
use self::batch::LoadedSample;
use self::threads::{BatchSpec, Threads};
use super::augment::Recipe;
use super::open::Sample;
use super::order::{Batching, Position};
use crate::data::decode::decode;
use crate::data::load::{LoadError, caught};
use crate::data::notes::InputNotes;
use crate::data::on_error::OnError;
use crate::data::transform::{Normalize, Preprocess, TransformError};
use feature_grid::Picture;

/// How the work is done.
#[derive(Debug, Clone)]
pub(crate) struct Work {
    /// Threads that decode and augment. The batches are the same whatever their number.
    pub(crate) threads: NonZeroUsize,
    /// What happens at an image that cannot be read; where it is skipped, its batch is smaller.
    pub(crate) on_error: OnError,
    /// Where peculiarities of the images are noted.
    pub(crate) notes: InputNotes,
}

/// Batches in order; dropping it ends its threads.
#[derive(Debug)]
pub(crate) struct Loader {
    /// `None` once the last item was given.
    batches: Option<Receiver<Result<Batch, LoaderError>>>,
    threads: Threads,
}

impl Loader {
    /// Shuffled, augmented batches from a position on, epoch after epoch, without a pause between
    /// them.
    ///
    /// The samples and their pixels depend on the recipe, the batching and the position alone, so that a
    /// run goes on from [`Batch::position`] as if it had never stopped.
    pub(crate) fn train(
        samples: &[Sample],
        recipe: &Recipe,
        batching: Batching,
        from: Position,
        work: &Work,
    ) -> Result<Self, LoaderError> {
        let count = samples.len();
        check_batching(batching, count, from)?;
        let specs = batching
            .batches_from(count, from)
            .map(move |(at, samples)| BatchSpec {
                at,
                after: batching.after(count, at),
                samples,
            });
        let recipe = *recipe;
        let see = move |picture: &Picture, at: Position, sample| {
            recipe.train_picture(picture, batching.seed, at.epoch, sample)
        };
        let per_epoch = batching.batches(count);
        Self::start(samples, specs, per_epoch, recipe.eval.normalize, work, see)
    }

    /// All samples once, in order, not augmented; the last batch may be smaller.
    pub(crate) fn eval(
        samples: &[Sample],
        preprocess: &Preprocess,
        batch: NonZeroUsize,
        work: &Work,
    ) -> Result<Self, LoaderError> {
        let count = samples.len();
        let batching = Batching {
            batch,
            seed: 0,
            epochs: 1,
        };
        check_batching(batching, count, Position::default())?;
        let batches = batching.batches(count);
        let firsts = (0..count).step_by(batch.get());
        let specs = (0..).zip(firsts).map(move |(batch, first)| {
            let at = Position { epoch: 0, batch };
            let end = count.min(first.saturating_add(batching.batch.get()));
            BatchSpec {
                at,
                after: batching.after(count, at),
                samples: (first..end).collect(),
            }
        });
        let preprocess = *preprocess;
        let see = move |picture: &Picture, _, _| preprocess.picture(picture);
        Self::start(samples, specs, batches, preprocess.normalize, work, see)
    }

    /// `see` makes of a decoded image what the network sees.
    fn start(
        samples: &[Sample],
        specs: impl Iterator<Item = BatchSpec> + Send + 'static,
        per_epoch: u64,
        normalize: Normalize,
        work: &Work,
        see: impl Fn(&Picture, Position, usize) -> Result<Picture, TransformError>
        + Send
        + Sync
        + 'static,
    ) -> Result<Self, LoaderError> {
        let samples: Arc<[Sample]> = samples.into();
        let (worker_samples, notes) = (Arc::clone(&samples), work.notes.clone());
        let prepare = move |at: Position, sample: usize| {
            let path = &worker_samples[sample].path;
            let decoded = decode(path)?;
            notes.add(path, decoded.oddities);
            let picture =
                see(&decoded.picture, at, sample).map_err(|source| LoadError::Transform {
                    path: path.clone(),
                    source,
                })?;
            let pixels = normalize.apply(&picture);
            Ok(LoadedSample { picture, pixels })
        };
        Self::with(samples, specs, per_epoch, work, prepare)
    }

    /// Starts the threads around `prepare`, which makes a sample ready.
    fn with(
        samples: Arc<[Sample]>,
        specs: impl Iterator<Item = BatchSpec> + Send + 'static,
        per_epoch: u64,
        work: &Work,
        prepare: impl Fn(Position, usize) -> Result<LoadedSample, LoadError> + Send + Sync + 'static,
    ) -> Result<Self, LoaderError> {
        // No buffer: batches wait in the assembler.
        let (sender, batches) = sync_channel(0);
        let files = Arc::clone(&samples);
        let prepare =
            move |at, sample: usize| Ok(caught(&files[sample].path, || prepare(at, sample))?);
        let mut assembler = Assembler::new(samples, work.on_error, per_epoch);
        let threads = Threads::start(work.threads, specs, prepare, move |pending| {
            assembler.run(pending, &sender);
        })
        .map_err(|source| LoaderError::Threads {
            threads: work.threads.get(),
            source,
        })?;
        Ok(Self {
            batches: Some(batches),
            threads,
        })
    }
}

impl Loader {
    /// The next item, if it is ready.
    pub(crate) fn ready(&mut self) -> Option<Result<Batch, LoaderError>> {
        let item = self.batches.as_ref()?.try_recv().ok()?;
        self.given(Ok(item))
    }

    /// What to hand out of an item that the assembler sent or failed to send.
    fn given(
        &mut self,
        item: Result<Result<Batch, LoaderError>, RecvError>,
    ) -> Option<Result<Batch, LoaderError>> {
        if matches!(item, Ok(Ok(_))) {
            return item.ok();
        }
        self.batches = None;
        match (item, self.threads.end()) {
            (Err(_), false) => Some(Err(LoaderError::Stopped)),
            (item, _) => item.ok(),
        }
    }
}

impl Iterator for Loader {
    type Item = Result<Batch, LoaderError>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.batches.as_ref()?.recv();
        self.given(item)
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        // The assembler may wait for somebody to take its batch.
        self.batches = None;
        self.threads.end();
    }
}

fn check_batching(batching: Batching, samples: usize, from: Position) -> Result<(), LoaderError> {
    let batches = batching.batches(samples);
    if samples == 0 {
        return Err(LoaderError::NoSamples);
    }
    if from.batch >= batches {
        return Err(LoaderError::NoSuchPosition { from, batches });
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;
