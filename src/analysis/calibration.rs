//! What is found out before the first step, from a few reference networks: a range for each layer, and which
//! channels are worth showing.

use std::collections::BTreeMap;

use burn::tensor::Tensor;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::probe::kernels_tag;
use super::{AnalysisError, ObservedNetwork, asking};
use crate::device::{BackendError, values};
use crate::logger::Ranges;

type ByChannel = BTreeMap<String, Vec<f64>>;

#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Calibration {
    pub(crate) ranges: Ranges,
    networks: usize,
    /// The maps, and the kernels, that changes are counted from.
    #[serde(skip)]
    base: Vec<(String, Tensor<4>)>,
    /// Of the first network, and of the last one so far.
    variance: ByChannel,
    #[serde(default)]
    last_variance: ByChannel,
    change: ByChannel,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ranked {
    pub(super) channel: usize,
    /// How far it changes, as a multiple of the layer's median; `None` where most do not change.
    pub(super) change: Option<f64>,
}

impl Ranked {
    /// `243 ×12`.
    pub(super) fn label(&self) -> String {
        let Self { channel, change } = self;
        match change {
            Some(change) if *change < 9.95 => format!("{channel}  ×{change:.1}"),
            Some(change) => format!("{channel}  ×{change:.0}"),
            None => channel.to_string(),
        }
    }
}

/// A channel with less than this fraction of the variance that it had shows nothing any more.
const CONSTANT: f64 = 1e-9;

impl Calibration {
    /// Takes the network that changes are shown against, where that is none of the steps.
    pub(crate) fn set_base(&mut self, network: &ObservedNetwork<'_>) {
        self.base = all_of(network);
    }

    /// Adds a reference network, which becomes the base where there is none; `with_change`: with its range of changes.
    pub(crate) fn add(
        &mut self,
        network: &ObservedNetwork<'_>,
        with_change: bool,
    ) -> Result<(), AnalysisError> {
        let all = all_of(network);
        let is_first = self.networks == 0;
        self.networks += 1;
        self.last_variance.clear();
        let base = |number: usize| self.base.get(number).map(|(_, base)| base);
        for (number, (layer, maps)) in all.iter().enumerate() {
            if base(number).is_some_and(|base| base.dims() != maps.dims()) {
                return Err(AnalysisError::OtherNetwork {
                    network: network.name.to_owned(),
                    layer: layer.clone(),
                });
            }
        }
        let measure = |(number, (tag, maps)): (usize, &(String, Tensor<4>))| {
            // Kernels are measured one by one, as channels are.
            let of_kernels = tag.starts_with("kernels/");
            let base = base(number);
            asking(tag, || {
                ChannelStatistics::of(maps, base, of_kernels, with_change)
            })
        };
        let measured = all.par_iter().enumerate().map(measure);
        let measured: Vec<ChannelStatistics> = measured.collect::<Result<_, _>>()?;
        for ((tag, _), statistics) in all.iter().zip(&measured) {
            self.include(tag, statistics, is_first);
        }
        if self.base.is_empty() {
            self.base = all;
        }
        Ok(())
    }

    fn include(&mut self, tag: &str, statistics: &ChannelStatistics, is_first: bool) {
        if let Some(range) = statistics.range {
            self.ranges.widen(tag, range);
        }
        if let Some(range) = statistics.change_range {
            self.ranges.widen_change(tag, range);
        }
        if is_first {
            add_to(&mut self.variance, tag, &statistics.variance);
        }
        add_to(&mut self.last_variance, tag, &statistics.variance);
        add_to(&mut self.change, tag, &statistics.change);
    }

    /// The channels of a layer, by its tag, by variance over the pixels of the probe images, largest first.
    pub(crate) fn by_variance(&self, tag: &str) -> Vec<usize> {
        largest_first(self.variance.get(tag))
    }

    /// The same by how much they change between the references; by variance where nothing changes.
    pub(crate) fn by_change(&self, tag: &str) -> Vec<usize> {
        match self.change.get(tag) {
            change @ Some(all) if all.iter().any(|one| *one > 0.0) => largest_first(change),
            _ => self.by_variance(tag),
        }
    }

    /// The channels of a layer, or the kernels, by its tag: those that died, which are the same everywhere at last, then
    /// by how much they change.
    pub(super) fn ranked(&self, tag: &str) -> Vec<Ranked> {
        let by_change = self.by_change(tag);
        let of = |all: &ByChannel, channel: usize| all[tag][channel];
        let has_died = |channel: &usize| {
            of(&self.last_variance, *channel) < CONSTANT * of(&self.variance, *channel)
        };
        let median = by_change.get(by_change.len() / 2);
        let median = median.map_or(0.0, |middle| of(&self.change, *middle));
        let (died, others): (Vec<usize>, Vec<usize>) = by_change.into_iter().partition(has_died);
        let ranked = |channel: usize| Ranked {
            channel,
            // Squares are compared.
            change: (median > 0.0).then(|| (of(&self.change, channel) / median).sqrt()),
        };
        died.into_iter().chain(others).map(ranked).collect()
    }
}

fn all_of(network: &ObservedNetwork<'_>) -> Vec<(String, Tensor<4>)> {
    let maps = network.probes.each();
    let maps = maps.map(|(_, layer, maps)| (layer.tag(), maps));
    let kernels = network.network.parameters().kernels().cloned();
    let kernels = kernels.map(|kernels| (kernels_tag(network.pass), kernels));
    maps.chain(kernels).collect()
}

/// Adds numbers by channel to those of other images. What is not finite counts as nothing.
fn add_to(all: &mut ByChannel, tag: &str, values: &[f64]) {
    let sums = all.entry(tag.to_owned()).or_default();
    sums.resize(values.len(), 0.0);
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += value.max(0.0);
    }
}

fn largest_first(values: Option<&Vec<f64>>) -> Vec<usize> {
    let values = values.map_or(&[][..], Vec::as_slice);
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*b].total_cmp(&values[*a]));
    order
}

struct ChannelStatistics {
    /// The percentiles; `None` where no value is finite.
    range: Option<[f32; 2]>,
    change_range: Option<[f32; 2]>,
    variance: Vec<f64>,
    /// The mean squared change; 0 without a base.
    change: Vec<f64>,
}

impl ChannelStatistics {
    /// Of maps of one image, `[1, channels, height, width]`, or of kernels, `[kernels, …]`.
    fn of(
        maps: &Tensor<4>,
        base: Option<&Tensor<4>>,
        of_kernels: bool,
        with_change: bool,
    ) -> Result<Self, BackendError> {
        let [first, channels, ..] = maps.dims();
        let count = if of_kernels { first } else { channels };
        let mut new = values(maps.clone())?;
        let variance = moments(&new, count).map(|(mean, squares)| squares - mean * mean);
        let mut measured = Self {
            variance: variance.collect(),
            range: Ranges::of_values(&mut new),
            change: vec![0.0; count],
            change_range: None,
        };
        if let Some(base) = base {
            // An earlier batch may have been another device's.
            let mut change = values(maps.clone() - base.clone().to_device(&maps.device()))?;
            measured.change = moments(&change, count)
                .map(|(_, squares)| squares)
                .collect();
            measured.change_range = with_change
                .then(|| Ranges::of_values(&mut change))
                .flatten();
        }
        Ok(measured)
    }
}

fn moments(values: &[f32], channels: usize) -> impl Iterator<Item = (f64, f64)> {
    let each = values.len() / channels;
    values.chunks_exact(each).map(move |channel| {
        let (mut sum, mut squares) = (0.0, 0.0);
        for value in channel.iter().copied().map(f64::from) {
            sum += value;
            squares += value * value;
        }
        (sum / each as f64, squares / each as f64)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::TensorData;

    use crate::device::OpenDevice;

    #[test]
    fn channels_that_died_come_first_then_those_that_change_most() {
        let of = |values: [f64; 5]| ByChannel::from([("18_relu4_1".to_owned(), values.to_vec())]);
        let calibration = Calibration {
            variance: of([1.0, 2.0, 3.0, 4.0, 0.0]),
            last_variance: of([1.0, 0.0, 3.0, 4.0, 0.0]),
            change: of([4.0, 1.0, 900.0, 0.5, 0.0]),
            ..Calibration::default()
        };
        let ranked = calibration.ranked("18_relu4_1");
        let labels: Vec<String> = ranked.iter().map(Ranked::label).collect();
        assert_eq!(
            labels,
            ["1  ×1.0", "2  ×30", "0  ×2.0", "3  ×0.7", "4  ×0.0"]
        );
        // Where nothing is known of a change: by variance, and without a number.
        let calibration = Calibration {
            variance: of([1.0, 2.0, 3.0, 4.0, 0.0]),
            last_variance: of([1.0, 2.0, 3.0, 4.0, 0.0]),
            change: of([0.0; 5]),
            ..Calibration::default()
        };
        let ranked = calibration.ranked("18_relu4_1");
        let labels: Vec<String> = ranked.iter().map(Ranked::label).collect();
        assert_eq!(labels, ["3", "2", "1", "0", "4"]);
    }

    fn is_near(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    }

    /// `x = np.sin(np.arange(96, dtype='f4')).reshape(1, 4, 6, 4)`: `x.var((0, 2, 3))`,
    /// `((x - 0.5 * x) ** 2).mean((0, 2, 3))` and `np.percentile(x - 0.5 * x, [0.1, 99.9])`.
    // Verified: NumPy | variance and percentiles of channels | 1e-6
    #[test]
    fn variance_and_change_are_numpys_in_both_layouts() {
        for choice in ["auto", "flex"] {
            let device = OpenDevice::open(choice.parse().unwrap()).unwrap().device;
            let values: Vec<f32> = (0_u8..96).map(|i| f32::from(i).sin()).collect();
            let planar = Tensor::<4>::from_data(TensorData::new(values, [1, 4, 6, 4]), &device);
            let interleaved = planar.clone().permute([0, 2, 3, 1]).into_data();
            let interleaved = Tensor::<4>::from_data(interleaved, &device).permute([0, 3, 1, 2]);
            for maps in [planar, interleaved] {
                let base = maps.clone() * 0.5;
                let measured = ChannelStatistics::of(&maps, Some(&base), false, true).unwrap();
                is_near(
                    &measured.variance,
                    &[0.486_386_9, 0.491_648_2, 0.520_739_0, 0.478_233_1],
                );
                is_near(
                    &measured.change,
                    &[0.122_013_4, 0.123_267_9, 0.130_204_2, 0.120_069_2],
                );
                let range = measured.change_range.unwrap().map(f64::from);
                is_near(&range, &[-0.499_983_95, 0.499_937_32]);
            }
        }
    }
}
