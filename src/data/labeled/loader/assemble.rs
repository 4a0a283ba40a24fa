//! Samples as they get ready -> whole batches, in order.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender};

use super::batch::{Batch, SampleResult};
use super::problem::LoaderError;
use super::threads::{BatchSpec, Pending};
use crate::data::labeled::open::Sample;
use crate::data::on_error::OnError;
use crate::one_line::one_line;

/// Puts batches together.
pub(super) struct Assembler {
    samples: Arc<[Sample]>,
    on_error: OnError,
    /// Batches in an epoch.
    per_epoch: u64,
    /// Batches of this epoch without any readable image, since the last that had one.
    empty: u64,
    /// Samples that were reported as unreadable.
    reported: HashSet<usize>,
    first_skipped: Option<String>,
}

impl Assembler {
    pub(super) fn new(samples: Arc<[Sample]>, on_error: OnError, per_epoch: u64) -> Self {
        Self {
            samples,
            on_error,
            per_epoch,
            empty: 0,
            reported: HashSet::new(),
            first_skipped: None,
        }
    }

    /// Gives all batches.
    pub(super) fn run(
        &mut self,
        pending: Receiver<Pending>,
        batches: &SyncSender<Result<Batch, LoaderError>>,
    ) {
        for Pending { spec, done } in pending {
            let mut samples: Vec<(usize, SampleResult)> = done.iter().collect();
            if samples.len() < spec.samples.len() {
                // Only the end of the loader makes workers leave jobs undone.
                break;
            }
            samples.sort_unstable_by_key(|(place, _)| *place);
            let item = self.assemble(&spec, samples);
            let is_last = item.is_err();
            if batches.send(item).is_err() || is_last {
                break;
            }
        }
    }

    /// A batch of what could be read, which may be nothing.
    fn assemble(
        &mut self,
        spec: &BatchSpec,
        samples: Vec<(usize, SampleResult)>,
    ) -> Result<Batch, LoaderError> {
        let mut batch = Batch {
            pixels: Vec::new(),
            height: 0,
            width: 0,
            labels: Vec::with_capacity(samples.len()),
            samples: Vec::with_capacity(samples.len()),
            pictures: Vec::with_capacity(samples.len()),
            at: spec.at,
            position: spec.after,
            skipped: Vec::new(),
        };
        if spec.at.batch == 0 {
            self.empty = 0;
        }
        let count = samples.len();
        for ((_, done), &sample) in samples.into_iter().zip(&spec.samples) {
            let Sample { path, class } = &self.samples[sample];
            let prepared = match done {
                Ok(prepared) => prepared,
                Err(error) if self.on_error == OnError::Stop => return Err(error),
                Err(error) => {
                    batch.skipped.extend(self.skip(sample, &error));
                    continue;
                }
            };
            let picture = &prepared.picture;
            let size = (picture.width as usize, picture.height as usize);
            if let Some(&first) = batch.samples.first() {
                if size != (batch.width, batch.height) {
                    return Err(LoaderError::Sizes {
                        path: path.clone(),
                        size,
                        other: self.samples[first].path.clone(),
                        other_size: (batch.width, batch.height),
                    });
                }
            } else {
                (batch.width, batch.height) = size;
                batch.pixels.reserve_exact(prepared.pixels.len() * count);
            }
            batch.pixels.extend_from_slice(&prepared.pixels);
            batch.labels.push(*class);
            batch.samples.push(sample);
            batch.pictures.push(prepared.picture);
        }
        if batch.samples.is_empty() {
            self.nothing_left()?;
        } else {
            self.empty = 0;
        }
        Ok(batch)
    }

    /// What is wrong with a sample, where it was not said before.
    fn skip(&mut self, sample: usize, error: &LoaderError) -> Option<String> {
        self.reported.insert(sample).then(|| {
            let line = one_line(error);
            self.first_skipped.get_or_insert_with(|| line.clone());
            line
        })
    }

    /// A batch may be empty, but not a whole epoch.
    fn nothing_left(&mut self) -> Result<(), LoaderError> {
        self.empty += 1;
        if self.empty < self.per_epoch {
            return Ok(());
        }
        Err(LoaderError::NothingReadable {
            first: self.first_skipped.clone().unwrap_or_default(),
        })
    }
}
