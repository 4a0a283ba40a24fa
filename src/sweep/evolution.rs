//! Strips of pictures: a few channels of each layer, a column a step.

use std::collections::BTreeMap;

use burn::tensor::module::adaptive_avg_pool2d;
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::columns::every_second;
use crate::device::{guarded, values};
use crate::figure::Strip;
use crate::logger::{LoggerError, Ranges, Step};
use crate::probe::ProbeError;
use crate::render::{self, Layout, Maps, Picture, Range, RenderError, Style};

/// Channels of a strip.
pub(super) const ROWS: usize = 16;

/// Larger maps are averaged down to at most this. Units: pixels.
const SIDE: usize = 64;

/// The strips of all layers.
pub(crate) struct Evolution {
    layers: BTreeMap<String, Chosen>,
    /// The labels of the columns so far.
    steps: Vec<String>,
}

/// The channels of one layer, or kernels, and their pictures: a column a step.
struct Chosen {
    channels: Vec<usize>,
    style: Style,
    columns: Vec<Vec<Picture>>,
}

impl Evolution {
    /// Strips of these channels of each layer, by tag, with the run's ranges; `style` has the colors.
    pub(crate) fn new(
        channels: impl IntoIterator<Item = (String, Vec<usize>)>,
        ranges: &Ranges,
        style: Style,
    ) -> Self {
        let chosen = |(tag, mut channels): (String, Vec<usize>)| {
            channels.truncate(ROWS);
            let (low, high) = ranges.get(&tag)?;
            let style = Style {
                range: Range::Fixed(low, high),
                max_maps: None,
                min_tile: None,
                ..style
            };
            let columns = Vec::new();
            Some((
                tag,
                Chosen {
                    channels,
                    style,
                    columns,
                },
            ))
        };
        Self {
            layers: channels.into_iter().filter_map(chosen).collect(),
            steps: Vec::new(),
        }
    }

    /// Takes the newest column out.
    pub(super) fn without_newest(&mut self) {
        self.steps.pop();
        for layer in self.layers.values_mut() {
            layer.columns.pop();
        }
    }

    /// Takes every second column out.
    pub(super) fn every_second(&mut self) {
        every_second(&mut self.steps);
        for layer in self.layers.values_mut() {
            every_second(&mut layer.columns);
        }
    }

    /// Begins the column of a step.
    pub(crate) fn begin(&mut self, step: i64) {
        self.steps.push(step.to_string());
    }

    /// Adds feature maps, `[1, channels, height, width]`, to the column.
    pub(crate) fn add_maps(&mut self, tag: &str, maps: Tensor<4>) -> Result<(), ProbeError> {
        let Some(layer) = self.layers.get_mut(tag) else {
            return Ok(());
        };
        let (values, [_, channels, height, width]) = read(tag, || {
            let device = maps.device();
            let maps = maps.select(1, numbers(&layer.channels, &device));
            let [_, _, height, width] = maps.dims();
            let factor = height.max(width).div_ceil(SIDE);
            match factor {
                1 => maps,
                _ => adaptive_avg_pool2d(maps, [height.div_ceil(factor), width.div_ceil(factor)]),
            }
        })?;
        let rendered = Maps::new(&values, channels, height, width, Layout::Planar)
            .and_then(|maps| render::feature_maps(&maps, &layer.style));
        layer.columns.push(tiles(tag, rendered)?);
        Ok(())
    }

    /// Adds kernels, `[kernels, channels, height, width]`, to the column.
    pub(crate) fn add_kernels(
        &mut self,
        tag: &str,
        kernels: Tensor<4>,
        bgr: bool,
    ) -> Result<(), ProbeError> {
        let Some(layer) = self.layers.get_mut(tag) else {
            return Ok(());
        };
        let (values, shape) = read(tag, || {
            let device = kernels.device();
            kernels.select(0, numbers(&layer.channels, &device))
        })?;
        let rendered = render::kernels(&values, shape, bgr, &layer.style);
        layer.columns.push(tiles(tag, rendered)?);
        Ok(())
    }

    /// Logs the strips, as far as they go; `of` says what they are of.
    pub(crate) fn log(&self, step: &mut Step<'_>, of: &str) -> Result<(), LoggerError> {
        for (tag, layer) in &self.layers {
            let name = tag
                .strip_prefix("kernels/")
                .map_or(tag.as_str(), |_| "kernels");
            let rows = layer.channels.iter().map(ToString::to_string).collect();
            let row = |row| {
                layer
                    .columns
                    .iter()
                    .map(move |column: &Vec<Picture>| column.get(row).cloned())
            };
            let strip = Strip {
                title: name.to_owned(),
                rows,
                columns: self.steps.clone(),
                tiles: (0..layer.channels.len()).flat_map(row).collect(),
            };
            let tag = format!("evolution/{name}");
            let heading = format!(
                "**{name}**: the channels that change most (rows) at the steps (columns), {of}, with one range for all"
            );
            step.describe(&tag, heading);
            step.image(tag, &strip.picture())?;
        }
        Ok(())
    }
}

fn numbers(channels: &[usize], device: &Device) -> Tensor<1, Int> {
    let numbers: Vec<i64> = channels
        .iter()
        .filter_map(|n| i64::try_from(*n).ok())
        .collect();
    let count = numbers.len();
    Tensor::from_data(TensorData::new(numbers, [count]), device)
}

/// The values of the tensor that `make` gives, and its shape.
fn read(tag: &str, make: impl FnOnce() -> Tensor<4>) -> Result<(Vec<f32>, [usize; 4]), ProbeError> {
    let all = || {
        let tensor = make();
        let shape = tensor.dims();
        Ok((values(tensor)?, shape))
    };
    guarded(all)
        .and_then(|result| result)
        .map_err(|why| ProbeError::Copy {
            layer: tag.to_owned(),
            why,
        })
}

fn tiles(
    tag: &str,
    rendered: Result<render::Rendered, RenderError>,
) -> Result<Vec<Picture>, ProbeError> {
    let rendered = rendered.map_err(|source| LoggerError::Render {
        tag: format!("evolution/{tag}"),
        source,
    })?;
    Ok(rendered.singles().collect())
}
