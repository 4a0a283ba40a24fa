//! What devices draw of a step, until it is copied to the host.

use burn::tensor::{Device, Tensor};

use super::error::LoggerError;
use super::grid_style::Job;
use super::piece::{Part, Piece};
use super::renderer::{PartSender, Renderer};
use super::timings::Stage;
use crate::device::{Arrived, Copying, Drawn, ReadBack, Span};
use feature_grid::Drawing;

/// What is left to be done for a tag once the bytes have arrived.
type Rest = Box<dyn FnOnce(&Renderer, &Arrived) -> Result<Piece, LoggerError> + Send>;

/// What the devices draw of a step. Each has its own copy.
#[derive(Default)]
pub(super) struct OnDevices(Vec<OnDevice>);

/// What one device draws of a step, and what becomes of it.
pub(super) struct OnDevice {
    device: Device,
    pub(super) read_back: ReadBack,
    rest: Vec<(String, Rest)>,
}

impl OnDevices {
    /// The device that all of these maps are on; `None` where it does not draw them.
    pub(super) fn of(
        &mut self,
        renderer: &Renderer,
        tag: &str,
        maps: &[&Tensor<4>],
    ) -> Result<Option<&mut OnDevice>, LoggerError> {
        let Some(device) = maps.first().map(|maps| maps.device()) else {
            return Ok(None);
        };
        let accelerator = renderer.on_device(tag, &device)?;
        let is_here = |maps: &&Tensor<4>| maps.device() == device;
        let Some(accelerator) = accelerator.filter(|_| maps.iter().all(is_here)) else {
            return Ok(None);
        };
        let known = self.0.iter().position(|known| known.device == device);
        let at = known.unwrap_or(self.0.len());
        if known.is_none() {
            self.0.push(OnDevice {
                device,
                read_back: ReadBack::new(accelerator),
                rest: Vec::new(),
            });
        }
        Ok(self.0.get_mut(at))
    }

    /// Copies all that is on a device at once, and has a rendering thread wait for it; returns how long the devices
    /// draw.
    pub(super) fn start(self, sender: &PartSender) -> Vec<(Stage, Span)> {
        let start = |device: OnDevice| device.start(sender);
        self.0.into_iter().filter_map(start).collect()
    }
}

/// Has the device of `maps`, `[batch, channels, height, width]`, draw the grids of all images.
pub(super) fn draw(job: &Job, maps: Tensor<4>) -> Result<Drawn, LoggerError> {
    let [_, channels, height, width] = maps.dims();
    let drawing = Drawing::new([channels, height, width], &job.grid.style)
        .map_err(|error| LoggerError::Render(job.tag.clone(), error))?;
    Drawn::new(maps, drawing, job.grid.chosen.as_deref())
        .map_err(|error| LoggerError::Draw(job.tag.clone(), error))
}

impl OnDevice {
    /// Does this with what has arrived.
    pub(super) fn then(
        &mut self,
        tag: String,
        rest: impl FnOnce(&Renderer, &Arrived) -> Result<Piece, LoggerError> + Send + 'static,
    ) {
        self.rest.push((tag, Box::new(rest)));
    }

    fn start(self, sender: &PartSender) -> Option<(Stage, Span)> {
        let (first, _) = self.rest.first()?;
        match self.read_back.start() {
            Ok((copying, drawing)) => {
                let (threads, sender) = (sender.renderer.threads, sender.clone());
                threads.spawn_fifo(move || deliver(copying, self.rest, &sender));
                Some((Stage::Render, drawing))
            }
            Err(error) => {
                sender.send(Part::Piece(Err(LoggerError::Draw(first.clone(), error))));
                None
            }
        }
    }
}

/// Waits for the bytes, and has every tag made of them.
fn deliver(copying: Copying, rest: Vec<(String, Rest)>, sender: &PartSender) {
    let arrived = copying.wait();
    if let Ok((_, took)) = &arrived {
        sender.send(Part::Took(Stage::Copy, *took));
    }
    let arrived = arrived.map(|(arrived, _)| arrived);
    for (tag, rest) in rest {
        let arrived = arrived.clone();
        sender.spawn(tag.clone(), move |renderer| {
            let arrived = arrived.map_err(|error| LoggerError::Draw(tag, error))?;
            rest(renderer, &arrived)
        });
    }
}
