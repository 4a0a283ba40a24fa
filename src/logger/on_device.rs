//! What devices draw of a step, until it is copied to the host.

use std::cell::OnceCell;

use burn::tensor::{Device, Tensor};

use super::error::LoggerError;
use super::grid_style::{Job, RenderOn};
use super::piece::Piece;
use super::renderer::{PartSender, Renderer};
use super::timings::Stage;
use crate::device::{Arriving, BackendError, Drawn, ReadBack, Span, in_float32};
use feature_grid::Drawing;

/// A piece that was made of what arrived, unless it did not.
pub(super) type Made = Result<Result<Piece, LoggerError>, BackendError>;

type Rest = Box<dyn FnOnce(&Renderer, &Arriving) -> Made + Send>;

/// What the devices draw of a step. Each has its own copy.
#[derive(Default)]
pub(super) struct OnDevices {
    pub(super) on: RenderOn,
    pub(super) devices: Vec<OnDevice>,
}

pub(super) struct OnDevice {
    pub(super) read_back: ReadBack,
    rest: Vec<(String, Rest)>,
}

impl OnDevices {
    pub(super) fn of(&mut self, device: &Device) -> Option<&mut OnDevice> {
        if !self.on.is_at(device) {
            return None;
        }
        let mut known = self.devices.iter();
        let known = known.position(|known| known.read_back.device == *device);
        let at = known.unwrap_or(self.devices.len());
        if known.is_none() {
            self.devices.push(OnDevice {
                read_back: ReadBack::new(device.clone())?,
                rest: Vec::new(),
            });
        }
        self.devices.get_mut(at)
    }

    /// Copies all of a device at once, for rendering threads to wait for; returns how long devices draw and copy.
    pub(super) fn start(self, sender: &PartSender) -> Vec<(Stage, Span)> {
        let mut spans = Vec::new();
        for OnDevice { read_back, rest } in self.devices {
            let arriving = read_back.start();
            if let Ok(arriving) = &arriving {
                spans.push((Stage::Render, arriving.drawing.clone()));
                spans.push((Stage::Copy, arriving.copying.clone()));
            }
            for (tag, rest) in rest {
                let arriving = arriving.clone();
                sender.spawn(tag.clone(), move |renderer| {
                    let read = arriving.and_then(|arriving| rest(renderer, &arriving));
                    read.map_err(|error| LoggerError::Draw(tag, error))?
                });
            }
        }
        spans
    }
}

/// The maps of a layer for several images, `[batch, channels, height, width]`, drawn together where their device draws.
pub(crate) struct BatchMaps {
    all: Tensor<4>,
    /// Made when the first image is logged: all are shown alike.
    drawn: OnceCell<Drawn<Tensor<2>>>,
}

impl BatchMaps {
    pub(crate) fn new(maps: Tensor<4>) -> Self {
        Self {
            all: in_float32(maps),
            drawn: OnceCell::new(),
        }
    }

    /// The maps of the image at a place in the batch, `[1, channels, height, width]`.
    pub(super) fn of_image(&self, at: usize) -> Tensor<4> {
        // A batch of one is not sliced: the view would count as a second owner of the maps.
        if self.all.dims()[0] == 1 {
            return self.all.clone();
        }
        self.all.clone().narrow(0, at, 1)
    }

    pub(super) fn drawn(&self, job: &Job) -> Result<&Drawn<Tensor<2>>, LoggerError> {
        if let Some(drawn) = self.drawn.get() {
            return Ok(drawn);
        }
        let drawn = draw(job, self.all.clone())?;
        Ok(self.drawn.get_or_init(|| drawn))
    }
}

/// Has the device of `maps`, `[batch, channels, height, width]`, draw the grids of all images.
pub(super) fn draw(job: &Job, maps: Tensor<4>) -> Result<Drawn<Tensor<2>>, LoggerError> {
    let [_, channels, height, width] = maps.dims();
    let drawing = Drawing::new([channels, height, width], &job.grid.style)
        .map_err(|error| LoggerError::Render(job.tag.clone(), error))?;
    Ok(Drawn::new(maps, drawing, job.grid.chosen.as_deref()))
}

impl OnDevice {
    pub(super) fn then(
        &mut self,
        tag: String,
        rest: impl FnOnce(&Renderer, &Arriving) -> Made + Send + 'static,
    ) {
        self.rest.push((tag, Box::new(rest)));
    }
}
