//! What keeps a loader from giving batches.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::super::augment::AugmentError;
use super::super::order::Position;
use crate::input::load::LoadError;

/// What keeps a loader from giving its next batch.
#[derive(Debug, Error)]
pub enum LoaderError {
    /// An image cannot be read.
    #[error(transparent)]
    Image(#[from] LoadError),
    /// Reading an image met a bug.
    #[error(
        "{}: reading it crashed ({why}), which is a bug; leave the image out",
        path.display()
    )]
    Crashed {
        /// The file.
        path: PathBuf,
        /// What was said.
        why: String,
    },
    /// Images of different sizes make no batch.
    #[error(
        "{}: {} x {} pixels after preprocessing, and {} x {} for {}, which is in the same batch; \
         images are made one size with --crop",
        path.display(), size.0, size.1, other_size.0, other_size.1, other.display()
    )]
    Sizes {
        /// The file.
        path: PathBuf,
        /// Its width and height.
        size: (usize, usize),
        /// The first file of its batch.
        other: PathBuf,
        /// That one's width and height.
        other_size: (usize, usize),
    },
    /// Nothing was readable for as long as a whole epoch.
    #[error("none of the images can be read; the first: {first}")]
    NothingReadable {
        /// The first file and what is wrong with it, in a line.
        first: String,
    },
    /// The data set has no samples here.
    #[error("there are no samples to make batches of; name a data set with images")]
    NoSamples,
    /// All samples are left out as the rest of a batch.
    #[error(
        "{samples} images do not fill one batch of {batch}, and batches that are not full are left \
         out; choose a smaller --batch-size"
    )]
    NoBatch {
        /// How many samples there are.
        samples: usize,
        /// How many a batch takes.
        batch: usize,
    },
    /// The position of another plan or another data set.
    #[error(
        "training cannot go on from batch {} of epoch {}: an epoch has {batches} batches now; go on \
         with the data set and the --batch-size that the run began with, or begin anew",
        from.batch, from.epoch
    )]
    NoSuchPosition {
        /// The position.
        from: Position,
        /// Batches in an epoch.
        batches: u64,
    },
    /// A setting of the augmentation is out of its range.
    #[error(transparent)]
    Augment(#[from] AugmentError),
    /// The system gives no threads.
    #[error("{threads} threads for loading images cannot be started; choose fewer")]
    Threads {
        /// How many were asked for.
        threads: usize,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// What is wrong with one image.
#[derive(Debug)]
pub(super) enum Unreadable {
    Image(LoadError),
    Crashed(String),
}

impl Unreadable {
    pub(super) fn of(self, path: PathBuf) -> LoaderError {
        match self {
            Self::Image(error) => error.into(),
            Self::Crashed(why) => LoaderError::Crashed { path, why },
        }
    }
}

/// An error and its causes in a line. What is transparent says the same as its cause, once.
pub(super) fn one_line(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text = text + ": " + &next;
        }
        cause = error.source();
    }
    text.replace('\n', " ")
}
