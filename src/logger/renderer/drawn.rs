//! Grids that the device of the maps has drawn.

use std::ops::Range as Place;

use burn::tensor::Tensor;

use super::{Job, Look, Made, Piece, Renderer, render_error};
use crate::device::{Arrived, BackendError, Drawn, DrawnImage, PairSums, ReadBack, caught};
use crate::logger::batch::BatchMaps;
use crate::logger::error::LoggerError;
use crate::logger::measure::Measure;
use crate::logger::timings::{Stage, StageTimings};
use feature_grid::png::Threads;
use feature_grid::{Drawing, Style};

/// What a device drew and measured of the maps of an image, as places among what is copied.
pub(in crate::logger) struct DrawnMaps {
    image: DrawnImage,
    /// The sums of the changes, in the order of [`Earlier::measured`](super::Earlier::measured).
    measured: Vec<Place<usize>>,
    change: Option<(DrawnImage, Style)>,
    threads: Threads,
}

impl Renderer {
    /// Has the device draw maps of a shape, `[batch, channels, height, width]`.
    fn draw_in(
        &self,
        tag: &str,
        layer: &str,
        maps: Tensor<4>,
        style: &Style,
    ) -> Result<Drawn, LoggerError> {
        let shape = maps.dims();
        let look = self.look(tag, layer, shape)?;
        let [_, channels, height, width] = shape;
        let drawing = Drawing::new([channels, height, width], style)
            .map_err(|source| render_error(tag, source))?;
        Drawn::new(maps, drawing, look.chosen).map_err(|error| LoggerError::draw(tag, &error))
    }

    /// Has the device draw the maps of the image `at` in a batch, and its changes; `None` where what it is compared
    /// with is elsewhere.
    pub(in crate::logger) fn draw(
        &self,
        job: &Job,
        layer: &str,
        batch: &BatchMaps,
        at: usize,
        read_back: &mut ReadBack,
    ) -> Result<Option<DrawnMaps>, LoggerError> {
        let maps = batch.of_image(at);
        let measured = &job.earlier.measured;
        let pictured = job.earlier.pictured.as_ref();
        let olds = measured.iter().map(|(_, old)| old);
        let mut olds = olds.chain(pictured.map(|pictured| &pictured.from));
        if olds.any(|old| old.device() != maps.device()) {
            return Ok(None);
        }
        let draw_error = |error: BackendError| LoggerError::draw(&job.tag, &error);
        let look = self.look(&job.tag, layer, maps.dims())?;
        let drawn =
            batch.drawn(|| self.draw_in(&job.tag, layer, batch.all().clone(), &look.style))?;
        let image = drawn.read(at, read_back).map_err(draw_error)?;
        let rows = |maps: Tensor<4>| maps.flatten::<3>(2, 3).flatten::<2>(0, 1);
        let sums = |(_, old): &(_, Tensor<4>)| {
            let sums = PairSums::over_rows(rows(old.clone()), rows(maps.clone()))?;
            Ok(read_back.add_numbers(sums))
        };
        let measured: Result<Vec<_>, _> = measured.iter().map(sums).collect();
        let measured = measured.map_err(draw_error)?;
        let mut change = None;
        if let Some(pictured) = pictured {
            let style = self.style_of_change(layer, look.style);
            let difference = caught(|| maps.clone() - pictured.from.clone());
            let drawn = self.draw_in(
                &pictured.tag,
                layer,
                difference.map_err(draw_error)?,
                &style,
            )?;
            change = Some((drawn.read(0, read_back).map_err(draw_error)?, style));
        }
        let threads = if read_back.is_apart() {
            Threads::Idle
        } else {
            Threads::One
        };
        Ok(Some(DrawnMaps {
            image,
            measured,
            change,
            threads,
        }))
    }

    /// Encodes what the device drew. Values that are not finite are painted by the host.
    pub(in crate::logger) fn drawn_maps(
        &self,
        job: Job,
        layer: String,
        maps: Tensor<4>,
        drawn: &DrawnMaps,
        arrived: &Arrived,
    ) -> Result<Piece, LoggerError> {
        let mut timings = StageTimings::default();
        let shape = maps.dims();
        let look = self.look(&job.tag, &layer, shape)?;
        let made = timings
            .time(Stage::Copy, || drawn.made(&job, &layer, &look, arrived))
            .map_err(|error| LoggerError::draw(&job.tag, &error))?;
        let made = match made {
            Some(made) => made,
            None => self.on_host(&job, &layer, &look, maps, &mut timings)?,
        };
        self.grids(job, layer, shape[1], &look, made, timings)
    }
}

impl DrawnMaps {
    /// `None` where a value is not finite.
    fn made(
        &self,
        job: &Job,
        layer: &str,
        look: &Look<'_>,
        arrived: &Arrived,
    ) -> Result<Option<Made>, BackendError> {
        let Some(rendered) = self.image.rendered(arrived, look.chosen)? else {
            return Ok(None);
        };
        let mut measures = Vec::with_capacity(self.measured.len());
        for ((name, _), place) in job.earlier.measured.iter().zip(&self.measured) {
            let sums = arrived.numbers(place)?;
            if !sums.iter().all(|sum| sum.is_finite()) {
                return Ok(None);
            }
            let sums = PairSums::read(&sums).fold(PairSums::default(), PairSums::merged);
            measures.push(((layer.to_owned(), Some(*name)), Measure::Change(sums)));
        }
        let mut change = None;
        if let Some((image, style)) = &self.change {
            let Some(rendered) = image.rendered(arrived, look.chosen)? else {
                return Ok(None);
            };
            change = Some((rendered, *style));
        }
        Ok(Some(Made {
            rendered,
            change,
            measures,
            threads: self.threads,
        }))
    }
}
