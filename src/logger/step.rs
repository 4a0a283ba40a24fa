//! One step: its values are rendered in the background and written together.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use burn::tensor::Tensor;

use super::error::LoggerError;
use super::feature_logger::{FeatureLogger, Past};
use super::grid_style::{Framed, GridStyle, Job};
use super::on_device::OnDevices;
use super::piece::{Finished, Part, Piece};
use super::renderer::PartSender;
use super::timings::{Stage, StageTimings};
use super::writer::Order;
use crate::device::Span;
use feature_grid::Picture;
use tensorboard_events::{Histogram, Summary};

/// A step that is being put together. [`finish`](Self::finish) hands it over to be written; dropped
/// without it, nothing of it is written.
pub struct Step<'a> {
    number: i64,
    pub(super) logger: &'a FeatureLogger,
    /// What is known of earlier steps; the logger's again when this one is over.
    pub(super) past: Past,
    pub(super) sender: PartSender,
    whole: Finished,
    folder: String,
    new_tags: Vec<String>,
    pub(super) references: Vec<(String, Tensor<4>)>,
    pub(super) framed: HashMap<String, Framed>,
    pub(super) on_devices: OnDevices,
    /// Bytes of the maps, while they are kept.
    pub(super) size: u64,
}

impl Drop for Step<'_> {
    fn drop(&mut self) {
        self.logger.give_back(std::mem::take(&mut self.past));
    }
}

impl FeatureLogger {
    /// Opens step `number`, waiting while the writer is behind. Steps are written in the order in which
    /// they are opened; the numbers of a tag must rise.
    ///
    /// # Errors
    ///
    /// The writer has stopped, with the reason; another step is open.
    pub fn step(&self, number: i64) -> Result<Step<'_>, LoggerError> {
        self.open(number, true)
    }

    /// Opens the last step once more, for what is known only after it.
    pub(crate) fn after_step(&self, number: i64) -> Result<Step<'_>, LoggerError> {
        self.open(number, false)
    }

    fn open(&self, number: i64, counted: bool) -> Result<Step<'_>, LoggerError> {
        let mut past = self.past().take().ok_or(LoggerError::StepOpen)?;
        let (parts, received) = channel();
        let pending = Order::Step(number, received);
        let writing = past.writing.as_mut();
        if !writing.is_some_and(|writing| writing.queue.send_step(pending)) {
            let error = past.stop_error();
            self.give_back(past);
            return Err(error);
        }
        let sender = PartSender {
            renderer: Arc::clone(&self.renderer),
            parts,
        };
        Ok(Step {
            number,
            logger: self,
            past,
            sender,
            whole: Finished {
                counted,
                ..Finished::default()
            },
            folder: format!("{number:06}"),
            new_tags: Vec::new(),
            references: Vec::new(),
            framed: HashMap::new(),
            on_devices: OnDevices {
                on: self.renderer.options.on,
                devices: Vec::new(),
            },
            size: 0,
        })
    }
}

impl Step<'_> {
    /// The step's number.
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

    pub(crate) fn frame(&mut self, layer: String, framed: Framed) {
        self.framed.insert(layer, framed);
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

    /// Logs a picture as it is.
    pub fn image(&mut self, tag: impl Into<String>, picture: Picture) {
        let tag = tag.into();
        let (slot, describe) = (self.next_slot(), self.is_new(&tag));
        self.sender.spawn(tag.clone(), move |renderer| {
            renderer.image(slot, tag, describe, &picture)
        });
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
        let piece = Piece {
            slot: self.next_slot(),
            summary: Some(summary),
            ..Piece::default()
        };
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

    pub(super) fn job(&mut self, tag: String, layer: String, count: usize, grid: GridStyle) -> Job {
        let png = self.logger.png.as_ref();
        Job {
            slot: self.next_slot(),
            describe: self.is_new(&tag),
            folder: png.map(|root| root.join(&self.folder)),
            tag,
            layer,
            count,
            grid,
        }
    }

    /// Whether this is the tag's first value, which carries the description.
    pub(super) fn is_new(&mut self, tag: &str) -> bool {
        let is_new = !self.past.described.contains(tag);
        if is_new {
            self.new_tags.push(tag.to_owned());
        }
        is_new
    }

    pub(super) fn next_slot(&mut self) -> usize {
        self.whole.pieces += 1;
        self.whole.pieces - 1
    }
}
