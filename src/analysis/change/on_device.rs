//! The same of weights on a device: a few numbers of each filter are read instead of all weights.

use burn::tensor::{FloatDType, Tensor};

use super::layer::{LayerChange, NEARLY_EQUAL};
use crate::device::{BackendError, PairSums};

/// The weights of a layer, on a device without gradients.
#[derive(Debug, Clone)]
pub(crate) struct DeviceWeights {
    /// As people call it: `conv3_1`.
    pub(super) name: String,
    /// `[filters, weights of each]`.
    rows: Tensor<2>,
    /// `[filters]`.
    bias: Option<Tensor<1>>,
}

impl DeviceWeights {
    /// Of `weights` `[filters, …]`, which are shared, not copied.
    pub(crate) fn new(name: String, weights: Tensor<4>, bias: Option<Tensor<1>>) -> Self {
        Self {
            name,
            rows: weights.flatten(1, 3),
            bias,
        }
    }

    fn values(&self) -> Tensor<1> {
        self.rows.clone().flatten(0, 1)
    }

    /// How many weights and biases are NaN or infinite, and how many pairs of filters are nearly equal, in double
    /// precision: `[2]`.
    pub(crate) fn condition(&self) -> Tensor<1> {
        let non_finite = |row: Tensor<1>| row.is_finite().bool_not().float().sum();
        let biases = self.bias.clone().map(non_finite);
        let non_finite = non_finite(self.values());
        let non_finite = match biases {
            Some(biases) => non_finite + biases,
            None => non_finite,
        };
        let condition = vec![non_finite, self.nearly_equal()];
        Tensor::cat(condition, 0).cast(FloatDType::F64)
    }

    /// As [`nearly_equal`](super::layer::nearly_equal) finds them: `[1]`.
    fn nearly_equal(&self) -> Tensor<1> {
        let scale = square(self.rows.clone()).sum_dim(1).sqrt().recip();
        let scaleless = scale.clone().is_finite().bool_not();
        let rows = self.rows.clone() * scale.mask_fill(scaleless, 0.0);
        let near = |cosines: Tensor<2>| cosines.greater_elem(NEARLY_EQUAL).float().sum();
        let itself = near(square(rows.clone()).sum_dim(1));
        (near(rows.clone().matmul(rows.transpose())) - itself) / 2.0
    }

    /// How they changed from `old`, which must have the same shape, for [`change`](Self::change), in double precision:
    /// `[1 + 4 * filters]`.
    pub(crate) fn sums(&self, old: &Self) -> Result<Tensor<1>, BackendError> {
        let mut count = differing(self.values(), old.values());
        if let (Some(now), Some(then)) = (&self.bias, &old.bias) {
            count = count + differing(now.clone(), then.clone());
        }
        let sums = PairSums::over_rows(old.rows.clone(), self.rows.clone())?;
        let count = count.cast(FloatDType::F64);
        Ok(Tensor::cat(vec![count, sums.flatten(0, 1)], 0))
    }

    /// The change that `sums` say.
    pub(crate) fn change(&self, sums: &[f64]) -> LayerChange {
        let (differing, by_filter) = sums.split_at(1);
        let filters = PairSums::read(by_filter).collect();
        LayerChange::of(self.name.clone(), differing == [0.0], filters)
    }
}

/// How many values are not the same, as [`are_same`](super::layer::are_same) means it: `[1]`.
fn differing(now: Tensor<1>, then: Tensor<1>) -> Tensor<1> {
    let are_nan = now.clone().is_nan().bool_and(then.clone().is_nan());
    let differ = now.not_equal(then).bool_and(are_nan.bool_not());
    differ.float().sum()
}

fn square(values: Tensor<2>) -> Tensor<2> {
    values.clone() * values
}
