//! Strips of pictures: a few channels of each layer, a column a step.

use std::collections::BTreeMap;

use burn::tensor::Tensor;
use burn::tensor::module::adaptive_avg_pool2d;

use super::columns::every_second;
use crate::analysis::figure::Strip;
use crate::analysis::probe::ProbeError;
use crate::device::{all_values, guarded};
use crate::logger::{LoggerError, Ranges, Step};
use feature_grid::{Layout, Maps, Picture, Range, RenderError, Style};

/// Channels of a strip.
pub(super) const ROWS: usize = 16;

/// Larger maps are averaged down to at most this. Units: pixels.
const SIDE: usize = 64;

/// The strips of all layers.
pub(crate) struct Evolution {
    layers: BTreeMap<String, Chosen>,
    /// The labels of the columns so far.
    steps: Vec<String>,
    /// What is still to be read of the newest column: a device is asked once.
    unread: Vec<Unread>,
}

/// Values that may be on a device.
struct Unread {
    tag: String,
    values: Tensor<4>,
    /// For kernels, whether they take blue first.
    of_kernels: Option<bool>,
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
            unread: Vec::new(),
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

    /// Adds feature maps, `[1, channels, height, width]`, to the column, which [`end`](Self::end) draws.
    pub(crate) fn add_maps(&mut self, tag: &str, maps: &Tensor<4>) -> Result<(), ProbeError> {
        self.add(tag, None, |channels| {
            let maps = chosen(maps, 1, channels);
            let [_, _, height, width] = maps.dims();
            let factor = height.max(width).div_ceil(SIDE);
            match factor {
                1 => maps,
                _ => adaptive_avg_pool2d(maps, [height.div_ceil(factor), width.div_ceil(factor)]),
            }
        })
    }

    /// Adds kernels, `[kernels, channels, height, width]`, to the column.
    pub(crate) fn add_kernels(
        &mut self,
        tag: &str,
        kernels: &Tensor<4>,
        bgr: bool,
    ) -> Result<(), ProbeError> {
        self.add(tag, Some(bgr), |channels| chosen(kernels, 0, channels))
    }

    fn add(
        &mut self,
        tag: &str,
        of_kernels: Option<bool>,
        select: impl FnOnce(&[usize]) -> Tensor<4>,
    ) -> Result<(), ProbeError> {
        let Some(layer) = self.layers.get(tag) else {
            return Ok(());
        };
        let made = guarded(|| select(&layer.channels));
        let values = made.map_err(|why| copy_error(tag, why))?;
        self.unread.push(Unread {
            tag: tag.to_owned(),
            values,
            of_kernels,
        });
        Ok(())
    }

    /// Draws the column.
    pub(crate) fn end(&mut self) -> Result<(), ProbeError> {
        let unread = std::mem::take(&mut self.unread);
        let Some(first) = unread.first() else {
            return Ok(());
        };
        let device = first.values.device();
        let row = |unread: &Unread| unread.values.clone().flatten(0, 3).to_device(&device);
        let read = guarded(|| all_values(unread.iter().map(row).collect()));
        let read = read.and_then(|result| result);
        let read = read.map_err(|why| copy_error(&first.tag, why))?;
        for (
            Unread {
                tag,
                values,
                of_kernels,
            },
            read,
        ) in unread.iter().zip(read)
        {
            let Some(layer) = self.layers.get_mut(tag) else {
                continue;
            };
            let shape @ [_, channels, height, width] = values.dims();
            let rendered = match of_kernels {
                Some(bgr) => feature_grid::kernels(&read, shape, *bgr, &layer.style),
                None => Maps::new(&read, [channels, height, width], Layout::Planar)
                    .and_then(|maps| feature_grid::feature_maps(&maps, &layer.style)),
            };
            layer.columns.push(tiles(tag, rendered)?);
        }
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

/// These places of a dimension, in their order. A list of numbers would have to be uploaded to a GPU.
fn chosen(all: &Tensor<4>, dimension: usize, places: &[usize]) -> Tensor<4> {
    let place = |place: &usize| all.clone().narrow(dimension, *place, 1);
    Tensor::cat(places.iter().map(place).collect(), dimension)
}

fn copy_error(tag: &str, why: String) -> ProbeError {
    ProbeError::Copy {
        layer: tag.to_owned(),
        why,
    }
}

fn tiles(
    tag: &str,
    rendered: Result<feature_grid::Rendered, RenderError>,
) -> Result<Vec<Picture>, ProbeError> {
    let rendered = rendered.map_err(|source| LoggerError::Render {
        tag: format!("evolution/{tag}"),
        source,
    })?;
    Ok(rendered.singles().collect())
}
