//! Batches, prepared on threads of their own while the network learns.
//!
//! ```text
//!         ┌── jobs ──> workers (decode, augment, normalise) ──┐
//! dealer ─┤                                                   ├─> assembler ──> Loader::next
//!         └── batches to come, in order ──────────────────────┘
//! ```
//!
//! The dealer starts the next batch only when one of the two before it was taken, so memory is flat:
//! two batches beside the one in use.

mod assemble;
mod problem;
mod threads;

pub use problem::LoaderError;

use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use self::assemble::Assembler;
use self::problem::Unreadable;
use self::threads::{Dealt, Threads};
use super::Recipe;
use super::open::Sample;
use super::order::{Plan, Position};
use crate::input::Picture;
use crate::input::decode::decode;
use crate::input::load::LoadError;
use crate::input::transform::{Normalise, Preprocess, TransformError};

/// How the work is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Work {
    /// Threads that decode and augment. The batches are the same whatever it is.
    pub threads: NonZeroUsize,
    /// What happens at an image that cannot be read.
    pub on_unreadable: OnUnreadable,
}

/// What happens at an image that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnUnreadable {
    /// The batch is an error that names the file, and the last item.
    Stop,
    /// Its batch goes without it.
    Skip,
}

/// Images as the network is fed them.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Normalised, `[n, height, width, 3]`.
    pub pixels: Vec<f32>,
    /// Rows of each image.
    pub height: usize,
    /// Columns of each image.
    pub width: usize,
    /// The class of each image, `[n]`.
    pub labels: Vec<usize>,
    /// The place of each image among the samples that the loader was given, `[n]`.
    pub samples: Vec<usize>,
    /// Each image as the network sees it, normalisation undone, `[n]`.
    pub pictures: Vec<Picture>,
    /// Where this batch stands.
    pub at: Position,
    /// Where a run goes on that has learnt from this batch.
    pub position: Position,
    /// Files that were left out since the batch before, each with the reason, in a line; every file
    /// once in a loader's life.
    pub skipped: Vec<String>,
}

/// Batches in order; dropping it ends its threads.
#[derive(Debug)]
pub struct Loader {
    /// `None` once the last item was given.
    batches: Option<Receiver<Result<Batch, LoaderError>>>,
    left_over: Arc<Mutex<Vec<String>>>,
    threads: Threads,
}

impl Loader {
    /// Shuffled, augmented batches from a position on, epoch after epoch, without a pause between
    /// them.
    ///
    /// The samples and their pixels depend on the recipe, the plan and the position alone, so that a
    /// run goes on from [`Batch::position`] as if it had never stopped.
    ///
    /// # Errors
    /// [`LoaderError`], when the settings allow no batch or the position is not in the plan.
    pub fn train(
        samples: &[Sample],
        recipe: &Recipe,
        plan: Plan,
        from: Position,
        work: Work,
    ) -> Result<Self, LoaderError> {
        if let Some(augment) = &recipe.augment {
            augment.check()?;
        }
        let count = samples.len();
        check_plan(plan, count, from)?;
        let dealt = plan
            .batches_from(count, from)
            .map(move |(at, samples)| Dealt {
                at,
                after: plan.after(count, at),
                samples,
            });
        let recipe = *recipe;
        let see = move |picture: &Picture, at: Position, sample| {
            recipe.train_picture(picture, plan.seed, at.epoch, sample)
        };
        let per_epoch = plan.batches(count);
        Self::start(samples, dealt, per_epoch, recipe.eval.normalise, work, see)
    }

    /// All samples once, in order, not augmented; the last batch may be smaller.
    ///
    /// # Errors
    /// [`LoaderError`], when there are no samples, or threads.
    pub fn eval(
        samples: &[Sample],
        preprocess: &Preprocess,
        batch: NonZeroUsize,
        work: Work,
    ) -> Result<Self, LoaderError> {
        let count = samples.len();
        let plan = Plan {
            batch,
            drop_last: false,
            seed: 0,
            epochs: 1,
        };
        check_plan(plan, count, Position::default())?;
        let batches = plan.batches(count);
        let firsts = (0..count).step_by(batch.get());
        let dealt = (0..).zip(firsts).map(move |(batch, first)| {
            let at = Position { epoch: 0, batch };
            let end = count.min(first.saturating_add(plan.batch.get()));
            Dealt {
                at,
                after: plan.after(count, at),
                samples: (first..end).collect(),
            }
        });
        let preprocess = *preprocess;
        let see = move |picture: &Picture, _, _| preprocess.picture(picture);
        Self::start(samples, dealt, batches, preprocess.normalise, work, see)
    }

    /// `see` makes of a decoded picture what the network sees.
    fn start(
        samples: &[Sample],
        dealt: impl Iterator<Item = Dealt> + Send + 'static,
        per_epoch: u64,
        normalise: Normalise,
        work: Work,
        see: impl Fn(&Picture, Position, usize) -> Result<Picture, TransformError>
        + Send
        + Sync
        + 'static,
    ) -> Result<Self, LoaderError> {
        let samples: Arc<[Sample]> = samples.into();
        let of_workers = Arc::clone(&samples);
        let prepare = move |at: Position, sample: usize| {
            let path = &of_workers[sample].path;
            let picture =
                see(&decode(path)?, at, sample).map_err(|source| LoadError::Transform {
                    path: path.clone(),
                    source,
                })?;
            let pixels = normalise.apply(&picture);
            Ok(Prepared { picture, pixels })
        };
        Self::with(samples, dealt, per_epoch, work, prepare)
    }

    /// Starts the threads around `prepare`, which makes a sample ready.
    fn with(
        samples: Arc<[Sample]>,
        dealt: impl Iterator<Item = Dealt> + Send + 'static,
        per_epoch: u64,
        work: Work,
        prepare: impl Fn(Position, usize) -> Result<Prepared, LoadError> + Send + Sync + 'static,
    ) -> Result<Self, LoaderError> {
        // Handed over from hand to hand: what waits, waits with the assembler.
        let (sender, batches) = sync_channel(0);
        let left_over = Arc::new(Mutex::new(Vec::new()));
        let mut assembler = Assembler::new(samples, work.on_unreadable, per_epoch);
        let notes = Arc::clone(&left_over);
        let threads = Threads::start(work.threads, dealt, prepare, move |pending| {
            let last = assembler.run(pending, &sender);
            *notes.lock().unwrap_or_else(PoisonError::into_inner) = last;
        })
        .map_err(|source| LoaderError::Threads {
            threads: work.threads.get(),
            source,
        })?;
        Ok(Self {
            batches: Some(batches),
            left_over,
            threads,
        })
    }

    /// Files that were left out after the last batch, each with the reason, in a line. They are
    /// known when the loader has given its last item.
    #[must_use]
    pub fn skipped_at_end(&self) -> Vec<String> {
        let notes = self.left_over.lock();
        notes.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Iterator for Loader {
    type Item = Result<Batch, LoaderError>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.batches.as_ref()?.recv();
        if !matches!(item, Ok(Ok(_))) {
            self.batches = None;
            self.threads.end();
        }
        item.ok()
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        // The assembler may wait for somebody to take its batch.
        self.batches = None;
        self.threads.end();
    }
}

/// A sample that is ready.
#[derive(Debug)]
struct Prepared {
    picture: Picture,
    pixels: Vec<f32>,
}

/// What a worker gives for a sample.
type Done = Result<Prepared, Unreadable>;

fn check_plan(plan: Plan, samples: usize, from: Position) -> Result<(), LoaderError> {
    let batches = plan.batches(samples);
    if samples == 0 {
        return Err(LoaderError::NoSamples);
    }
    if batches == 0 {
        return Err(LoaderError::NoBatch {
            samples,
            batch: plan.batch.get(),
        });
    }
    if from.batch >= batches {
        return Err(LoaderError::NoSuchPosition { from, batches });
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;
