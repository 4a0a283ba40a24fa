//! Grids that the device of the maps draws.

use std::ops::Range as Place;

use burn::tensor::Tensor;

use super::{Job, Made, Renderer};
use crate::device::{Arrived, BackendError, Drawn, DrawnImage, PairSums, ReadBack, caught};
use crate::logger::batch::BatchMaps;
use crate::logger::error::LoggerError;
use crate::logger::measure::Measure;
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

/// Has the device draw `maps`, `[batch, channels, height, width]`, under a tag.
fn draw_in(job: &Job, tag: &str, maps: Tensor<4>, style: &Style) -> Result<Drawn, LoggerError> {
    let [_, channels, height, width] = maps.dims();
    let drawing = Drawing::new([channels, height, width], style)
        .map_err(|source| LoggerError::render(tag, source))?;
    Drawn::new(maps, drawing, job.look.chosen.as_deref())
        .map_err(|error| LoggerError::draw(tag, error))
}

impl Renderer {
    /// Has the device draw the maps of the image `at` in a batch, and its changes; `None` where what it is compared
    /// with is elsewhere.
    pub(in crate::logger) fn draw(
        &self,
        job: &Job,
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
        let draw_error = |error: BackendError| LoggerError::draw(&job.tag, error);
        let all = || draw_in(job, &job.tag, batch.all().clone(), &job.look.style);
        let drawn = batch.drawn(all)?;
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
            let style = self.style_of_change(&job.layer, job.look.style);
            let difference = caught(|| maps.clone() - pictured.from.clone());
            let difference = difference.map_err(draw_error)?;
            let drawn = draw_in(job, &pictured.tag, difference, &style)?;
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
}

impl DrawnMaps {
    /// `None` where a value is not finite.
    pub(super) fn made(&self, job: &Job, arrived: &Arrived) -> Result<Option<Made>, BackendError> {
        let chosen = job.look.chosen.as_deref();
        let Some(rendered) = self.image.rendered(arrived, chosen)? else {
            return Ok(None);
        };
        let mut measures = Vec::with_capacity(self.measured.len());
        for ((name, _), place) in job.earlier.measured.iter().zip(&self.measured) {
            let sums = arrived.numbers(place)?;
            if !sums.iter().all(|sum| sum.is_finite()) {
                return Ok(None);
            }
            let sums = PairSums::read(&sums).fold(PairSums::default(), PairSums::merged);
            measures.push(((job.layer.clone(), Some(*name)), Measure::Change(sums)));
        }
        let mut change = None;
        if let Some((image, style)) = &self.change {
            let Some(rendered) = image.rendered(arrived, chosen)? else {
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
