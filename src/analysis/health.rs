//! Health of channels: which ones are dead or dormant, and how often each is on.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::take;

use burn::tensor::Tensor;

use super::change::{ImageCount, Inactive};
use super::figure::{Cells, Figure, Matrix};
use super::probe::ProbeImages;
use super::{
    AnalysisError, ComparisonImages, Images, LayerMaps, Moment, ObservedNetwork, Observer, Role,
    Shared, asking, channel_sums, name_of, read_all,
};
use crate::device::{BackendError, layout_of};
use crate::logger::{LoggerError, Step};
use crate::network::{ForwardPass, Layer, LayerKind};
use crate::one_line;
use feature_grid::{Colormap, Layout};
use tensorboard_events::Summary;

/// A channel whose mean activation is at most this fraction of its layer's is dormant.
///
/// Source: Sokar and others, "The Dormant Neuron Phenomenon in Deep Reinforcement Learning" (2023), tau.
const DORMANT: f64 = 0.025;

#[derive(Default)]
pub(super) struct Health {
    images: ImageCount,
    /// The probe images that are comparison images too, and are counted once.
    compared: BTreeSet<usize>,
    /// Of the step that comes, by the layer's tag.
    layers: BTreeMap<String, Activity>,
    ahead: Option<BTreeMap<String, Activity>>,
    columns: BTreeMap<i64, BTreeMap<String, Vec<f32>>>,
}

impl Health {
    pub(super) fn new(probes: &ProbeImages, images: Option<&ComparisonImages>) -> Self {
        let compared = images.into_iter().flat_map(ComparisonImages::probes);
        Self {
            images: ImageCount::of(probes, images),
            compared: compared.collect(),
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
        let comes_again = match maps.images {
            Images::Probe(number) => self.compared.contains(&number),
            Images::Comparison => false,
        };
        if comes_again || !shows_activity(maps.pass, maps.layer) {
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
        let shown = &mut at.shared.activations;
        shown.images = self.images;
        let inactive = |(tag, of_layer): (&String, &Activity)| {
            let channels = of_layer.inactive().collect();
            let of = of_layer.on().len();
            (tag.clone(), Inactive { channels, of })
        };
        shown.inactive = layers.iter().map(inactive).collect();
        let non_finite = |(tag, of_layer): (&String, &Activity)| {
            let sums = of_layer.positive().iter();
            let count = sums.filter(|sum| !sum.is_finite()).count();
            (count > 0).then(|| (tag.clone(), count))
        };
        shown.non_finite = layers.iter().filter_map(non_finite).collect();
        for (tag, of_layer) in &layers {
            for (name, value) in of_layer.numbers(self.images.word()) {
                at.summary(Summary::scalar(format!("health/{tag}/{name}"), value));
            }
        }
        if at.role == Role::Previous {
            return Ok(());
        }
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

    fn draw(&self, step: &mut Step<'_>, shared: &Shared) -> Result<(), LoggerError> {
        let columns: Vec<_> = self.columns.values().collect();
        for layer in columns.first().into_iter().flat_map(|first| first.keys()) {
            let of_layer = columns.iter().filter_map(|column| column.get(layer));
            let rates: Vec<&[f32]> = of_layer.map(Vec::as_slice).collect();
            let bands = Band::of(&rates);
            let value = |channels: &[usize], rates: &[f32]| {
                let rates = channels.iter().filter_map(|channel| rates.get(*channel));
                rates.sum::<f32>() / channels.len() as f32
            };
            let row = |band: &Band| {
                rates
                    .iter()
                    .map(|rates| value(&band.channels, rates))
                    .collect::<Vec<_>>()
            };
            let all = rates.last().map_or(0, |last| last.len());
            let map = Figure {
                title: format!("{}: how often channels are on", name_of(layer)),
                row_axis: if all > APART {
                    "channels, quietest first"
                } else {
                    "channel"
                }
                .to_owned(),
                column_axis: "step".to_owned(),
                rows: bands.iter().map(|band| band.label.clone()).collect(),
                columns: (shared.columns.steps())
                    .map(|step| step.to_string())
                    .collect(),
                cells: Cells::Matrix(Matrix {
                    values: bands.iter().flat_map(row).collect(),
                    measure: "fraction above 0".to_owned(),
                    colormap: Colormap::Magma,
                    ..Matrix::default()
                }),
                lines: rates
                    .last()
                    .map(|last| silent_line(last))
                    .into_iter()
                    .collect(),
                ..Figure::default()
            };
            let heading = format!(
                "**{layer}**: the fraction of its values that are above 0, by channel (rows) and step (columns), {}; of more than {APART} channels those that are never above 0 at a step come first, then the others in {BANDS} groups of as many each",
                self.images.over()
            );
            map.log(step, format!("health/{layer}"), heading);
        }
        Ok(())
    }
}

/// Channels that have a row of their own; more are gathered.
const APART: usize = 64;

const BANDS: usize = 16;

/// Channels that are never on which have a row of their own; more are gathered.
const NAMED: usize = 8;

struct Band {
    label: String,
    channels: Vec<usize>,
}

impl Band {
    fn of(rates: &[&[f32]]) -> Vec<Self> {
        let count = rates.first().map_or(0, |first| first.len());
        let each = |channel: usize| Self {
            label: channel.to_string(),
            channels: vec![channel],
        };
        if count <= APART {
            return (0..count).map(each).collect();
        }
        let rates_of = |channel: usize| {
            rates
                .iter()
                .filter_map(move |rates| rates.get(channel).copied())
        };
        let mut order: Vec<usize> = (0..count).collect();
        order.sort_by(|a, b| {
            let sum = |channel: &usize| rates_of(*channel).sum::<f32>();
            sum(a).total_cmp(&sum(b))
        });
        let is_silent = |channel: &usize| rates_of(*channel).any(|rate| rate == 0.0);
        let (mut silent, others): (Vec<usize>, Vec<usize>) = order.into_iter().partition(is_silent);
        // Those that are so at last come first.
        silent.sort_by_key(|channel| rates_of(*channel).next_back() != Some(0.0));
        let size = count.div_ceil(BANDS);
        let gathered = silent.chunks(size).map(|channels| Self {
            label: format!("{} silent", channels.len()),
            channels: channels.to_vec(),
        });
        let mut bands: Vec<Self> = match silent.len() {
            0..=NAMED => silent.iter().copied().map(each).collect(),
            _ => gathered.collect(),
        };
        let percent = |part: usize| 100 * part / others.len();
        bands.extend(others.chunks(size).enumerate().map(|(at, channels)| Self {
            label: format!(
                "{}–{}%",
                percent(at * size),
                percent(at * size + channels.len())
            ),
            channels: channels.to_vec(),
        }));
        bands
    }
}

fn silent_line(rates: &[f32]) -> String {
    let silent =
        (rates.iter().enumerate()).filter_map(|(channel, rate)| (*rate == 0.0).then_some(channel));
    let silent: Vec<usize> = silent.collect();
    let line = format!(
        "never above 0 at the last step: {} of {}",
        silent.len(),
        rates.len()
    );
    if silent.is_empty() {
        return line;
    }
    format!("{line} ({})", one_line::listed(&silent, ", ", NAMED))
}

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

    fn on_rates(&self) -> impl Iterator<Item = f64> {
        self.on().iter().map(|on| on / self.images.max(1.0))
    }

    /// The channels that are never above 0. NaN is no sign of that.
    fn inactive(&self) -> impl Iterator<Item = usize> {
        let both = self.on().iter().zip(self.positive()).enumerate();
        both.filter_map(|(channel, (on, sum))| (*on == 0.0 && *sum == 0.0).then_some(channel))
    }

    /// `word` is what channels that are never above 0 are called.
    fn numbers(&self, word: &'static str) -> Vec<(&'static str, f64)> {
        let [count, inactive] = [self.on().len() as f64, self.inactive().count() as f64];
        let sums = self.positive();
        if !sums.iter().all(|sum| sum.is_finite()) {
            return Vec::new();
        }
        let mean = sums.iter().sum::<f64>() / count;
        let dormant = sums.iter().filter(|sum| **sum <= DORMANT * mean);
        let dormant = dormant.count() as f64;
        vec![
            (word, inactive / count),
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

/// A ReLU's values say it, or those right before one that is not shown itself, where what is below 0 counts as 0.
fn shows_activity(pass: &ForwardPass, layer: &Layer) -> bool {
    let layers = pass.architecture.all_layers();
    let next = layers.iter().skip_while(|other| *other != layer).nth(1);
    layer.kind == LayerKind::Relu
        || next.is_some_and(|next| next.kind == LayerKind::Relu && !pass.wanted.contains(next))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(bands: &[Band]) -> Vec<&str> {
        bands.iter().map(|band| band.label.as_str()).collect()
    }

    #[test]
    fn many_channels_are_gathered_and_silent_ones_come_first() {
        let mut first: Vec<f32> = (1_u8..=160).map(|rate| f32::from(rate) / 160.0).collect();
        let mut last = first.clone();
        (last[37], first[90]) = (0.0, 0.0);
        let bands = Band::of(&[&first, &last]);
        assert_eq!(labels(&bands)[..4], ["37", "90", "0–6%", "6–12%"]);
        assert_eq!(bands.len(), 2 + 16);
        let mut all: Vec<usize> = bands
            .iter()
            .flat_map(|band| band.channels.clone())
            .collect();
        assert_eq!(bands[2].channels, (0..10).collect::<Vec<_>>());
        all.sort_unstable();
        assert_eq!(all, (0..160).collect::<Vec<_>>());
        assert_eq!(
            silent_line(&last),
            "never above 0 at the last step: 1 of 160 (37)"
        );
        // Of a layer that collapsed the silent ones have as large a part of the picture as of the layer.
        last[..120].fill(0.0);
        let bands = Band::of(&[&first, &last]);
        assert_eq!(labels(&bands)[..2], ["10 silent"; 2]);
        let silent = labels(&bands)
            .iter()
            .filter(|label| label.contains("silent"))
            .count();
        assert_eq!((silent, bands.len()), (12, 16));
        // Few channels are rows of their own, in order.
        let bands = Band::of(&[&last[..64]]);
        assert_eq!((bands.len(), labels(&bands)[63]), (64, "63"));
    }
}
