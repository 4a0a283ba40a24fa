//! The probe images that every checkpoint, or every step of a training, is shown.

use std::sync::Arc;

use super::lane::{Lane, OpenStep};
use super::load::Prepared;
use super::timings::Stage;
use super::{RunError, one_line, require_size};
use crate::config::{Config, OnError};
use crate::input::list::ImageFile;
use crate::vgg::Vgg;

/// Probe images of one size that go through the network together.
type Batch = Vec<Arc<Prepared>>;

/// The probe images, read once.
pub(super) struct Probes {
    batches: Vec<Batch>,
    /// Whether there is only one, so that tags need not name it.
    alone: bool,
    kernels: bool,
}

impl Probes {
    /// Reads them, in batches of one size.
    pub(super) fn load(
        lane: &Lane,
        images: &[ImageFile],
        config: &Config,
        skipped: &mut Vec<String>,
    ) -> Result<Self, RunError> {
        let mut batches: Vec<Batch> = Vec::new();
        for file in images {
            let image = match Prepared::load(file, &config.preprocess) {
                Ok(image) => Arc::new(image),
                Err(error) if lane.on_error == OnError::Skip => {
                    skipped.push(one_line(&error));
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            require_size(lane, &image)?;
            match batches.last_mut() {
                Some(batch)
                    if batch.len() < config.batch
                        && (batch[0].height, batch[0].width) == (image.height, image.width) =>
                {
                    batch.push(image);
                }
                _ => batches.push(vec![image]),
            }
        }
        if batches.is_empty() {
            return Err(RunError::NothingLeft {
                count: skipped.len(),
                what: "probe images",
                first: skipped.first().cloned().unwrap_or_default(),
            });
        }
        Ok(Self {
            alone: batches.iter().map(Vec::len).sum::<usize>() == 1,
            kernels: lane.kernels,
            batches,
        })
    }

    /// Shows them to a network, into an open step; `what` names the network in errors. The run's
    /// first step shows the inputs too and describes every tag.
    pub(super) fn show(
        &self,
        lane: &Lane,
        vgg: &Vgg,
        open: &mut OpenStep,
        what: &str,
        first: bool,
    ) -> Result<(), RunError> {
        for batch in &self.batches {
            self.show_batch(lane, vgg, batch, open, what, first)?;
        }
        if self.kernels {
            let folder = Arc::from(format!("{:06}", open.step()));
            open.make_kernels(vgg, lane.arch, &folder, first);
        }
        Ok(())
    }

    fn show_batch(
        &self,
        lane: &Lane,
        vgg: &Vgg,
        batch: &Batch,
        open: &mut OpenStep,
        what: &str,
        first: bool,
    ) -> Result<(), RunError> {
        let start = std::time::Instant::now();
        let captured = lane.forward(vgg, batch, what)?;
        open.laps.record(Stage::Forward, start.elapsed());
        for (at, image) in batch.iter().enumerate() {
            let group: Arc<str> = if self.alone {
                Arc::from("feature_maps")
            } else {
                Arc::clone(&image.name)
            };
            let folder: Arc<str> = Arc::from(format!("{:06}/{}", open.step(), image.name));
            open.make_maps(&captured, at, &group, &folder, first);
            if first {
                open.laps.add(&image.laps);
                open.make_input(&format!("input/{}", image.name), image, true);
            }
        }
        Ok(())
    }
}
