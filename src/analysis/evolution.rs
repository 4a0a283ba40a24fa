//! Strips of images: a few channels of each layer, a column a step.

use std::collections::BTreeMap;
use std::mem::take;

use burn::tensor::Tensor;

use super::calibration::Ranked;
use super::figure::{Cells, Figure, Tiles, bounds, evenly};
use super::probe::kernels_tag;
use super::{
    AnalysisError, Images, LayerMaps, Moment, ObservedNetwork, Observer, Shared, asking, averaged,
    name_of, read_all,
};
use crate::logger::{LoggerError, Step};
use feature_grid::{self as render, Colormap, Picture, Range, RenderError, Style};

/// Channels that are shown, and steps: more are too small in a card.
const ROWS: usize = 6;
const COLUMNS: usize = 12;

/// Larger maps are averaged down to at most this. Units: pixels.
const SIDE: usize = 48;

#[derive(Default)]
pub(super) struct Evolution {
    /// The channels of each that are shown, by tag.
    layers: BTreeMap<String, Vec<Ranked>>,
    style: Style,
    /// What is still to be read of the newest column, by tag, which may be on a device: it is asked once.
    unread: BTreeMap<String, Tensor<4>>,
    columns: BTreeMap<i64, BTreeMap<String, Column>>,
}

struct Column {
    values: Vec<f32>,
    shape: [usize; 4],
    is_inactive: Vec<bool>,
}

impl Evolution {
    /// Strips of the first of these channels of each layer, by tag; `style` has the colors.
    pub(super) fn new(channels: impl Iterator<Item = (String, Vec<Ranked>)>, style: Style) -> Self {
        let first = |(tag, mut channels): (String, Vec<Ranked>)| {
            channels.truncate(ROWS);
            (tag, channels)
        };
        Self {
            layers: channels.map(first).collect(),
            style: Style {
                max_maps: None,
                min_tile: None,
                ..style
            },
            ..Self::default()
        }
    }

    fn add(
        &mut self,
        tag: String,
        select: impl FnOnce(&[Ranked]) -> Tensor<4>,
    ) -> Result<(), AnalysisError> {
        if let Some(channels) = self.layers.get(&tag) {
            let selected = asking(&tag, || Ok(select(channels)))?;
            self.unread.insert(tag, selected);
        }
        Ok(())
    }

    fn column(&mut self, shared: &Shared) -> Result<BTreeMap<String, Column>, AnalysisError> {
        let unread = take(&mut self.unread);
        let read = unread
            .iter()
            .map(|(tag, values)| (tag.as_str(), values.clone().flatten(0, 3)));
        let read = read_all(read)?;
        let column = |((tag, tensor), values): ((String, Tensor<4>), Vec<f32>)| {
            let inactive = shared.activations.inactive.get(&tag);
            let is_inactive = |ranked: &Ranked| {
                inactive.is_some_and(|all| all.channels.contains(&ranked.channel))
            };
            let channels = self.layers.get(&tag).into_iter().flatten();
            let column = Column {
                values,
                shape: tensor.dims(),
                is_inactive: channels.map(is_inactive).collect(),
            };
            (tag, column)
        };
        Ok(unread.into_iter().zip(read).map(column).collect())
    }

    /// The tiles of a channel at some steps, with one range for all.
    fn row(
        &self,
        tag: &str,
        row: usize,
        columns: &[&Column],
        is_bgr: bool,
    ) -> Result<Vec<Picture>, RenderError> {
        let values = |column: &&Column| -> Vec<f32> {
            let size = column.values.len() / column.is_inactive.len().max(1);
            column
                .values
                .chunks(size.max(1))
                .nth(row)
                .unwrap_or_default()
                .to_vec()
        };
        let tiles: Vec<Vec<f32>> = columns.iter().map(values).collect();
        let range = match (self.style.colormap, bounds(tiles.iter().flatten().copied())) {
            (_, None) => Range::Map,
            (_, Some([low, high])) if low >= high => Range::Map,
            (Colormap::Diverging, Some([low, high])) => Range::around_zero(low, high),
            (_, Some([low, high])) => Range::Fixed(low, high),
        };
        let style = Style {
            range,
            ..self.style
        };
        let tile = |(values, column): (&Vec<f32>, &&Column)| {
            // A map is like a kernel over one channel.
            let [_, channels, height, width] = column.shape;
            let shape = [
                1,
                if is_of_kernels(tag) { channels } else { 1 },
                height,
                width,
            ];
            Ok(render::kernels(values, shape, is_bgr, &style)?.picture)
        };
        tiles.iter().zip(columns).map(tile).collect()
    }

    fn figure(
        &self,
        tag: &str,
        channels: &[Ranked],
        shared: &Shared,
    ) -> Result<Figure, RenderError> {
        let all: Vec<(&i64, &Column)> = (self.columns.iter())
            .filter_map(|(step, column)| Some((step, column.get(tag)?)))
            .collect();
        let shown: Vec<_> = evenly(all.len(), COLUMNS)
            .into_iter()
            .map(|at| all[at])
            .collect();
        let columns: Vec<&Column> = shown.iter().map(|(_, column)| *column).collect();
        let mut tiles = Vec::new();
        let mut figure = Figure {
            title: if is_of_kernels(tag) {
                "kernels that change most (× the median)".to_owned()
            } else {
                let (name, probe) = (name_of(tag), &shared.probe);
                format!("{name}, {probe}: change most (× the median); red: never above 0")
            },
            row_axis: if is_of_kernels(tag) {
                "kernel"
            } else {
                "channel"
            }
            .to_owned(),
            column_axis: "step".to_owned(),
            columns: shown.iter().map(|(step, _)| step.to_string()).collect(),
            ..Figure::default()
        };
        for (row, ranked) in channels.iter().enumerate() {
            tiles.extend(self.row(tag, row, &columns, shared.is_bgr)?);
            let is_inactive = |column: &Column| column.is_inactive.get(row) == Some(&true);
            figure.rows.push(ranked.label());
            let framed = (0..columns.len()).filter(|at| is_inactive(columns[*at]));
            figure
                .framed
                .extend(framed.map(|at| row * columns.len() + at));
        }
        figure.cells = Cells::Tiles(Tiles::new(&tiles));
        Ok(figure)
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
            averaged(chosen(maps_of_image, 1, channels), SIDE)
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
        let column = self.column(at.shared)?;
        at.shared.columns.keep(&mut self.columns, at.number, column);
        Ok(())
    }

    fn draw(&self, step: &mut Step<'_>, shared: &Shared) -> Result<(), LoggerError> {
        for (tag, channels) in &self.layers {
            let name = if is_of_kernels(tag) { "kernels" } else { tag };
            let tag_of_strip = format!("evolution/{name}");
            let figure = self.figure(tag, channels, shared);
            let figure =
                figure.map_err(|source| LoggerError::Render(tag_of_strip.clone(), source))?;
            let (one, probe) = (&figure.row_axis, &shared.probe);
            let inactive = if is_of_kernels(tag) {
                String::new()
            } else {
                format!(", over {probe}; a red frame: never above 0")
            };
            let heading = format!(
                "**{name}**: the {one}s that change most (rows; by how many times the median change) at the steps (columns); each row has its own range, the same at all steps{inactive}"
            );
            figure.log(step, tag_of_strip, heading);
        }
        Ok(())
    }
}

fn is_of_kernels(tag: &str) -> bool {
    tag.starts_with("kernels/")
}

/// These channels' places of a dimension, in their order. A list of numbers would have to be uploaded to a GPU.
fn chosen(all: &Tensor<4>, dimension: usize, channels: &[Ranked]) -> Tensor<4> {
    let place = |ranked: &Ranked| all.clone().narrow(dimension, ranked.channel, 1);
    Tensor::cat(channels.iter().map(place).collect(), dimension)
}
