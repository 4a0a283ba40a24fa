//! The way of one step: forward pass here, pictures on the rendering threads, file on the writer's.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use burn::tensor::{Tensor, TensorData};

use super::guard::guarded;
use super::load::Prepared;
use super::pictures::{Done, MapsJob, PictureError, Studio};
use super::timings::Laps;
use super::writer::{PendingStep, Writer, WriterStopped};
use super::{Interrupt, RunError};
use crate::config::{Config, OnError};
use crate::device::OpenDevice;
use crate::events::Summary;
use crate::vgg::{Arch, Kernels, Layer, Vgg};

/// What every step of a run shares.
pub(super) struct Lane {
    pub(super) writer: Writer,
    pub(super) studio: Arc<Studio>,
    pub(super) device: OpenDevice,
    pub(super) arch: Arch,
    pub(super) layers: Vec<Layer>,
    pub(super) kernels: bool,
    pub(super) interrupt: Interrupt,
    pub(super) on_error: OnError,
}

/// The maps of one forward pass: a layer and its `[batch, channels, height, width]`.
pub(super) type Captured = Vec<(Layer, Tensor<4>)>;

impl Lane {
    /// The index of the deepest layer that is shown.
    pub(super) fn deepest(&self) -> usize {
        self.layers.last().map_or(0, |layer| layer.index)
    }

    /// The order in which kernels are fastest where `images` are shown.
    pub(super) fn kernels_for(&self, config: &Config, images: usize) -> Kernels {
        match config.preprocess.crop {
            _ if !self.device.prefers_interleaved() => Kernels::Planar,
            Some(side) => Kernels::Packed {
                batch: config.batch.min(images),
                side: side.get() as usize,
            },
            None => Kernels::Interleaved,
        }
    }

    /// Runs the network over pictures of one size.
    pub(super) fn forward(
        &self,
        vgg: &Vgg,
        pictures: &[Arc<Prepared>],
        what: &str,
    ) -> Result<Captured, RunError> {
        let Some(first) = pictures.first() else {
            return Ok(Vec::new());
        };
        let shape = [pictures.len(), first.height, first.width, 3];
        let mut pixels = Vec::with_capacity(shape.iter().product());
        for picture in pictures {
            pixels.extend_from_slice(&picture.pixels);
        }
        guarded(|| {
            // Handed over with the channels of a pixel side by side and only seen as
            // [batch, 3, height, width]: libtorch then keeps that order through every layer.
            let data = TensorData::new(pixels, shape);
            let x = Tensor::<4>::from_data(data, &self.device.device).permute([0, 3, 1, 2]);
            let mut wanted = self.layers.iter().peekable();
            let mut captured = Vec::with_capacity(self.layers.len());
            vgg.forward(x, |index, maps| {
                if let Some(layer) = wanted.next_if(|layer| layer.index == index) {
                    captured.push((*layer, maps.clone()));
                }
            });
            captured
        })
        .map_err(|why| RunError::Backend {
            what: what.to_owned(),
            why,
        })
    }

    /// Opens a step, waiting while the writer is behind.
    pub(super) fn begin(&self, step: i64, title: String) -> Result<OpenStep, WriterStopped> {
        let (sender, pictures) = channel();
        self.writer.push(PendingStep {
            step,
            title,
            pictures,
        })?;
        Ok(OpenStep {
            step,
            sender,
            studio: Arc::clone(&self.studio),
            pieces: 0,
            laps: Laps::default(),
        })
    }
}

/// A step whose pictures are on their way.
pub(super) struct OpenStep {
    step: i64,
    sender: Sender<Result<Done, PictureError>>,
    studio: Arc<Studio>,
    /// How many pieces were begun: the next one's place in the step.
    pieces: usize,
    pub(super) laps: Laps,
}

impl OpenStep {
    /// Adds a value that is ready.
    pub(super) fn add(&mut self, name: &str, summary: Summary) {
        let done = Done {
            slot: self.pieces,
            name: name.to_owned(),
            summaries: vec![summary],
            non_finite: 0,
            laps: Laps::default(),
        };
        self.pieces += 1;
        self.send(Ok(done));
    }

    /// Has a picture made by a rendering thread.
    pub(super) fn make(
        &mut self,
        work: impl FnOnce(&Studio, usize) -> Result<Done, PictureError> + Send + 'static,
    ) {
        let slot = self.pieces;
        self.pieces += 1;
        let studio = Arc::clone(&self.studio);
        let sender = self.sender.clone();
        rayon::spawn_fifo(move || {
            let made = guarded(|| work(&studio, slot))
                .unwrap_or_else(|why| Err(PictureError::Crashed(why)));
            // Nobody listens any more when the writer has given up; it has said why.
            let _ = sender.send(made);
        });
    }

    /// Has the grids of one image made, the `at`th of the batch that `captured` holds.
    pub(super) fn make_maps(
        &mut self,
        captured: &Captured,
        at: usize,
        group: &Arc<str>,
        folder: &Arc<str>,
        describe: bool,
    ) {
        for (layer, maps) in captured {
            let [batch, channels, height, width] = maps.dims();
            // A batch of one is not sliced: the view would count as a second holder of the maps.
            let maps = if batch == 1 {
                maps.clone()
            } else {
                maps.clone()
                    .slice([at..at + 1, 0..channels, 0..height, 0..width])
            };
            let job = MapsJob {
                layer: *layer,
                maps,
                group: Arc::clone(group),
                folder: Arc::clone(folder),
                describe,
            };
            self.make(move |studio, slot| studio.feature_maps(slot, job));
        }
    }

    /// Has the grid of first-layer kernels made.
    pub(super) fn make_kernels(
        &mut self,
        vgg: &Vgg,
        arch: Arch,
        folder: &Arc<str>,
        describe: bool,
    ) {
        let (Some(kernels), Some(layer)) = (vgg.kernels(), arch.layers().first().copied()) else {
            return;
        };
        let folder = Arc::clone(folder);
        self.make(move |studio, slot| studio.kernels(slot, layer, kernels, &folder, describe));
    }

    /// Has the picture that the network saw encoded.
    pub(super) fn make_input(&mut self, tag: &str, image: &Arc<Prepared>, describe: bool) {
        let image = Arc::clone(image);
        let tag = tag.to_owned();
        self.make(move |studio, slot| {
            studio.input(slot, tag, &image.title(), &image.picture, describe)
        });
    }

    /// The step's number.
    pub(super) fn step(&self) -> i64 {
        self.step
    }

    /// Closes the step: it is written once its last picture has come.
    pub(super) fn finish(self) {
        let done = Done {
            slot: self.pieces,
            name: String::new(),
            summaries: Vec::new(),
            non_finite: 0,
            laps: self.laps,
        };
        self.send(Ok(done));
    }

    fn send(&self, done: Result<Done, PictureError>) {
        // Nobody listens any more when the writer has given up; it has said why.
        let _ = self.sender.send(done);
    }
}
