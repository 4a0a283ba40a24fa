//! Strips of images: a few channels of each layer, a column a step.

use std::collections::BTreeMap;
use std::mem::take;

use burn::tensor::Tensor;
use burn::tensor::module::adaptive_avg_pool2d;

use super::figure::{Cells, Figure, Tiles};
use super::probe::kernels_tag;
use super::{
    AnalysisError, Images, LayerMaps, Moment, ObservedNetwork, Observer, Shared, asking, read_all,
};
use crate::logger::{LoggerError, Ranges, Step};
use feature_grid::{self as render, Layout, Maps, Picture, Range, Style};

/// Channels of a strip.
const ROWS: usize = 16;

/// Larger maps are averaged down to at most this. Units: pixels.
const SIDE: usize = 64;

/// The strips of all layers, and of the kernels.
#[derive(Default)]
pub(super) struct Evolution {
    layers: BTreeMap<String, Chosen>,
    /// What is still to be read of the newest column, by tag, which may be on a device: it is asked once.
    unread: BTreeMap<String, Tensor<4>>,
    /// By step and tag.
    columns: BTreeMap<i64, BTreeMap<String, Vec<Picture>>>,
}

/// The channels of one layer, or kernels, that are shown.
struct Chosen {
    channels: Vec<usize>,
    style: Style,
}

impl Evolution {
    /// Strips of these channels of each layer, by tag, with the run's ranges; `style` has the colors.
    pub(super) fn new(
        channels: impl Iterator<Item = (String, Vec<usize>)>,
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
            Some((tag, Chosen { channels, style }))
        };
        Self {
            layers: channels.filter_map(chosen).collect(),
            ..Self::default()
        }
    }

    /// Adds feature maps or kernels to the column that comes.
    fn add(
        &mut self,
        tag: String,
        select: impl FnOnce(&[usize]) -> Tensor<4>,
    ) -> Result<(), AnalysisError> {
        if let Some(layer) = self.layers.get(&tag) {
            let selected = asking(&tag, || Ok(select(&layer.channels)))?;
            self.unread.insert(tag, selected);
        }
        Ok(())
    }

    fn column(&mut self, is_bgr: bool) -> Result<BTreeMap<String, Vec<Picture>>, AnalysisError> {
        let unread = take(&mut self.unread);
        let read = unread
            .iter()
            .map(|(tag, values)| (tag.as_str(), values.clone().flatten(0, 3)));
        let read = read_all(read)?;
        let mut column = BTreeMap::new();
        for ((tag, values), read) in unread.iter().zip(read) {
            let Some(layer) = self.layers.get(tag) else {
                continue;
            };
            let shape @ [_, channels, height, width] = values.dims();
            let rendered = if is_of_kernels(tag) {
                render::kernels(&read, shape, is_bgr, &layer.style)
            } else {
                Maps::new(&read, [channels, height, width], Layout::Planar)
                    .and_then(|maps| render::feature_maps(&maps, &layer.style))
            };
            let rendered = rendered
                .map_err(|source| LoggerError::Render(format!("evolution/{tag}"), source))?;
            column.insert(tag.clone(), rendered.singles().collect());
        }
        Ok(column)
    }
}

impl Observer for Evolution {
    fn activations(
        &mut self,
        at: &Moment<'_, '_>,
        maps: &LayerMaps<'_>,
    ) -> Result<(), AnalysisError> {
        let (Images::Probe(0), [maps_of_image]) = (maps.images, maps.parts) else {
            return Ok(());
        };
        if !at.has_column {
            return Ok(());
        }
        self.add(maps.layer.tag(), |channels| {
            let maps = chosen(maps_of_image, 1, channels);
            let [_, _, height, width] = maps.dims();
            let factor = height.max(width).div_ceil(SIDE);
            match factor {
                1 => maps,
                _ => adaptive_avg_pool2d(maps, [height.div_ceil(factor), width.div_ceil(factor)]),
            }
        })
    }

    fn weights(
        &mut self,
        at: &mut Moment<'_, '_>,
        network: &ObservedNetwork<'_>,
    ) -> Result<(), AnalysisError> {
        if !at.has_column {
            return Ok(());
        }
        let parameters = network.network.parameters();
        if let Some(kernels) = parameters.kernels().filter(|_| network.pass.kernels) {
            self.add(kernels_tag(network.pass), |channels| {
                chosen(kernels, 0, channels)
            })?;
        }
        let column = self.column(at.shared.is_bgr)?;
        at.shared.columns.keep(&mut self.columns, at.number, column);
        Ok(())
    }

    fn draw(&self, step: &mut Step<'_>, shared: &Shared) -> Result<(), LoggerError> {
        for (tag, layer) in &self.layers {
            let name = if is_of_kernels(tag) { "kernels" } else { tag };
            let of_layer = || self.columns.values().map(|column| column.get(tag));
            let row = |row: usize| of_layer().map(move |tiles| tiles?.get(row).cloned());
            let tiles: Vec<Option<Picture>> = (0..layer.channels.len()).flat_map(row).collect();
            let strip = Figure {
                title: name.to_owned(),
                row_axis: "channel".to_owned(),
                column_axis: "step".to_owned(),
                rows: layer.channels.iter().map(ToString::to_string).collect(),
                columns: shared.columns.labels(),
                cells: Cells::Tiles(Tiles::new(tiles.iter().flatten())),
                ..Figure::default()
            };
            let tag = format!("evolution/{name}");
            let heading = format!(
                "**{name}**: the channels that change most (rows) at the steps (columns), over {}, with one range for all",
                shared.probe
            );
            strip.log(step, tag, heading)?;
        }
        Ok(())
    }
}

fn is_of_kernels(tag: &str) -> bool {
    tag.starts_with("kernels/")
}

/// These places of a dimension, in their order. A list of numbers would have to be uploaded to a GPU.
fn chosen(all: &Tensor<4>, dimension: usize, places: &[usize]) -> Tensor<4> {
    let place = |place: &usize| all.clone().narrow(dimension, *place, 1);
    Tensor::cat(places.iter().map(place).collect(), dimension)
}
