//! Batches, made on background threads while the network trains.
//!
//! ```text
//! plan ── samples ──> threads (decode, augment, normalize) ── in order ──> a thread that makes batches ──> Loader
//! ```
//!
//! Both are an [`Ahead`], so memory is flat: a batch that is ready, and the samples of the next one.

use std::collections::HashSet;
use std::iter::{Repeat, repeat};
use std::num::NonZeroUsize;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use feature_grid::Picture;

use super::augment::Recipe;
use super::batch::{Batch, Batches, Loaded, LoadedImage};
use super::error::LoaderError;
use super::open::Sample;
use super::order::{BatchPlan, Batching, Position};
use crate::data::ahead::Ahead;
use crate::data::decode::decode;
use crate::data::error::caught;
use crate::data::error::{ImageError, LoadError};
use crate::data::notes::InputNotes;
use crate::data::on_error::OnError;
use crate::data::transform::{Normalize, Preprocess};

#[derive(Debug, Clone)]
pub(crate) struct Work {
    /// Threads that decode and augment. The batches are the same whatever their number.
    pub(crate) threads: NonZeroUsize,
    /// What happens at an image that cannot be read; where it is skipped, its batch is smaller.
    pub(crate) on_error: OnError,
    pub(crate) notes: InputNotes,
}

type Coming = Ahead<Repeat<()>, Option<Result<Batch, LoaderError>>>;

/// Batches in order; dropping it ends its threads.
pub(crate) struct Loader {
    /// `None` once the last item was given. A batch is `None` at the end.
    batches: Option<Coming>,
}

impl Loader {
    /// Shuffled, augmented batches from a position on, epoch after epoch. They depend on the recipe, the batching and the
    /// position alone, so that a run resumes from [`Batch::position`] as if it had never stopped.
    pub(crate) fn train(
        samples: &[Sample],
        recipe: &Recipe,
        batching: Batching,
        from: Position,
        work: &Work,
    ) -> Result<Self, LoaderError> {
        let per_epoch = checked(batching, samples.len(), from)?;
        let plan = batching.shuffled(samples.len(), from);
        let recipe = *recipe;
        let see = move |picture: &Picture, at: Position, sample| {
            recipe.train_picture(picture, batching.seed, at.epoch, sample)
        };
        Self::start(samples, plan, per_epoch, recipe.eval.normalize, work, see)
    }

    /// All samples once, in order, not augmented; the last batch may be smaller.
    pub(crate) fn eval(
        samples: &[Sample],
        preprocess: &Preprocess,
        batch: NonZeroUsize,
        work: &Work,
    ) -> Result<Self, LoaderError> {
        let batching = Batching {
            batch,
            seed: 0,
            epochs: 1,
        };
        let per_epoch = checked(batching, samples.len(), Position::default())?;
        let plan = batching.in_order(samples.len());
        let preprocess = *preprocess;
        let see = move |picture: &Picture, _, _| preprocess.picture(picture);
        Self::start(samples, plan, per_epoch, preprocess.normalize, work, see)
    }

    /// `see` makes of a decoded image what the network sees.
    fn start(
        samples: &[Sample],
        plan: impl Iterator<Item = BatchPlan> + Send + 'static,
        per_epoch: u64,
        normalize: Normalize,
        work: &Work,
        see: impl Fn(&Picture, Position, usize) -> Result<Picture, ImageError> + Send + Sync + 'static,
    ) -> Result<Self, LoaderError> {
        let samples: Arc<[Sample]> = samples.into();
        let (files, notes) = (Arc::clone(&samples), work.notes.clone());
        let load = move |at: Position, sample: usize| {
            let path = &files[sample].path;
            let decoded = decode(path)?;
            notes.add(path, decoded.oddities);
            let picture = see(&decoded.picture, at, sample).map_err(|error| error.in_file(path))?;
            let pixels = normalize.apply(&picture);
            Ok(LoadedImage { picture, pixels })
        };
        Self::with(samples, plan, per_epoch, work, load)
    }

    /// Starts the threads around `load`, which loads a sample.
    fn with(
        samples: Arc<[Sample]>,
        plan: impl Iterator<Item = BatchPlan> + Send + 'static,
        per_epoch: u64,
        work: &Work,
        load: impl Fn(Position, usize) -> Result<LoadedImage, LoadError> + Send + Sync + 'static,
    ) -> Result<Self, LoaderError> {
        let threads = work.threads.get();
        let failed = |source| LoaderError::Threads { threads, source };
        let mut plan = plan.map(Arc::new).peekable();
        let in_batch = plan.peek().map_or(0, |first| first.samples.len());
        let of_plan = plan
            .flat_map(|plan| (0..plan.samples.len()).map(move |place| (Arc::clone(&plan), place)));
        let files = Arc::clone(&samples);
        let load = move |(plan, place): (Arc<BatchPlan>, usize)| {
            let sample = plan.samples[place];
            let image = caught(&files[sample].path, || load(plan.at, sample));
            Loaded {
                plan,
                sample,
                image,
            }
        };
        let stop = Arc::new(AtomicBool::new(false));
        let most = in_batch.max(threads);
        let loaded =
            Ahead::start(of_plan, threads, most, Arc::clone(&stop), load).map_err(failed)?;
        let batches = Mutex::new(Batches {
            loaded: loaded.peekable(),
            samples,
            on_error: work.on_error,
            per_epoch,
            empty: 0,
            reported: HashSet::new(),
            first_skipped: None,
        });
        let next = move |()| {
            let mut batches = batches.lock().unwrap_or_else(PoisonError::into_inner);
            batches.next()
        };
        let batches = Ahead::start(repeat(()), 1, 1, stop, next).map_err(failed)?;
        Ok(Self {
            batches: Some(batches),
        })
    }

    pub(crate) fn ready(&mut self) -> Option<Result<Batch, LoaderError>> {
        let item = self.batches.as_mut()?.ready()?;
        self.given(item)
    }

    fn given(
        &mut self,
        item: Option<Result<Batch, LoaderError>>,
    ) -> Option<Result<Batch, LoaderError>> {
        if !matches!(item, Some(Ok(_))) {
            self.batches = None;
        }
        item
    }
}

impl Iterator for Loader {
    type Item = Result<Batch, LoaderError>;

    fn next(&mut self) -> Option<Self::Item> {
        // Without an item a thread crashed.
        let item = self.batches.as_mut()?.next();
        self.given(item.unwrap_or(Some(Err(LoaderError::Stopped))))
    }
}

/// The batches of an epoch, where it has one to begin with.
fn checked(batching: Batching, samples: usize, from: Position) -> Result<u64, LoaderError> {
    let batches = batching.batches(samples);
    if samples == 0 {
        return Err(LoaderError::NoSamples);
    }
    if from.batch >= batches {
        return Err(LoaderError::NoSuchPosition { from, batches });
    }
    Ok(batches)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;
