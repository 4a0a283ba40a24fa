//! Which feature maps of a layer are shown, the same at every step of a run.

use std::collections::BTreeMap;

use burn::tensor::{Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

/// The channels of each layer that are shown, in their places: the same place is the same channel at every
/// step. A layer that is not among them is shown from its first channel on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channels(BTreeMap<String, Vec<usize>>);

impl Channels {
    /// Shows these channels of a layer, counted from 0; repeated ones once.
    pub fn set(&mut self, layer: impl Into<String>, channels: impl IntoIterator<Item = usize>) {
        let mut chosen: Vec<usize> = Vec::new();
        for channel in channels {
            if !chosen.contains(&channel) {
                chosen.push(channel);
            }
        }
        self.0.insert(layer.into(), chosen);
    }

    /// The channels that are shown of a layer, if they were chosen.
    pub fn get(&self, layer: &str) -> Option<&[usize]> {
        self.0.get(layer).map(Vec::as_slice)
    }

    /// Whether none were chosen.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The chosen ones first, then all others: statistics are of all. Shapes: `[1, channels, height, width]` in and out.
pub(super) fn chosen_first(maps: Tensor<4>, chosen: &[usize]) -> Tensor<4> {
    let channels = maps.dims()[1];
    let others = (0..channels).filter(|channel| !chosen.contains(channel));
    let order = chosen.iter().copied().chain(others);
    let order: Vec<i64> = order
        .filter_map(|channel| i64::try_from(channel).ok())
        .collect();
    let order = TensorData::new(order, [channels]);
    let order = Tensor::<1, Int>::from_data(order, &maps.device());
    maps.select(1, order)
}
