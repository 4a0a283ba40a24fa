//! Grids that the device of the maps has drawn.

use std::ops::Range as Place;

use burn::tensor::Tensor;

use super::{Job, Look, Made, Piece, Renderer, render_error};
use crate::device::{DeviceMaps, Drawn, HostBytes, PairSums, ReadBack};
use crate::logger::batch::BatchMaps;
use crate::logger::error::LoggerError;
use crate::logger::measure::Measure;
use crate::logger::timings::{Stage, StageTimings};
use feature_grid::png::Threads;
use feature_grid::{Drawing, Range, Rendered, Statistics, Style};

/// What a device drew and measured of the maps of an image, as places among the bytes that are copied.
pub(in crate::logger) struct DrawnMaps {
    drawing: Drawing,
    levels: Place<usize>,
    numbers: Place<usize>,
    /// The numbers of the changes, in the order of [`Earlier::measured`](super::Earlier::measured).
    measured: Vec<Place<usize>>,
    pictured: Option<DrawnChange>,
    threads: Threads,
}

/// What a device drew of a change.
struct DrawnChange {
    drawing: Drawing,
    style: Style,
    levels: Place<usize>,
    numbers: Place<usize>,
}

impl Renderer {
    /// Has the device draw the maps of all images of a batch.
    fn draw_batch(
        &self,
        tag: &str,
        layer: &str,
        (maps, shape): (&DeviceMaps, [usize; 4]),
    ) -> Result<(Drawing, Drawn), LoggerError> {
        let look = self.look(tag, layer, shape)?;
        let [_, channels, height, width] = shape;
        let drawing = Drawing::new([channels, height, width], &look.style)
            .map_err(|source| render_error(tag, source))?;
        let drawn = maps.draw(&drawing, look.chosen);
        let drawn = drawn.map_err(|why| draw_error(tag, why))?;
        Ok((drawing, drawn))
    }

    /// Has the device draw the maps of the image `at` in a batch, and its changes; `None` where what it is compared
    /// with is elsewhere.
    pub(in crate::logger) fn draw(
        &self,
        job: &Job,
        layer: &str,
        (maps, batch, at): (&DeviceMaps, &BatchMaps, usize),
        read_back: &mut ReadBack,
    ) -> Result<Option<DrawnMaps>, LoggerError> {
        let of_image = batch.of_image(at);
        let shape = of_image.dims();
        let beside =
            |old: &Tensor<4>| DeviceMaps::of(old.clone()).filter(|old| old.is_beside(maps));
        let measured = job.earlier.measured.iter();
        let measured: Option<Vec<_>> = measured.map(|(_, old)| beside(old)).collect();
        let pictured = job.earlier.pictured.as_ref();
        let pictured = pictured.map(|pictured| (pictured, beside(&pictured.from)));
        let (Some(measured), None | Some((_, Some(_)))) = (measured, &pictured) else {
            return Ok(None);
        };
        let (drawing, drawn) =
            batch.drawn(|| self.draw_batch(&job.tag, layer, (maps, batch.all().dims())))?;
        let draw_error = |why| draw_error(&job.tag, why);
        let [levels, numbers] = drawn.of_image(at).map_err(draw_error)?;
        let mut all = DrawnMaps {
            drawing: *drawing,
            levels: read_back.add(levels),
            numbers: read_back.add(numbers),
            measured: Vec::new(),
            pictured: None,
            threads: if maps.are_on_host() {
                Threads::One
            } else {
                Threads::Idle
            },
        };
        let Some(new) = DeviceMaps::of(of_image) else {
            return Ok(None);
        };
        for old in measured {
            let change = new.change_from(&old, None, None);
            let (_, numbers) = change.map_err(draw_error)?;
            all.measured.push(read_back.add(numbers));
        }
        if let Some((pictured, Some(old))) = pictured {
            let look = self.look(&job.tag, layer, shape)?;
            let style = self.style_of_change(layer, look.style);
            let drawing = Drawing::new([shape[1], shape[2], shape[3]], &style)
                .map_err(|source| render_error(&pictured.tag, source))?;
            let change = new.change_from(&old, Some(&drawing), look.chosen);
            if let (Some(levels), numbers) = change.map_err(draw_error)? {
                all.pictured = Some(DrawnChange {
                    drawing,
                    style,
                    levels: read_back.add(levels),
                    numbers: read_back.add(numbers),
                });
            }
        }
        Ok(Some(all))
    }

    /// Encodes what the device drew. Values that are not finite are painted by the host.
    pub(in crate::logger) fn drawn_maps(
        &self,
        job: Job,
        layer: String,
        maps: Tensor<4>,
        drawn: &DrawnMaps,
        bytes: &HostBytes,
    ) -> Result<Piece, LoggerError> {
        let mut timings = StageTimings::default();
        let shape = maps.dims();
        let look = self.look(&job.tag, &layer, shape)?;
        let read = || drawn.made(&job, &layer, &look, shape, bytes);
        let made = timings
            .time(Stage::Copy, read)
            .map_err(|why| draw_error(&job.tag, why))?;
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
        [_, channels, height, width]: [usize; 4],
        bytes: &HostBytes,
    ) -> Result<Option<Made>, String> {
        let Some(numbers) = Numbers::read(bytes, &self.numbers, channels)? else {
            return Ok(None);
        };
        let rendered = self.drawing.rendered(
            bytes.part(&self.levels)?.read()?,
            numbers.ends(look.chosen, self.drawing.count(), [0, 1]),
            numbers.statistics(height * width, self.drawing.range),
        );
        let mut measures = Vec::with_capacity(self.measured.len());
        for ((name, _), place) in job.earlier.measured.iter().zip(&self.measured) {
            let Some(numbers) = Numbers::read(bytes, place, channels)? else {
                return Ok(None);
            };
            let sums = PairSums {
                product: numbers.sum(0),
                new: numbers.sum(1),
                old: numbers.sum(2),
                difference: numbers.sum(3),
            };
            measures.push(((layer.to_owned(), Some(*name)), Measure::Change(sums)));
        }
        let mut change = None;
        if let Some(pictured) = &self.pictured {
            let Some(made) = pictured.made(bytes, look.chosen, channels)? else {
                return Ok(None);
            };
            change = Some((made, pictured.style));
        }
        Ok(Some(Made {
            rendered,
            change,
            measures,
            threads: self.threads,
        }))
    }
}

impl DrawnChange {
    fn made(
        &self,
        bytes: &HostBytes,
        chosen: Option<&[usize]>,
        channels: usize,
    ) -> Result<Option<Rendered>, String> {
        let Some(numbers) = Numbers::read(bytes, &self.numbers, channels)? else {
            return Ok(None);
        };
        let levels = bytes.part(&self.levels)?.read()?;
        let ends = numbers.ends(chosen, self.drawing.count(), [4, 5]);
        Ok(Some(self.drawing.rendered(
            levels,
            ends,
            Statistics::default(),
        )))
    }
}

fn draw_error(tag: &str, why: String) -> LoggerError {
    LoggerError::Draw {
        tag: tag.to_owned(),
        why,
    }
}

/// Numbers of every channel, kind after kind, as the device measures them.
struct Numbers {
    values: Vec<f32>,
    channels: usize,
}

impl Numbers {
    /// `None` where one is not finite.
    fn read(
        bytes: &HostBytes,
        place: &Place<usize>,
        channels: usize,
    ) -> Result<Option<Self>, String> {
        let values = bytes.part(place)?.floats()?;
        let finite = values.iter().all(|value| value.is_finite());
        Ok(finite.then_some(Self { values, channels }))
    }

    /// Those of one kind, by channel.
    fn kind(&self, kind: usize) -> &[f32] {
        &self.values[kind * self.channels..][..self.channels]
    }

    fn sum(&self, kind: usize) -> f64 {
        self.kind(kind).iter().copied().map(f64::from).sum()
    }

    /// The lowest and the highest value of the channels that are shown; `kinds` are those of the ends.
    fn ends(&self, chosen: Option<&[usize]>, count: usize, kinds: [usize; 2]) -> (f32, f32) {
        let [low, high] = kinds.map(|kind| self.kind(kind));
        let wider = |ends: (f32, f32), at: usize| (ends.0.min(low[at]), ends.1.max(high[at]));
        let none = (f32::INFINITY, f32::NEG_INFINITY);
        match chosen {
            Some(chosen) => chosen.iter().copied().fold(none, wider),
            None => (0..count).fold(none, wider),
        }
    }

    /// The distribution of all channels, each of so many values.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "counts"
    )]
    fn statistics(&self, count: usize, range: Range) -> Statistics {
        let [low, high, mean, variance, not_zero] = [0, 1, 2, 3, 4].map(|kind| self.kind(kind));
        let fixed = match range {
            Range::Fixed(low, high) => Some((low, high)),
            Range::Map | Range::Layer => None,
        };
        let outside = fixed.map(|_| self.kind(5));
        let count = count as u64;
        let of_channel = |at: usize| Statistics {
            count,
            zeros: count.saturating_sub(not_zero[at] as u64),
            min: low[at],
            max: high[at],
            mean: mean[at].into(),
            deviations: f64::from(variance[at]) * count as f64,
            fixed,
            outside: outside.map_or(0, |outside| outside[at] as u64),
            ..Statistics::default()
        };
        let channels = (0..self.channels).map(of_channel);
        channels.reduce(Statistics::merged).unwrap_or_default()
    }
}
