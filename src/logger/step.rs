//! One step: its values are rendered in the background and written together.

use std::collections::HashMap;
use std::time::Duration;

use burn::tensor::Tensor;

use super::batch::BatchMaps;
use super::error::LoggerError;
use super::feature_logger::{FeatureLogger, Past};
use super::on_device::OnDevices;
use super::renderer::{Earlier, Job, KernelValues, Look, Pictured, Tiles};
use super::timings::{Stage, StageTimings};
use super::writer::{Finished, Part, PartSender, Piece};
use crate::device::{BackendError, Span, free_memory, in_float32, values};
use feature_grid::{Picture, RenderError};
use tensorboard_events::{Histogram, Summary};

/// A step that is being put together. [`finish`](Self::finish) hands it over to be written; dropped
/// without it, nothing of it is written.
pub struct Step<'a> {
    number: i64,
    logger: &'a FeatureLogger,
    /// What is known of earlier steps; the logger's again when this one is over.
    past: Past,
    sender: PartSender,
    /// What is said of the step once it is complete.
    whole: Finished,
    /// The folder of PNG files.
    folder: String,
    new_tags: Vec<String>,
    /// Maps that later steps are compared with.
    references: Vec<(String, Tensor<4>)>,
    /// The channels to mark as dead, by layer.
    dead: HashMap<String, Vec<usize>>,
    /// What devices draw of this step.
    on_devices: OnDevices,
    /// Bytes of the maps, while they are kept.
    size: u64,
}

impl Drop for Step<'_> {
    /// The next step may be opened.
    fn drop(&mut self) {
        self.logger.give_back(std::mem::take(&mut self.past));
    }
}

impl<'a> Step<'a> {
    pub(super) fn new(
        number: i64,
        logger: &'a FeatureLogger,
        past: Past,
        sender: PartSender,
        counted: bool,
    ) -> Self {
        Self {
            number,
            logger,
            past,
            sender,
            whole: Finished {
                counted,
                ..Finished::default()
            },
            folder: format!("{number:06}"),
            new_tags: Vec::new(),
            references: Vec::new(),
            dead: HashMap::new(),
            on_devices: OnDevices::default(),
            size: 0,
        }
    }

    /// The step's number.
    #[must_use]
    pub fn number(&self) -> i64 {
        self.number
    }

    /// What the step is called in progress reports.
    pub fn set_title(&mut self, title: impl Into<String>) {
        self.whole.title = title.into();
    }

    /// As [`FeatureLogger::describe`](super::FeatureLogger::describe), for a tag that comes up in a step.
    pub fn describe(&self, tag: impl Into<String>, heading: impl Into<String>) {
        self.logger.describe(tag, heading);
    }

    /// Frames these channels of a layer as dead in the grids that follow.
    pub(crate) fn mark_dead(&mut self, layer: String, channels: Vec<usize>) {
        self.dead.insert(layer, channels);
    }

    /// The folder for this step's PNG files, below the one given to
    /// [`Builder::png`](super::Builder::png); its number without this call.
    pub fn set_png_folder(&mut self, folder: impl Into<String>) {
        self.folder = folder.into();
    }

    /// Adds time that was spent on this step elsewhere.
    pub fn record(&mut self, stage: Stage, time: Duration) {
        self.whole.timings.record(stage, time);
    }

    /// Adds times that were spent on this step elsewhere.
    pub fn record_all(&mut self, timings: &StageTimings) {
        self.whole.timings.add(timings);
    }

    /// Adds work that a device does for this step and may not be done with.
    pub(crate) fn record_span(&mut self, stage: Stage, span: Span) {
        self.whole.spans.push((stage, span));
    }

    /// Logs the feature maps of one image as a grid. They may be on any device, and are only read: on an NVIDIA GPU they
    /// are rendered there, elsewhere in the background. How their values are distributed is logged too, as
    /// scalars: `range/TAG/min`, `max`, `mean`, `std`, `zeros` (a fraction), `nan` and `infinite` (counts);
    /// a leading `feature_maps/` of the tag is left out there. Where steps are compared
    /// ([`Builder::compare`](super::Builder::compare)), so is how much they changed, and where changes are shown,
    /// a picture `change/TAG`.
    ///
    /// Shapes: `[1, channels, height, width]`.
    ///
    /// # Errors
    ///
    /// Another shape.
    pub fn feature_maps(
        &mut self,
        tag: impl Into<String>,
        maps: Tensor<4>,
    ) -> Result<(), LoggerError> {
        let (tag, shape) = (tag.into(), maps.dims());
        if shape[0] != 1 {
            return Err(LoggerError::Batch { tag, shape });
        }
        let layer = tag.strip_prefix("feature_maps/").unwrap_or(&tag).to_owned();
        self.maps_of_layer(tag, layer, &BatchMaps::new(maps), 0)
    }

    /// The same of the image `at` in a batch; the maps of all images that are logged under one `layer` share its
    /// scalars.
    pub(crate) fn maps_of_layer(
        &mut self,
        tag: String,
        layer: String,
        batch: &BatchMaps,
        at: usize,
    ) -> Result<(), LoggerError> {
        let maps = batch.of_image(at);
        let shape = maps.dims();
        // Here and not by whichever thread comes first: the error names the first layer.
        let mut look = self.logger.renderer.look(&tag, &layer, shape)?;
        look.dead = self.dead.get(&layer).cloned().unwrap_or_default();
        let change = format!(
            "change/{}",
            tag.strip_prefix("feature_maps/").unwrap_or(&tag)
        );
        let earlier = self.earlier(&tag, change, &maps)?;
        if let Some(writing) = &mut self.past.writing {
            writing.queue.bound(|| free_memory(&maps));
        }
        self.size += size_of::<f32>() as u64 * shape.iter().product::<usize>() as u64;
        let job = self.job(tag.clone(), layer, Tiles::Maps, shape[1], look, earlier);
        let renderer = &self.logger.renderer;
        if let Some(device) = self.on_devices.of(renderer, &tag, batch.all())?
            && let Some(drawn) = renderer.draw(&job, batch, at, &mut device.read_back)?
        {
            device.then(tag, move |renderer, arrived| {
                renderer.feature_maps(job, maps, Some((&drawn, arrived)))
            });
            return Ok(());
        }
        self.sender
            .spawn(tag, move |renderer| renderer.feature_maps(job, maps, None));
        Ok(())
    }

    /// What `maps` are compared with; remembers them for later steps.
    fn earlier(
        &mut self,
        tag: &str,
        change: String,
        maps: &Tensor<4>,
    ) -> Result<Earlier, LoggerError> {
        let references = &self.past.references;
        if !references.measured && references.pictured.is_none() {
            return Ok(Earlier::default());
        }
        let reference = references.of(tag, maps)?;
        let from = references
            .pictured
            .and_then(|against| reference.of(against).cloned());
        let described = &self.past.described;
        let pictured = from.map(|from| Pictured {
            describe: !described.contains(&change),
            tag: change,
            from,
        });
        let mut measured = Vec::new();
        if references.measured {
            measured.extend(reference.first.map(|maps| ("first", maps)));
            measured.extend(reference.previous.map(|maps| ("previous", maps)));
            measured.extend(reference.given.map(|maps| ("reference", maps)));
        }
        self.new_tags
            .extend(pictured.as_ref().map(|pictured| pictured.tag.clone()));
        self.references.push((tag.to_owned(), maps.clone()));
        Ok(Earlier { measured, pictured })
    }

    /// Logs convolution kernels over one or three input channels as a grid, in color where there are
    /// three, and scalars as for [`feature_maps`](Self::feature_maps).
    ///
    /// Shapes: `[kernels, channels, height, width]`.
    ///
    /// # Errors
    ///
    /// Another number of channels.
    pub fn kernels(
        &mut self,
        tag: impl Into<String>,
        kernels: Tensor<4>,
    ) -> Result<(), LoggerError> {
        let (tag, kernels) = (tag.into(), in_float32(kernels));
        let [_, channels, ..] = kernels.dims();
        if ![1, 3].contains(&channels) {
            let source = RenderError::KernelChannels { channels };
            return Err(LoggerError::render(&tag, source));
        }
        let change = match tag.split_once('/') {
            Some(("kernels", _)) => "change/kernels".to_owned(),
            _ => format!("change/{tag}"),
        };
        let earlier = self.earlier(&tag, change, &kernels)?;
        let shape = kernels.dims();
        let old = earlier.pictured.as_ref();
        let old = old.map(|pictured| pictured.from.clone());
        let look = self.logger.renderer.look_of_kernels(&tag);
        let (layer, count) = (tag.clone(), shape[0]);
        let job = self.job(tag.clone(), layer, Tiles::Kernels, count, look, earlier);
        let is_near = |old: &Tensor<4>| old.device() == kernels.device();
        let device = self
            .on_devices
            .of(&self.logger.renderer, &tag, &kernels)?
            .filter(|_| old.as_ref().is_none_or(is_near));
        if let Some(device) = device {
            let new = device.read_back.add_numbers(kernels);
            let old = old.map(|old| device.read_back.add_numbers(old));
            device.then(tag, move |renderer, arrived| {
                let read = || {
                    let old = old.map(|old| arrived.floats(&old)).transpose()?;
                    let new = arrived.floats(&new)?;
                    Ok(KernelValues { new, old })
                };
                renderer.kernels(job, shape, read)
            });
            return Ok(());
        }
        self.sender.spawn(tag, move |renderer| {
            let values = |kernels| values(kernels).map_err(|why| BackendError::of(&why));
            let read = || {
                let old = old.map(values).transpose()?;
                let new = values(kernels)?;
                Ok(KernelValues { new, old })
            };
            renderer.kernels(job, shape, read)
        });
        Ok(())
    }

    /// Logs a picture as it is.
    ///
    /// # Errors
    ///
    /// See [`images`](Self::images).
    pub fn image(&mut self, tag: impl Into<String>, picture: &Picture) -> Result<(), LoggerError> {
        self.images(tag, vec![picture.clone()])
    }

    /// Logs pictures of one size, which TensorBoard shows side by side.
    ///
    /// # Errors
    ///
    /// No picture, or sizes that differ.
    pub fn images(
        &mut self,
        tag: impl Into<String>,
        pictures: Vec<Picture>,
    ) -> Result<(), LoggerError> {
        let tag = tag.into();
        let size = |picture: &Picture| (picture.width, picture.height);
        let first = pictures.first().map(size);
        if first.is_none() || pictures.iter().any(|picture| Some(size(picture)) != first) {
            return Err(LoggerError::Images { tag });
        }
        let (slot, describe) = (self.next_slot(), self.is_new(&tag));
        self.sender.spawn(tag.clone(), move |renderer| {
            renderer.images(slot, tag, describe, &pictures)
        });
        Ok(())
    }

    /// Logs a number.
    pub fn scalar(&mut self, tag: impl Into<String>, value: impl Into<f64>) {
        self.summary(Summary::scalar(tag, value));
    }

    /// Logs Markdown.
    pub fn text(&mut self, tag: impl Into<String>, markdown: impl Into<String>) {
        self.summary(Summary::text(tag, markdown));
    }

    /// Logs the distribution of `values`.
    pub fn histogram(&mut self, tag: impl Into<String>, values: &[f32]) {
        let histogram = Histogram::of(values, Histogram::BUCKETS);
        self.summary(Summary::histogram(tag, histogram));
    }

    /// Logs anything that an event file can hold.
    pub fn summary(&mut self, summary: Summary) {
        let piece = Piece::plain(self.next_slot(), summary, StageTimings::default());
        self.sender.send(Part::Piece(Ok(piece)));
    }

    /// Hands the step over: it is written, whole, once its last image is rendered.
    pub fn finish(mut self) {
        let past = &mut self.past;
        past.described.extend(self.new_tags.drain(..));
        for (tag, maps) in self.references.drain(..) {
            past.references.advance(tag, maps);
        }
        if let Some(writing) = &mut past.writing {
            writing.queue.measure(self.size);
        }
        let on_devices = std::mem::take(&mut self.on_devices);
        let mut whole = std::mem::take(&mut self.whole);
        whole.spans.extend(on_devices.start(&self.sender));
        self.sender.send(Part::Finished(whole));
    }

    /// A grid to be made.
    fn job(
        &mut self,
        tag: String,
        layer: String,
        tiles: Tiles,
        count: usize,
        look: Look,
        earlier: Earlier,
    ) -> Job {
        let png = self.logger.png.as_ref();
        Job {
            slot: self.next_slot(),
            describe: self.is_new(&tag),
            folder: png.map(|root| root.join(&self.folder)),
            tag,
            layer,
            tiles,
            count,
            look,
            earlier,
        }
    }

    /// Whether this is the tag's first value, which carries the description.
    fn is_new(&mut self, tag: &str) -> bool {
        let is_new = !self.past.described.contains(tag);
        if is_new {
            self.new_tags.push(tag.to_owned());
        }
        is_new
    }

    fn next_slot(&mut self) -> usize {
        self.whole.pieces += 1;
        self.whole.pieces - 1
    }
}
