//! Feature maps to grids and numbers on the device where they are: what has to be copied is a quarter of the maps.
//!
//! The levels are the host's renderer's, bit for bit: by the same operations in the same order and precision. Maps
//! with values that are not finite, which it paints in colors, are left to it.

use std::ops::Range as Place;

use burn::tensor::ops::PadMode;
use burn::tensor::{Bool, FloatDType, Tensor};
use feature_grid::{Drawing, NARROWEST, NARROWEST_END, Range, Rendered, Statistics};

use super::error::BackendError;
use super::precision::in_float32;
use super::read_back::{Arriving, ReadBack};

/// What a device made of maps: tensors of a whole batch, or places of one image among what is read back.
pub(crate) struct Drawn<T> {
    drawing: Drawing,
    /// The grids, from 0 to 255: `[batch, height * width]`.
    levels: T,
    /// `[batch, kinds of numbers * channels]`, kind after kind.
    numbers: T,
    /// Values of a map.
    pixels: usize,
}

impl Drawn<Tensor<2>> {
    /// Draws the grids of `maps`, `[batch, channels, height, width]`, of the `chosen` channels or of the first ones,
    /// and measures every channel.
    pub(crate) fn new(maps: Tensor<4>, drawing: Drawing, chosen: Option<&[usize]>) -> Self {
        let [.., height, width] = maps.dims();
        let rows: Tensor<3> = in_float32(maps).flatten(2, 3);
        let numbers = measure(&rows, drawing.range);
        let [low, high] = [0, 1].map(|kind: usize| shown(&numbers[kind], &drawing, chosen));
        let rows = shown(&rows, &drawing, chosen);
        let levels = levels(rows, scales(low, high, &drawing));
        Self {
            levels: tiled(levels, [height, width], &drawing),
            numbers: Tensor::cat(numbers, 1).flatten(1, 2),
            drawing,
            pixels: height * width,
        }
    }

    pub(crate) fn read(&self, at: usize, read_back: &mut ReadBack) -> Drawn<Place<usize>> {
        Drawn {
            levels: read_back.add_levels(self.levels.clone().narrow(0, at, 1)),
            numbers: read_back.add_numbers(self.numbers.clone().narrow(0, at, 1)),
            drawing: self.drawing,
            pixels: self.pixels,
        }
    }
}

impl Drawn<Place<usize>> {
    /// The grid of the channels that were `chosen`, and the distribution of all; `None` where a value is not finite.
    pub(crate) fn rendered(
        &self,
        arriving: &Arriving,
        chosen: Option<&[usize]>,
    ) -> Result<Option<Rendered>, BackendError> {
        let numbers = arriving.numbers(&self.numbers)?;
        if !numbers.iter().all(|number| number.is_finite()) {
            return Ok(None);
        }
        let fixed = self.drawing.range.fixed();
        let channels = numbers.len() / if fixed.is_some() { 6 } else { 5 };
        let number = |kind: usize, channel: usize| numbers[kind * channels + channel];
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "counts, and values of single precision"
        )]
        let of_channel = |channel: usize| Statistics {
            count: self.pixels as u64,
            zeros: number(4, channel) as u64,
            min: number(0, channel) as f32,
            max: number(1, channel) as f32,
            mean: number(2, channel),
            deviations: number(3, channel) * self.pixels as f64,
            fixed,
            outside: fixed.map_or(0, |_| number(5, channel) as u64),
            ..Statistics::default()
        };
        let together = |channels: &[usize]| {
            let statistics = channels.iter().map(|channel| of_channel(*channel));
            statistics.reduce(Statistics::merged).unwrap_or_default()
        };
        let all: Vec<usize> = (0..channels).collect();
        let shown = together(chosen.unwrap_or(&all[..self.drawing.count()]));
        let levels = arriving.levels(&self.levels)?;
        let (low, high) = (shown.min, shown.max);
        Ok(Some(self.drawing.rendered(
            levels,
            low,
            high,
            together(&all),
        )))
    }
}

/// Lowest, highest, mean, variance, zeros, and values outside of a fixed range: `[batch, channels, 1]` each.
fn measure(rows: &Tensor<3>, range: Range) -> Vec<Tensor<3>> {
    let count = |hits: Tensor<3, Bool>| hits.float().sum_dim(2);
    let (variance, mean) = rows.clone().var_mean_bias(2);
    let mut numbers = vec![
        rows.clone().min_dim(2),
        rows.clone().max_dim(2),
        mean,
        variance,
        count(rows.clone().equal_scalar(0.0)),
    ];
    if let Range::Fixed(low, high) = range {
        let below = rows.clone().lower_scalar(low);
        let above = rows.clone().greater_scalar(high);
        numbers.push(count(below) + count(above));
    }
    numbers
}

/// Of all channels, `[batch, channels, …]`, those that are shown, in their order.
fn shown(all: &Tensor<3>, drawing: &Drawing, chosen: Option<&[usize]>) -> Tensor<3> {
    match chosen {
        None => all.clone().narrow(1, 0, drawing.count()),
        // A list of numbers would have to be uploaded.
        Some(chosen) => {
            let channel = |at: &usize| all.clone().narrow(1, *at, 1);
            Tensor::cat(chosen.iter().map(channel).collect(), 1)
        }
    }
}

/// Half of the lower end, of the higher end and of the width of every map's range, as the host's `Scales` have them.
fn scales(low: Tensor<3>, high: Tensor<3>, drawing: &Drawing) -> [Tensor<3>; 3] {
    let (mut low, mut high) = match drawing.range {
        Range::Map => (low, high),
        Range::Layer => {
            let dims = low.dims();
            (low.min_dim(1).expand(dims), high.max_dim(1).expand(dims))
        }
        Range::Fixed(first, second) => (low.full_like(first), high.full_like(second)),
    };
    if drawing.is_symmetric {
        high = low.abs().max_pair(high.abs()).clamp_min(NARROWEST_END);
        low = high.clone().neg();
    }
    let [first, second] = [&low, &high].map(|end| end.clone().cast(FloatDType::F64));
    let span = (second - first).clamp_min(NARROWEST).mul_scalar(0.5);
    let span = span.cast(FloatDType::F32);
    [low.mul_scalar(0.5), high.mul_scalar(0.5), span]
}

/// From values to levels, `[batch, shown channels, pixels]`, which are yet to be cut off to whole numbers.
fn levels(values: Tensor<3>, scales: [Tensor<3>; 3]) -> Tensor<3> {
    let dims = values.dims();
    let [low, high, span] = scales.map(|scale| scale.expand(dims));
    let values = values.mul_scalar(0.5);
    let inside = values.max_pair(low.clone()).min_pair(high);
    ((inside - low) / span).mul_scalar(255.0)
}

fn tiled(levels: Tensor<3>, [height, width]: [usize; 2], drawing: &Drawing) -> Tensor<2> {
    let [batch, count, _] = levels.dims();
    let (columns, rows) = (drawing.columns(), drawing.rows());
    let (factor, padding) = (drawing.factor, drawing.padding());
    let pixels = levels.reshape([batch, count, height, 1, width, 1]);
    let squares = pixels.expand([batch, count, height, factor, width, factor]);
    let tiles = squares.reshape([batch, count, height * factor, width * factor]);
    let missing = rows * columns - count;
    let ground = PadMode::Constant(drawing.ground.into());
    let tiles = tiles.pad([(0, missing), (padding, 0), (padding, 0)], ground);
    let [.., height, width] = tiles.dims();
    let tiles = tiles.reshape([batch, rows, columns, height, width]);
    let grid = tiles.permute([0, 1, 3, 2, 4]);
    let grid = grid.reshape([batch, rows * height, columns * width]);
    grid.pad([(0, padding), (0, padding)], ground).flatten(1, 2)
}

#[cfg(all(test, feature = "libtorch"))]
mod tests;
