//! One step: its values are rendered in the background and written together.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use burn::tensor::Tensor;

use super::batch::BatchMaps;
use super::error::LoggerError;
use super::on_device::OnDevices;
use super::references::References;
use super::renderer::{Earlier, Job, Pictured, Piece, Renderer};
use super::timings::{Stage, StageTimings};
use super::writer::{Part, make};
use crate::device::{Span, free_memory, in_float32, values};
use feature_grid::Picture;
use tensorboard_events::{Histogram, Summary};

/// A step that is being put together. [`finish`](Self::finish) hands it over to be written; dropped
/// without it, nothing of it is written.
pub struct Step<'a> {
    number: i64,
    parts: Sender<Part>,
    renderer: Arc<Renderer>,
    /// Where PNG files go, if anywhere.
    png: Option<PathBuf>,
    folder: String,
    /// What is known of earlier steps.
    past: &'a mut Past,
    new_tags: Vec<String>,
    /// Maps that later steps are compared with.
    references: Vec<(String, Tensor<4>)>,
    /// Whether it is a step of its own.
    counted: bool,
    /// The channels to mark as dead, by layer.
    dead: HashMap<String, Vec<usize>>,
    pieces: usize,
    title: String,
    timings: StageTimings,
    /// Work of the device for this step.
    spans: Vec<(Stage, Span)>,
    /// What devices draw of this step.
    on_devices: OnDevices,
    /// Bytes of the maps, while they are kept.
    size: u64,
}

/// What a step needs to know of those before it.
pub(super) struct Past {
    /// Tags that were described.
    described: HashSet<String>,
    pub(super) references: References,
    /// Bytes of the last step's maps.
    pub(super) size: u64,
    /// What was free of the memory of the GPU that the first maps came from, if it was one. Units: bytes.
    free_memory: OnceCell<Option<u64>>,
}

impl Past {
    pub(super) fn new(references: References) -> Self {
        Self {
            described: HashSet::new(),
            references,
            size: 0,
            free_memory: OnceCell::new(),
        }
    }

    pub(super) fn free_memory(&self) -> Option<u64> {
        *self.free_memory.get()?
    }
}

impl<'a> Step<'a> {
    pub(super) fn new(
        number: i64,
        parts: Sender<Part>,
        renderer: Arc<Renderer>,
        png: Option<PathBuf>,
        past: &'a mut Past,
        counted: bool,
    ) -> Self {
        Self {
            number,
            parts,
            renderer,
            png,
            folder: format!("{number:06}"),
            past,
            new_tags: Vec::new(),
            references: Vec::new(),
            counted,
            dead: HashMap::new(),
            pieces: 0,
            title: String::new(),
            timings: StageTimings::default(),
            spans: Vec::new(),
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
        self.title = title.into();
    }

    /// As [`FeatureLogger::describe`](super::FeatureLogger::describe), for a tag that comes up in a step.
    pub fn describe(&self, tag: impl Into<String>, heading: impl Into<String>) {
        let describer = &self.renderer.describer;
        describer.set_heading(tag.into(), heading.into());
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
        self.timings.record(stage, time);
    }

    /// Adds times that were spent on this step elsewhere.
    pub fn record_all(&mut self, timings: &StageTimings) {
        self.timings.add(timings);
    }

    /// Adds work that a device does for this step and may not be done with.
    pub(crate) fn record_span(&mut self, stage: Stage, span: Span) {
        self.spans.push((stage, span));
    }

    /// Logs the feature maps of one image as a grid. They may be on any device, and are only read: they are rendered there
    /// or copied and rendered in the background, as [`RenderOn`](super::RenderOn) says. How their values are distributed is logged too, as
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
        self.maps_of_layer(tag, layer, (&BatchMaps::new(maps), 0))
    }

    /// The same of the image `at` in a batch; the maps of all images that are logged under one `layer` share its
    /// scalars.
    pub(crate) fn maps_of_layer(
        &mut self,
        tag: String,
        layer: String,
        (batch, at): (&BatchMaps, usize),
    ) -> Result<(), LoggerError> {
        let maps = batch.of_image(at);
        let shape = maps.dims();
        // Here and not by whichever thread comes first: the error names the first layer.
        self.renderer.look(&tag, &layer, shape)?;
        let change = format!(
            "change/{}",
            tag.strip_prefix("feature_maps/").unwrap_or(&tag)
        );
        let earlier = self.earlier(&tag, change, &maps)?;
        self.past.free_memory.get_or_init(|| free_memory(&maps));
        self.size += size_of::<f32>() as u64 * shape.iter().product::<usize>() as u64;
        let dead = self.dead.get(&layer).cloned().unwrap_or_default();
        let job = self.job(tag, earlier, dead);
        let device = self.on_devices.of(&self.renderer, &job.tag, batch.all())?;
        if let Some(device) = device {
            let drawn = self
                .renderer
                .draw(&job, &layer, batch, at, &mut device.read_back)?;
            if let Some(drawn) = drawn {
                device.then(job.tag.clone(), move |renderer, arrived| {
                    renderer.drawn_maps(job, layer, maps, &drawn, arrived)
                });
                return Ok(());
            }
        }
        self.spawn(job.tag.clone(), move |renderer| {
            renderer.feature_maps(job, layer, maps)
        });
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
            let source = feature_grid::RenderError::KernelChannels { channels };
            return Err(LoggerError::Render { tag, source });
        }
        let change = match tag.split_once('/') {
            Some(("kernels", _)) => "change/kernels".to_owned(),
            _ => format!("change/{tag}"),
        };
        let earlier = self.earlier(&tag, change, &kernels)?;
        let (layer, shape) = (tag.clone(), kernels.dims());
        let job = self.job(tag, earlier, Vec::new());
        let old = job.earlier.pictured.as_ref();
        let old = old.map(|pictured| pictured.from.clone());
        let tag = layer.clone();
        let device = self.on_devices.of(&self.renderer, &tag, &kernels)?;
        let is_near = |old: &Tensor<4>| old.device() == kernels.device();
        if let Some(device) = device
            && old.as_ref().is_none_or(is_near)
        {
            let new = device.read_back.add_numbers(kernels);
            let old = old.map(|old| device.read_back.add_numbers(old));
            device.then(tag, move |renderer, arrived| {
                let read = |place| arrived.floats(&place).map_err(|error| error.to_string());
                let both = || Ok((read(new)?, old.map(read).transpose()?));
                renderer.kernels(job, layer, shape, both)
            });
            return Ok(());
        }
        self.spawn(tag, move |renderer| {
            let read = || Ok((values(kernels)?, old.map(values).transpose()?));
            renderer.kernels(job, layer, shape, read)
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
        let job = self.job(tag.clone(), Earlier::default(), Vec::new());
        self.spawn(tag, move |renderer| renderer.images(job, &pictures));
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
        self.send(Part::Piece(Ok(piece)));
    }

    /// Hands the step over: it is written, whole, once its last image is rendered.
    pub fn finish(mut self) {
        self.past.described.extend(self.new_tags.drain(..));
        for (tag, maps) in self.references.drain(..) {
            self.past.references.advance(tag, maps);
        }
        let on_devices = std::mem::take(&mut self.on_devices);
        self.spans
            .extend(on_devices.start(&self.renderer, &self.parts));
        self.past.size = self.size;
        let finished = Part::Finished {
            pieces: self.pieces,
            counted: self.counted,
            title: std::mem::take(&mut self.title),
            timings: self.timings,
            spans: std::mem::take(&mut self.spans),
        };
        self.send(finished);
    }

    /// An image to be made.
    fn job(&mut self, tag: String, earlier: Earlier, dead: Vec<usize>) -> Job {
        let describe = !self.past.described.contains(&tag);
        if describe {
            self.new_tags.push(tag.clone());
        }
        Job {
            slot: self.next_slot(),
            tag,
            folder: self.png.as_ref().map(|root| root.join(&self.folder)),
            describe,
            earlier,
            dead,
        }
    }

    /// Has an image made by a rendering thread.
    fn spawn(
        &self,
        tag: String,
        work: impl FnOnce(&Renderer) -> Result<Piece, LoggerError> + Send + 'static,
    ) {
        let (renderer, parts) = (Arc::clone(&self.renderer), self.parts.clone());
        rayon::spawn_fifo(move || make(&renderer, &parts, tag, work));
    }

    fn next_slot(&mut self) -> usize {
        self.pieces += 1;
        self.pieces - 1
    }

    fn send(&self, part: Part) {
        // The receiver is gone only where the writer has stopped with an error of its own.
        let _ = self.parts.send(part);
    }
}
