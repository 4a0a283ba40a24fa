//! Health of channels: which ones are dead or dormant, and how often each is on.

use std::collections::BTreeMap;
use std::mem::take;

use burn::tensor::Tensor;

use super::figure::{Cells, Figure, Matrix};
use super::{
    AnalysisError, Images, LayerMaps, Moment, ObservedNetwork, Observer, Role, Shared, asking,
    channel_sums, name_of, read_all,
};
use crate::device::{BackendError, layout_of};
use crate::logger::{LoggerError, Step};
use crate::network::{ForwardPass, Layer, LayerKind};
use feature_grid::{Colormap, Layout};
use tensorboard_events::Summary;

/// A channel whose mean activation is at most this fraction of its layer's is dormant.
///
/// Source: Sokar and others, "The Dormant Neuron Phenomenon in Deep Reinforcement Learning" (2023), tau.
const DORMANT: f64 = 0.025;

/// A layer of which more than this fraction is dead is worth a line in the terminal.
const MANY_DEAD: f64 = 0.1;

/// Measures how active channels are after ReLU, at every step.
#[derive(Default)]
pub(super) struct Health {
    /// Which images that is measured over.
    over_comparison_images: bool,
    /// Of the step that comes, by the layer's tag.
    layers: BTreeMap<String, Activity>,
    ahead: Option<BTreeMap<String, Activity>>,
    /// How often every channel of each layer is on, by step.
    columns: BTreeMap<i64, BTreeMap<String, Vec<f32>>>,
    /// Layers of which many channels are dead at the last step.
    many_dead: Vec<String>,
}

impl Health {
    pub(super) fn new(over_comparison_images: bool) -> Self {
        Self {
            over_comparison_images,
            ..Self::default()
        }
    }
}

impl Observer for Health {
    fn activations(
        &mut self,
        _: &Moment<'_, '_>,
        maps: &LayerMaps<'_>,
    ) -> Result<(), AnalysisError> {
        let is_measured = self.over_comparison_images == (maps.images == Images::Comparison);
        if !is_measured || !shows_activity(maps.pass, maps.layer) {
            return Ok(());
        }
        let tag = maps.layer.tag();
        let so_far = self.layers.entry(tag.clone()).or_default();
        for part in maps.parts {
            asking(&tag, || so_far.add(part.clone()))?;
        }
        Ok(())
    }

    fn weights(
        &mut self,
        at: &mut Moment<'_, '_>,
        _: &ObservedNetwork<'_>,
    ) -> Result<(), AnalysisError> {
        let mut layers = take(&mut self.layers);
        read(&mut layers)?;
        let Some(layers) = at.collected(layers, &mut self.ahead) else {
            return Ok(());
        };
        let dead = |(tag, of_layer): (&String, &Activity)| (tag.clone(), of_layer.dead().collect());
        at.shared.dead = layers.iter().map(dead).collect();
        for (tag, of_layer) in &layers {
            for (name, value) in of_layer.numbers() {
                at.summary(Summary::scalar(format!("health/{tag}/{name}"), value));
            }
        }
        if at.role == Role::Previous {
            return Ok(());
        }
        self.many_dead = (layers.iter())
            .filter_map(|(tag, of_layer)| many_dead(tag, of_layer))
            .collect();
        if at.has_column {
            #[expect(clippy::cast_possible_truncation, reason = "for a color")]
            let rates = |of_layer: &Activity| of_layer.on_rates().map(|rate| rate as f32).collect();
            let column = layers
                .iter()
                .map(|(tag, of_layer)| (tag.clone(), rates(of_layer)));
            let columns = &at.shared.columns;
            columns.keep(&mut self.columns, at.number, column.collect());
        }
        Ok(())
    }

    /// A heat map of each layer, channel x step.
    fn draw(&self, step: &mut Step<'_>, shared: &Shared) -> Result<(), LoggerError> {
        let columns: Vec<_> = self.columns.values().collect();
        for (layer, rates) in columns.first().into_iter().flat_map(|first| first.iter()) {
            let value = |column: &&BTreeMap<String, Vec<f32>>, channel: usize| {
                let rate = column.get(layer).and_then(|rates| rates.get(channel));
                rate.copied().unwrap_or(f32::NAN)
            };
            let row = |channel| columns.iter().map(move |column| value(column, channel));
            let map = Figure {
                title: format!("{}: how often channels are on", name_of(layer)),
                row_axis: "channel".to_owned(),
                column_axis: "step".to_owned(),
                rows: (0..rates.len())
                    .map(|channel| channel.to_string())
                    .collect(),
                columns: shared.columns.labels(),
                cells: Cells::Matrix(Matrix {
                    values: (0..rates.len()).flat_map(row).collect(),
                    measure: "fraction above 0".to_owned(),
                    colormap: Colormap::Magma,
                    ..Matrix::default()
                }),
                ..Figure::default()
            };
            let tag = format!("health/{layer}");
            let heading = format!(
                "**{layer}**: the fraction of its values that are above 0, by channel (rows) and step (columns), {}; a dead channel is black",
                shared.over
            );
            map.log(step, tag, heading)?;
        }
        Ok(())
    }

    fn finish(&self, shared: &Shared) -> Vec<String> {
        if self.many_dead.is_empty() {
            return Vec::new();
        }
        vec![format!(
            "more than 10% of the channels are dead (never above 0 after ReLU, {}) at the last step: {}",
            shared.over,
            self.many_dead.join(", ")
        )]
    }
}

fn many_dead(tag: &str, of_layer: &Activity) -> Option<String> {
    let (dead, all) = (of_layer.dead().count(), of_layer.on().len());
    #[expect(clippy::cast_precision_loss, reason = "channels")]
    let fraction = dead as f64 / all as f64;
    (fraction > MANY_DEAD).then(|| format!("{} ({dead} of {all})", name_of(tag)))
}

/// The activity of a layer's channels after ReLU, over the images of one step.
#[derive(Debug, Clone, Default)]
struct Activity {
    /// The sums over images: of each channel's means of what is above 0, then of the fractions of its values that are.
    sums: Vec<f64>,
    images: f64,
    /// Sums that are still on the device, and over how many values of a map each is.
    unread: Vec<(Tensor<1>, f64)>,
}

impl Activity {
    /// Adds feature maps, `[batch, channels, height, width]`.
    fn add(&mut self, maps: Tensor<4>) -> Result<(), BackendError> {
        let [images, channels, height, width] = maps.dims();
        #[expect(clippy::cast_precision_loss, reason = "pixels of a map, and images")]
        let (area, images) = ((height * width) as f64, images as f64);
        self.sums.resize(2 * channels, 0.0);
        if layout_of(&maps) == Layout::Interleaved {
            let sums = channel_sums::in_memory(&maps)?;
            channel_sums::add(&mut self.sums, sums.iter().map(|sum| sum / area));
        } else {
            self.unread.push((channel_sums::on_device(maps), area));
        }
        self.images += images;
        Ok(())
    }

    fn positive(&self) -> &[f64] {
        &self.sums[..self.sums.len() / 2]
    }

    fn on(&self) -> &[f64] {
        &self.sums[self.sums.len() / 2..]
    }

    /// The fraction of its values that are above 0, by channel.
    fn on_rates(&self) -> impl Iterator<Item = f64> {
        self.on().iter().map(|on| on / self.images.max(1.0))
    }

    /// The channels that are never above 0. NaN is no sign of death.
    fn dead(&self) -> impl Iterator<Item = usize> {
        let both = self.on().iter().zip(self.positive()).enumerate();
        both.filter_map(|(channel, (on, sum))| (*on == 0.0 && *sum == 0.0).then_some(channel))
    }

    fn numbers(&self) -> [(&'static str, f64); 3] {
        #[expect(clippy::cast_precision_loss, reason = "channels")]
        let [count, dead] = [self.on().len() as f64, self.dead().count() as f64];
        let sums = self.positive();
        let mean = sums.iter().sum::<f64>() / count;
        let dormant = sums.iter().filter(|sum| **sum <= DORMANT * mean);
        #[expect(clippy::cast_precision_loss, reason = "channels")]
        let dormant = dormant.count() as f64;
        [
            ("dead", dead / count),
            ("dormant", dormant / count),
            ("on_rate", self.on_rates().sum::<f64>() / count),
        ]
    }
}

/// Reads what is still on a device, all of it at once.
fn read(layers: &mut BTreeMap<String, Activity>) -> Result<(), AnalysisError> {
    let unread = layers.iter().flat_map(|(tag, layer)| {
        let sums = layer.unread.iter();
        sums.map(move |(sums, _)| (tag.as_str(), sums.clone()))
    });
    let mut read = read_all(unread)?.into_iter();
    for layer in layers.values_mut() {
        for ((_, area), sums) in take(&mut layer.unread).into_iter().zip(read.by_ref()) {
            let means = sums.into_iter().map(|sum| f64::from(sum) / area);
            channel_sums::add(&mut layer.sums, means);
        }
    }
    Ok(())
}

/// Whether a layer's values say how active its channels are: a ReLU's, or those right before one that is
/// not shown itself, where what is below 0 counts as 0.
fn shows_activity(pass: &ForwardPass, layer: &Layer) -> bool {
    let layers = pass.architecture.all_layers();
    let next = layers.get(layer.index + 1);
    layer.kind == LayerKind::Relu
        || next.is_some_and(|next| next.kind == LayerKind::Relu && !pass.wanted.contains(next))
}
