//! What is found out before the first step, from a few reference networks: a range for each layer, and which
//! channels are worth showing.

use std::collections::BTreeMap;

use burn::tensor::Tensor;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::look::{Buffers, Item, Looked};
use crate::analysis::probe::{ProbeActivations, ProbeError, kernels_tag};
use crate::device::guarded;
use crate::logger::Ranges;
use crate::network::Layer;
use crate::network::{ForwardPass, Network};

/// Numbers of a layer's channels, by the layer's tag.
type ByChannel = BTreeMap<String, Vec<f64>>;

/// What the reference networks make of the probe images.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Calibration {
    pub(crate) ranges: Ranges,
    /// How many networks were looked at.
    networks: usize,
    /// The maps, and the kernels, that changes are counted from.
    #[serde(skip)]
    base: Vec<(String, Tensor<4>)>,
    variance: ByChannel,
    change: ByChannel,
}

impl Calibration {
    /// Takes the network that changes are shown against, where that is none of the steps, by what it sees in the
    /// probe images.
    pub(crate) fn set_base(
        &mut self,
        pass: &ForwardPass,
        network: &dyn Network,
        seen: &ProbeActivations,
    ) {
        self.base = all_of(pass, network, seen);
    }

    /// Looks at a reference network by what it sees in the probe images; `with_change` says whether the range of
    /// changes comes from it. Without a base, the first one becomes it.
    pub(crate) fn add(
        &mut self,
        pass: &ForwardPass,
        network: &dyn Network,
        seen: &ProbeActivations,
        (what, with_change): (&str, bool),
    ) -> Result<(), ProbeError> {
        let all = all_of(pass, network, seen);
        let is_first = self.networks == 0;
        self.networks += 1;
        let items: Vec<Item> = all
            .iter()
            .enumerate()
            .map(|(number, (tag, maps))| Item {
                tag,
                maps: maps.clone(),
                base: self.base.get(number).map(|(_, base)| base.clone()),
                with_change,
            })
            .collect();
        if let Some(other) = items.iter().find(|item| !item.fits()) {
            return Err(ProbeError::OtherNetwork {
                what: what.to_owned(),
                layer: other.tag.to_owned(),
            });
        }
        let look = |buffers: &mut Buffers, item: &Item| {
            let looked = guarded(|| item.look(buffers)).and_then(|result| result);
            looked.map_err(|why| ProbeError::Copy {
                layer: item.tag.to_owned(),
                why,
            })
        };
        let looked: Result<Vec<Looked>, _> =
            items.par_iter().map_init(Buffers::default, look).collect();
        for (item, looked) in items.iter().zip(looked?) {
            self.take(item.tag, &looked, is_first);
        }
        if self.base.is_empty() {
            self.base = all;
        }
        Ok(())
    }

    fn take(&mut self, tag: &str, looked: &Looked, is_first: bool) {
        if let Some(range) = looked.range {
            self.ranges.widen(tag, range);
        }
        if let Some(range) = looked.change_range {
            self.ranges.widen_change(tag, range);
        }
        if is_first {
            add_to(&mut self.variance, tag, &looked.variance);
        }
        add_to(&mut self.change, tag, &looked.change);
    }

    /// The channels of a layer by variance over the pixels of the probe images, largest first.
    pub(crate) fn by_variance(&self, layer: &Layer) -> Vec<usize> {
        largest_first(self.variance.get(&layer.tag()))
    }

    /// The kernels by how much they change, under their tag; in order where nothing changes.
    pub(crate) fn kernels_by_change(&self, tag: &str) -> Vec<usize> {
        largest_first(self.change.get(tag))
    }

    /// The channels of a layer by how much they change between the references, largest first; by variance
    /// where nothing changes.
    pub(crate) fn by_change(&self, layer: &Layer) -> Vec<usize> {
        match self.change.get(&layer.tag()) {
            Some(change) if change.iter().any(|change| *change > 0.0) => {
                largest_first(Some(change))
            }
            _ => self.by_variance(layer),
        }
    }
}

/// What a network makes of the probe images, and its kernels, each under the name that it is filed under.
fn all_of(
    pass: &ForwardPass,
    network: &dyn Network,
    seen: &ProbeActivations,
) -> Vec<(String, Tensor<4>)> {
    let maps = seen.each().map(|(_, layer, maps)| (layer.tag(), maps));
    let kernels = network
        .parameters()
        .kernels()
        .cloned()
        .map(|kernels| (kernels_tag(pass), kernels));
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

/// The places of the largest numbers first; equal ones keep their order.
fn largest_first(values: Option<&Vec<f64>>) -> Vec<usize> {
    let values = values.map(Vec::as_slice).unwrap_or_default();
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*b].total_cmp(&values[*a]));
    order
}
