//! One range a layer, the same at every step of a run.

use std::collections::BTreeMap;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::device::{self, BackendError};

/// The percentiles that a calibrated range goes from and to: a few outliers do not darken everything else.
const PERCENTILES: [f64; 2] = [0.1, 99.9];

/// The range of each layer, calibrated once, so that the pictures of all steps can be compared.
///
/// ```
/// # use burn::tensor::{Device, Tensor};
/// use vggscope::logger::Ranges;
///
/// let mut ranges = Ranges::default();
/// ranges.include("conv1", Tensor::<1>::from_floats([0.0, 1.0, 4.0], &Device::flex()))?;
/// assert_eq!(ranges.get("conv1").map(|(low, _)| low < 0.1), Some(true));
/// # Ok::<(), vggscope::logger::BackendError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, Vec<f32>>")]
pub struct Ranges(BTreeMap<String, [f32; 2]>);

/// What a file has for a layer is no range.
#[derive(Debug, Error)]
#[error("{layer} = {ends:?}: a range is two numbers, the lower one first")]
#[non_exhaustive]
pub struct RangesError {
    /// The layer.
    pub layer: String,
    /// What the file has.
    pub ends: Vec<f32>,
}

impl TryFrom<BTreeMap<String, Vec<f32>>> for Ranges {
    type Error = RangesError;

    fn try_from(layers: BTreeMap<String, Vec<f32>>) -> Result<Self, RangesError> {
        let range = |(layer, ends): (String, Vec<f32>)| match ends[..] {
            [low, high] if low.is_finite() && high.is_finite() && low <= high => {
                Ok((layer, [low, high]))
            }
            _ => Err(RangesError { layer, ends }),
        };
        layers
            .into_iter()
            .map(range)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl Ranges {
    /// Widens a layer's range so that it holds the 0.1 to 99.9 percentiles of these values too, as
    /// `numpy.percentile` computes them. Values that are NaN or infinite take no part.
    ///
    /// # Errors
    ///
    /// The device does not hand the values over.
    pub fn include<const D: usize>(
        &mut self,
        layer: impl Into<String>,
        values: Tensor<D>,
    ) -> Result<(), BackendError> {
        let mut values = device::values(values)?;
        if let Some(range) = Self::of_values(&mut values) {
            self.widen(layer, range);
        }
        Ok(())
    }

    /// The percentiles of the finite values, which change places; `None` where there are none.
    pub(crate) fn of_values(values: &mut Vec<f32>) -> Option<[f32; 2]> {
        values.retain(|value| value.is_finite());
        (!values.is_empty()).then(|| PERCENTILES.map(|percent| percentile(values, percent)))
    }

    pub(crate) fn widen(&mut self, layer: impl Into<String>, [low, high]: [f32; 2]) {
        let range = self.0.entry(layer.into()).or_insert([low, high]);
        *range = [range[0].min(low), range[1].max(high)];
    }

    /// Widens the range of a layer's changes, which 0 is in the middle of.
    pub(crate) fn widen_change(&mut self, layer: &str, [low, high]: [f32; 2]) {
        let most = low.abs().max(high.abs());
        // No range comes from what did not change.
        if most > 0.0 {
            self.widen(format!("change/{layer}"), [-most, most]);
        }
    }

    /// From black to white, if the layer was calibrated. A layer of one value everywhere has a range of
    /// some width all the same.
    pub fn get(&self, layer: &str) -> Option<(f32, f32)> {
        let &[low, high] = self.0.get(layer)?;
        let narrowest = low.abs().max(high.abs()).max(1.0) * 1e-5;
        Some((low, high.max(low + narrowest)))
    }

    /// Adds the ranges of changes that are missing: those that `others` have, and for each other layer of theirs half of its range.
    pub(crate) fn take_changes(&mut self, others: &Self) {
        for (layer, [low, high]) in &others.0 {
            if layer.starts_with("change/") {
                self.0.entry(layer.clone()).or_insert([*low, *high]);
                continue;
            }
            let half = (high - low) / 2.0;
            let change = format!("change/{layer}");
            if !others.0.contains_key(&change) && half > 0.0 {
                self.0.entry(change).or_insert([-half, half]);
            }
        }
    }

    pub(crate) fn keep_changes(&mut self, earlier: Self) {
        let changes = earlier.0.into_iter();
        self.0
            .extend(changes.filter(|(layer, _)| layer.starts_with("change/")));
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// By linear interpolation between the two nearest values. The values change places; there is one at least.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a place among fewer values than 2^52, and a value between two f32"
)]
fn percentile(values: &mut [f32], percent: f64) -> f32 {
    let place = percent / 100.0 * (values.len() - 1) as f64;
    let (_, low, above) = values.select_nth_unstable_by(place as usize, f32::total_cmp);
    let low = f64::from(*low);
    let next = above.iter().copied().min_by(f32::total_cmp);
    let high = next.map_or(low, f64::from);
    (low + (high - low) * place.fract()) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn of(values: &[f32]) -> Tensor<1> {
        Tensor::from_floats(values, &Device::flex())
    }

    /// `numpy.percentile([0, 1, 4, 9, 100], [0.1, 99.9])`
    // Verified: NumPy | `percentile`, for the range of a layer | equal in float32
    #[test]
    fn percentiles_are_numpys() {
        let mut ranges = Ranges::default();
        let values = [100.0, f32::NAN, 4.0, 0.0, f32::INFINITY, 9.0, 1.0];
        ranges.include("a", of(&values)).unwrap();
        assert_eq!(ranges.get("a"), Some((0.004, 99.636)));
        ranges.include("a", of(&[-1.0])).unwrap();
        assert_eq!(ranges.get("a"), Some((-1.0, 99.636)));
        assert_eq!(ranges.get("b"), None);
    }

    #[test]
    fn a_file_is_read_back_if_it_holds_ranges() {
        let mut ranges = Ranges::default();
        ranges.include("05_conv2_1", of(&[-1.5, 0.1, 7.0])).unwrap();
        let text = toml::to_string(&ranges).unwrap();
        assert_eq!(toml::from_str::<Ranges>(&text).unwrap(), ranges);
        for text in [
            "a = [1, 2, 3]",
            "a = [2, 1]",
            "a = [nan, 1]",
            "a = 3",
            "a = [1]",
        ] {
            let refused = toml::from_str::<Ranges>(text).unwrap_err();
            assert!(!refused.message().is_empty(), "{text}");
        }
    }

    #[test]
    fn a_constant_layer_has_a_range_and_one_without_finite_values_none() {
        let mut ranges = Ranges::default();
        ranges.include("zero", of(&[0.0; 9])).unwrap();
        ranges.include("nan", of(&[f32::NAN])).unwrap();
        assert!(ranges.get("zero").is_some_and(|(low, high)| low < high));
        assert_eq!(ranges.get("nan"), None);
    }

    #[test]
    fn a_difference_has_zero_in_the_middle() {
        let mut ranges = Ranges::default();
        ranges.widen_change("a", [-3.0, 1.0]);
        ranges.widen_change("a", [0.0, 0.0]);
        let (low, high) = ranges.get("change/a").unwrap();
        assert!(low < -2.9 && (low + high).abs() < 1e-6);
    }
}
