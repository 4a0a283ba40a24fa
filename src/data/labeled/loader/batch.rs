//! What a loader hands out, and what it is made of.

use super::problem::LoaderError;
use crate::data::labeled::order::Position;
use feature_grid::Picture;

/// Images as the network is fed them; none where no image of the batch can be read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Batch {
    /// Normalized, `[n, height, width, 3]`.
    pub(crate) pixels: Vec<f32>,
    /// Rows of each image.
    pub(crate) height: usize,
    /// Columns of each image.
    pub(crate) width: usize,
    /// The class of each image, `[n]`.
    pub(crate) labels: Vec<usize>,
    /// The place of each image among the samples that the loader was given, `[n]`.
    pub(crate) samples: Vec<usize>,
    /// Each image as the network sees it, normalization undone, `[n]`.
    pub(crate) pictures: Vec<Picture>,
    pub(crate) at: Position,
    /// Where a run resumes that has trained on this batch.
    pub(crate) position: Position,
    /// Files that were left out, each with the reason, in a line; every file once in a loader's life.
    pub(crate) skipped: Vec<String>,
}

/// A sample that is ready.
#[derive(Debug)]
pub(super) struct LoadedSample {
    pub(super) picture: Picture,
    pub(super) pixels: Vec<f32>,
}

/// What a worker makes of a sample.
pub(super) type SampleResult = Result<LoadedSample, LoaderError>;
