//! Samples as they are loaded -> whole batches, in order.

use std::collections::HashSet;
use std::iter::Peekable;
use std::sync::Arc;

use feature_grid::Picture;

use super::error::LoaderError;
use super::open::Sample;
use super::order::{BatchPlan, Position};
use crate::data::error::LoadError;
use crate::data::on_error::OnError;
use crate::one_line::one_line;

/// Images as the network is fed them; none where no image of the batch can be read.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Batch {
    /// Normalized, `[n, height, width, 3]`.
    pub(crate) pixels: Vec<f32>,
    pub(crate) height: usize,
    pub(crate) width: usize,
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

/// A sample of a batch, or why it cannot be read.
pub(super) struct Loaded {
    pub(super) plan: Arc<BatchPlan>,
    pub(super) sample: usize,
    pub(super) image: Result<LoadedImage, LoadError>,
}

#[derive(Debug)]
pub(super) struct LoadedImage {
    pub(super) picture: Picture,
    pub(super) pixels: Vec<f32>,
}

pub(super) struct Batches<I: Iterator<Item = Loaded>> {
    pub(super) loaded: Peekable<I>,
    pub(super) samples: Arc<[Sample]>,
    pub(super) on_error: OnError,
    pub(super) per_epoch: u64,
    /// Batches of this epoch without any readable image, since the last that had one.
    pub(super) empty: u64,
    pub(super) reported: HashSet<usize>,
    pub(super) first_skipped: Option<String>,
}

impl<I: Iterator<Item = Loaded>> Batches<I> {
    fn add(&mut self, loaded: Loaded, batch: &mut Batch) -> Result<(), LoaderError> {
        let Loaded {
            plan,
            sample,
            image,
        } = loaded;
        let LoadedImage { picture, pixels } = match image {
            Ok(image) => image,
            Err(error) if self.on_error == OnError::Skip => {
                if self.reported.insert(sample) {
                    let line = one_line(&error);
                    self.first_skipped.get_or_insert_with(|| line.clone());
                    batch.skipped.push(line);
                }
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let (width, height) = (picture.width as usize, picture.height as usize);
        let Sample { path, class } = &self.samples[sample];
        if let Some(&first) = batch.samples.first() {
            if [width, height] != [batch.width, batch.height] {
                return Err(LoaderError::Sizes {
                    path: path.clone(),
                    size: [width, height],
                    other: self.samples[first].path.clone(),
                    other_size: [batch.width, batch.height],
                });
            }
        } else {
            (batch.width, batch.height) = (width, height);
            batch
                .pixels
                .reserve_exact(pixels.len() * plan.samples.len());
        }
        batch.pixels.extend_from_slice(&pixels);
        batch.labels.push(*class);
        batch.samples.push(sample);
        batch.pictures.push(picture);
        Ok(())
    }

    /// A batch may be empty, but not a whole epoch.
    fn check_any(&mut self, batch: &Batch) -> Result<(), LoaderError> {
        let is_empty = batch.samples.is_empty();
        if !is_empty || batch.at.batch == 0 {
            self.empty = 0;
        }
        self.empty += u64::from(is_empty);
        if self.empty < self.per_epoch {
            return Ok(());
        }
        let first = self.first_skipped.clone().unwrap_or_default();
        Err(LoaderError::NothingReadable { first })
    }
}

impl<I: Iterator<Item = Loaded>> Iterator for Batches<I> {
    type Item = Result<Batch, LoaderError>;

    fn next(&mut self) -> Option<Self::Item> {
        let plan = Arc::clone(&self.loaded.peek()?.plan);
        let mut batch = Batch {
            at: plan.at,
            position: plan.after,
            ..Batch::default()
        };
        for _ in &plan.samples {
            let loaded = self.loaded.next()?;
            if let Err(error) = self.add(loaded, &mut batch) {
                return Some(Err(error));
            }
        }
        Some(self.check_any(&batch).map(|()| batch))
    }
}
