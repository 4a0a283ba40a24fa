//! Grids of maps that are copied to the host.

use burn::tensor::Tensor;

use super::{Job, Look, Made, Piece, Renderer, copy_error, render_error};
use crate::logger::change::{Difference, compare};
use crate::logger::channels::chosen_first;
use crate::logger::error::LoggerError;
use crate::logger::maps::MapFloats;
use crate::logger::measure::{Measure, MeasureKey};
use crate::logger::timings::{Stage, StageTimings};
use feature_grid::png::Threads;
use feature_grid::{Floats, Layout, Maps, RenderError, Rendered, Style};

impl Renderer {
    /// Renders and encodes the grid of `maps`, `[1, channels, height, width]`, and that of their change;
    /// `layer` is what their measures are filed under.
    pub(in crate::logger) fn feature_maps(
        &self,
        job: Job,
        layer: String,
        maps: Tensor<4>,
    ) -> Result<Piece, LoggerError> {
        let mut timings = StageTimings::default();
        let shape = maps.dims();
        let look = self.look(&job.tag, &layer, shape)?;
        let made = self.on_host(&job, &layer, &look, maps, &mut timings)?;
        self.grids(job, layer, shape[1], &look, made, timings)
    }

    pub(super) fn on_host(
        &self,
        job: &Job,
        layer: &str,
        look: &Look<'_>,
        maps: Tensor<4>,
        timings: &mut StageTimings,
    ) -> Result<Made, LoggerError> {
        let shape = maps.dims();
        let in_place = |maps: Tensor<4>| match look.chosen {
            Some(chosen) => chosen_first(maps, chosen),
            None => maps,
        };
        let measures = timings
            .time(Stage::Measure, || {
                changes(layer, &maps, &job.earlier.measured)
            })
            .map_err(|why| copy_error(&job.tag, why))?;
        let values = timings
            .time(Stage::Copy, || MapFloats::new(in_place(maps)))
            .map_err(|why| copy_error(&job.tag, why))?;
        let rendered = timings
            .time(Stage::Render, || {
                render(&values, shape, values.layout, &look.style)
            })
            .map_err(|source| render_error(&job.tag, source))?;
        let mut change = None;
        if let Some(pictured) = &job.earlier.pictured {
            let old = MapFloats::in_layout(in_place(pictured.from.clone()), values.layout)
                .map_err(|why| copy_error(&pictured.tag, why))?;
            let difference = Difference {
                new: &values,
                old: &old,
            };
            let style = self.style_of_change(layer, look.style);
            let rendered = timings
                .time(Stage::Render, || {
                    render(&difference, shape, values.layout, &style)
                })
                .map_err(|source| render_error(&pictured.tag, source))?;
            change = Some((rendered, style));
        }
        Ok(Made {
            rendered,
            change,
            measures,
            threads: Threads::One,
        })
    }
}

/// Renders values of shape `[1, channels, height, width]`.
fn render(
    values: &dyn Floats,
    [_, channels, height, width]: [usize; 4],
    layout: Layout,
    style: &Style,
) -> Result<Rendered, RenderError> {
    let maps = Maps::new(values, [channels, height, width], layout)?;
    feature_grid::feature_maps(&maps, style)
}

/// How much `maps` changed from each of the earlier ones.
fn changes(
    layer: &str,
    maps: &Tensor<4>,
    earlier: &[(&'static str, Tensor<4>)],
) -> Result<Vec<(MeasureKey, Measure)>, String> {
    if earlier.is_empty() {
        return Ok(Vec::new());
    }
    let new = MapFloats::new(maps.clone())?;
    let measure = |(name, old): &(&'static str, Tensor<4>)| {
        let old = MapFloats::in_layout(old.clone(), new.layout)?;
        let change = Measure::Change(compare(&new, &old).map_err(|why| why.to_string())?);
        Ok(((layer.to_owned(), Some(*name)), change))
    };
    earlier.iter().map(measure).collect()
}
