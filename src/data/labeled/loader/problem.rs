//! What keeps a loader from giving batches.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::data::labeled::order::Position;
use crate::data::load::LoadError;

/// What keeps a loader from giving its next batch.
#[derive(Debug, Error)]
pub(crate) enum LoaderError {
    #[error("{0}")]
    Image(#[from] LoadError),
    #[error(
        "{}: {} x {} pixels after preprocessing, and {} x {} for {}, which is in the same batch; \
         images are made one size with --crop",
        path.display(), size.0, size.1, other_size.0, other_size.1, other.display()
    )]
    Sizes {
        path: PathBuf,
        /// Its width and height.
        size: (usize, usize),
        other: PathBuf,
        /// That one's width and height.
        other_size: (usize, usize),
    },
    #[error("none of the images can be read; the first: {first}")]
    NothingReadable {
        /// The first file and what is wrong with it, in a line.
        first: String,
    },
    #[error(
        "a thread that loads images crashed, which is a bug; please report it with the command you ran"
    )]
    Stopped,
    #[error("there are no samples to make batches of; name a data set with images")]
    NoSamples,
    #[error(
        "training cannot resume from batch {} of epoch {}: an epoch has {batches} batches now; resume \
         with the data set and the --batch-size that the run began with, or start a new run",
        from.batch, from.epoch
    )]
    NoSuchPosition { from: Position, batches: u64 },
    #[error("{threads} threads for loading images cannot be started; choose fewer")]
    Threads {
        threads: usize,
        #[source]
        source: io::Error,
    },
}
