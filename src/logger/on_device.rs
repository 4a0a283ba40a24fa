//! What devices draw of a step, until it is copied to the host.

use std::ops::Range as Place;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use burn::tensor::Tensor;

use super::batch::BatchMaps;
use super::error::LoggerError;
use super::renderer::{DrawnMaps, Job, Piece, Renderer};
use super::timings::Stage;
use super::writer::{Part, make};
use crate::device::{DeviceMaps, HostBytes, Mark, OnItsWay, ReadBack, Span};

/// What is left to be done with the bytes of a tag.
type Rest = Box<dyn FnOnce(&Renderer, &HostBytes) -> Result<Piece, LoggerError> + Send>;

/// The device of kernels, their place among its bytes, and that of those they are compared with.
type CopiedKernels = (usize, Place<usize>, Option<Place<usize>>);

/// What the devices draw of a step. Each has its own copy.
#[derive(Default)]
pub(super) struct OnDevices(Vec<OnDevice>);

/// The bytes of a step that are on one device, and what becomes of them.
struct OnDevice {
    place: usize,
    began: Mark,
    read_back: ReadBack,
    rest: Vec<(String, Rest)>,
}

impl OnDevices {
    /// Has the device draw the maps of the image `at` in a batch; `None` where it does not. Also says which device.
    pub(super) fn draw(
        &mut self,
        renderer: &Renderer,
        job: &Job,
        layer: &str,
        (batch, at): (&BatchMaps, usize),
    ) -> Result<Option<(usize, DrawnMaps)>, LoggerError> {
        let Some(maps) = renderer.on_device(&job.tag, batch.all())? else {
            return Ok(None);
        };
        let read_back = &mut self.of(&maps).read_back;
        let drawn = renderer.draw(job, layer, (&maps, batch, at), read_back)?;
        Ok(drawn.map(|drawn| (maps.place(), drawn)))
    }

    /// Copies kernels with all else, and those they are compared with; `None` where they are not on a device that
    /// draws. Also says which device.
    pub(super) fn copy(
        &mut self,
        renderer: &Renderer,
        tag: &str,
        kernels: &Tensor<4>,
        old: Option<&Tensor<4>>,
    ) -> Result<Option<CopiedKernels>, LoggerError> {
        let Some(kernels) = renderer.on_device(tag, kernels)? else {
            return Ok(None);
        };
        let old = old.map(|old| DeviceMaps::of(old.clone()).filter(|old| old.is_beside(&kernels)));
        let (None | Some(Some(_))) = old else {
            return Ok(None);
        };
        let read_back = &mut self.of(&kernels).read_back;
        let mut add = |kernels: &DeviceMaps| {
            let bytes = kernels.bytes().map_err(|why| LoggerError::Draw {
                tag: tag.to_owned(),
                why,
            })?;
            Ok::<_, LoggerError>(read_back.add(bytes))
        };
        let old = old.flatten().map(|old| add(&old)).transpose()?;
        Ok(Some((kernels.place(), add(&kernels)?, old)))
    }

    /// Does this with the bytes of a device once they have arrived.
    pub(super) fn then(
        &mut self,
        place: usize,
        tag: String,
        rest: impl FnOnce(&Renderer, &HostBytes) -> Result<Piece, LoggerError> + Send + 'static,
    ) {
        let mut devices = self.0.iter_mut();
        if let Some(device) = devices.find(|device| device.place == place) {
            device.rest.push((tag, Box::new(rest)));
        }
    }

    /// Copies all that is on a device at once, and has a rendering thread wait for it; returns how long the devices
    /// draw.
    pub(super) fn start(
        self,
        renderer: &Arc<Renderer>,
        parts: &Sender<Part>,
    ) -> Vec<(Stage, Span)> {
        let start = |device: OnDevice| device.start(renderer, parts);
        self.0.into_iter().filter_map(start).collect()
    }

    /// The device that maps are on, which begins with them.
    fn of(&mut self, maps: &DeviceMaps) -> &mut OnDevice {
        let known = self.0.iter().position(|known| known.place == maps.place());
        let at = known.unwrap_or(self.0.len());
        if known.is_none() {
            self.0.push(OnDevice {
                place: maps.place(),
                began: maps.mark(),
                read_back: ReadBack::default(),
                rest: Vec::new(),
            });
        }
        &mut self.0[at]
    }
}

impl OnDevice {
    fn start(self, renderer: &Arc<Renderer>, parts: &Sender<Part>) -> Option<(Stage, Span)> {
        let (first, _) = self.rest.first()?;
        let copied = self.read_back.start().map_err(|why| LoggerError::Draw {
            tag: first.clone(),
            why,
        });
        let (on_its_way, end) = match copied {
            Ok(copied) => copied,
            Err(error) => {
                // The receiver is gone only where the writer has stopped with an error of its own.
                let _ = parts.send(Part::Piece(Err(error)));
                return None;
            }
        };
        let (renderer, parts) = (Arc::clone(renderer), parts.clone());
        rayon::spawn_fifo(move || deliver(on_its_way, self.rest, &renderer, &parts));
        let start = self.began;
        Some((Stage::Render, Span { start, end }))
    }
}

/// Waits for the bytes, and has every tag made of them.
fn deliver(
    on_its_way: OnItsWay,
    rest: Vec<(String, Rest)>,
    renderer: &Arc<Renderer>,
    parts: &Sender<Part>,
) {
    let arrived = on_its_way.wait();
    if let Ok((_, took)) = &arrived {
        // The receiver is gone only where the writer has stopped with an error of its own.
        let _ = parts.send(Part::Took(Stage::Copy, *took));
    }
    for (tag, rest) in rest {
        let bytes = match &arrived {
            Ok((bytes, _)) => Ok(bytes.again()),
            Err(why) => Err(why.clone()),
        };
        let (renderer, parts) = (Arc::clone(renderer), parts.clone());
        rayon::spawn_fifo(move || {
            let of_tag = tag.clone();
            make(&renderer, &parts, tag, |renderer| {
                let bytes = bytes.map_err(|why| LoggerError::Draw { tag: of_tag, why })?;
                rest(renderer, &bytes)
            });
        });
    }
}
