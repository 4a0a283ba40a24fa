//! What the device draws of a step, until it is copied to the host.

use std::ops::Range as Place;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use burn::tensor::Tensor;

use super::batch::BatchMaps;
use super::error::LoggerError;
use super::renderer::{DrawnMaps, Job, Piece, Renderer};
use super::step::make;
use super::timings::Stage;
use super::writer::Part;
use crate::device::{DeviceMaps, HostBytes, Mark, OnItsWay, ReadBack, Span};

/// What is left to be done with the bytes of a tag.
type Rest = Box<dyn FnOnce(&Renderer, &HostBytes) -> Result<Piece, LoggerError> + Send>;

/// The bytes of a step that are on the device, and what becomes of them.
#[derive(Default)]
pub(super) struct OnDevice {
    read_back: ReadBack,
    began: Option<Mark>,
    rest: Vec<(String, Rest)>,
}

impl OnDevice {
    /// Has the device draw the maps of the image `at` in a batch; `None` where it does not.
    pub(super) fn draw(
        &mut self,
        renderer: &Renderer,
        job: &Job,
        layer: &str,
        (batch, at): (&BatchMaps, usize),
    ) -> Result<Option<DrawnMaps>, LoggerError> {
        let Some(maps) = renderer.on_device(&job.tag, batch.all())? else {
            return Ok(None);
        };
        self.began.get_or_insert_with(|| maps.mark());
        let batch = (&maps, batch, at);
        renderer.draw(job, layer, batch, &mut self.read_back)
    }

    /// Copies kernels with all else, and those they are compared with; `None` where they are not on a device that
    /// draws.
    pub(super) fn copy(
        &mut self,
        renderer: &Renderer,
        tag: &str,
        kernels: &Tensor<4>,
        old: Option<&Tensor<4>>,
    ) -> Result<Option<(Place<usize>, Option<Place<usize>>)>, LoggerError> {
        let mut add = |kernels: DeviceMaps| {
            let bytes = kernels.bytes().map_err(|why| LoggerError::Copy {
                tag: tag.to_owned(),
                why,
            })?;
            Ok::<_, LoggerError>(self.read_back.add(bytes))
        };
        let Some(kernels) = renderer.on_device(tag, kernels)? else {
            return Ok(None);
        };
        let old = match old {
            None => None,
            Some(old) => match renderer.on_device(tag, old)? {
                None => return Ok(None),
                Some(old) => Some(add(old)?),
            },
        };
        Ok(Some((add(kernels)?, old)))
    }

    /// Does this with the bytes once they have arrived.
    pub(super) fn then(
        &mut self,
        tag: String,
        rest: impl FnOnce(&Renderer, &HostBytes) -> Result<Piece, LoggerError> + Send + 'static,
    ) {
        self.rest.push((tag, Box::new(rest)));
    }

    /// Copies all at once, and has a rendering thread wait for it; returns how long the device draws.
    pub(super) fn start(
        self,
        renderer: &Arc<Renderer>,
        parts: &Sender<Part>,
    ) -> Option<(Stage, Span)> {
        let Self {
            read_back,
            began,
            rest,
        } = self;
        let (first, _) = rest.first()?;
        let copied = read_back.start().map_err(|why| LoggerError::Copy {
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
        rayon::spawn_fifo(move || deliver(on_its_way, rest, &renderer, &parts));
        began.map(|start| (Stage::Render, Span { start, end }))
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
                let bytes = bytes.map_err(|why| LoggerError::Copy { tag: of_tag, why })?;
                rest(renderer, &bytes)
            });
        });
    }
}
