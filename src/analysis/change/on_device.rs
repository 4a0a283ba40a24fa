//! The same of weights on a device: a few numbers of each filter are read instead of all weights.

use burn::tensor::{FloatDType, Tensor};

use super::layer::{Compared, LayerChange, NEARLY_EQUAL};
use crate::device::{BackendError, PairSums, all_values};

#[derive(Debug, Clone)]
pub(super) struct DeviceWeights {
    pub(super) name: String,
    /// `[filters, weights of each]`.
    rows: Tensor<2>,
    bias: Option<Tensor<1>>,
}

/// Compares layers with those of earlier snapshots, which may be empty; the device is asked once.
pub(super) fn compare<const N: usize>(
    layers: &[DeviceWeights],
    earlier: [&[DeviceWeights]; N],
) -> Result<Compared<N>, BackendError> {
    let numbers = layers.iter().enumerate().map(|(at, layer)| {
        let changes = earlier.iter().filter_map(|old| old.get(at));
        let changes = changes.map(|old| layer.change_from(old));
        Tensor::cat([layer.condition()].into_iter().chain(changes).collect(), 0)
    });
    let mut compared = Compared::new(earlier.map(|_| Vec::new()));
    for (layer, numbers) in layers.iter().zip(all_values(numbers.collect())?) {
        let (condition, changes) = numbers.split_at(2);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count"
        )]
        compared.add(&layer.name, condition[0] as usize, condition[1]);
        let mut changes = changes.chunks_exact(1 + 4 * layer.rows.dims()[0]);
        let has_old = compared.changes.iter_mut().zip(earlier);
        for (of_old, _) in has_old.filter(|(_, old)| !old.is_empty()) {
            of_old.extend(changes.next().map(|change| layer.change(change)));
        }
    }
    Ok(compared)
}

impl DeviceWeights {
    /// Of `weights` `[filters, …]`, which are shared, not copied.
    pub(super) fn new(name: String, weights: Tensor<4>, bias: Option<Tensor<1>>) -> Self {
        let rows = weights.flatten(1, 3);
        Self { name, rows, bias }
    }

    fn values(&self) -> Tensor<1> {
        let weights = self.rows.clone().flatten(0, 1);
        let all = [weights].into_iter().chain(self.bias.clone());
        Tensor::cat(all.collect(), 0)
    }

    /// How many values are NaN or infinite, and how many pairs of filters are nearly equal, in double precision: `[2]`.
    fn condition(&self) -> Tensor<1> {
        let non_finite = self.values().is_finite().bool_not().float().sum();
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

    /// From `old`, of the same shape, for [`change`](Self::change), in double precision: `[1 + 4 * filters]`.
    fn change_from(&self, old: &Self) -> Tensor<1> {
        let (now, then) = (self.values(), old.values());
        let are_nan = now.clone().is_nan().bool_and(then.clone().is_nan());
        let differ = now.not_equal(then).bool_and(are_nan.bool_not());
        let differing = differ.float().sum().cast(FloatDType::F64);
        let sums = PairSums::over_rows(old.rows.clone(), self.rows.clone());
        Tensor::cat(vec![differing, sums.flatten(0, 1)], 0)
    }

    fn change(&self, numbers: &[f64]) -> LayerChange {
        let (differing, sums) = numbers.split_at(1);
        let filters = PairSums::read(sums).collect();
        LayerChange::of(self.name.clone(), differing == [0.0], filters)
    }
}

fn square(values: Tensor<2>) -> Tensor<2> {
    values.clone() * values
}
