//! Histograms of tensors, counted where the tensors are.

use burn::tensor::{FloatDType, Tensor};
use tensorboard_events::Histogram;

use super::accelerator::is_asynchronous;
use super::read_back::copied;

/// Values that are counted together: in double precision, with all intermediate results, 150 MB. Single precision
/// counts up to 2^24.
const PORTION: usize = 1 << 22;

/// How the values of a tensor are distributed. On CUDA they are counted on the device, unless some are not finite.
pub(crate) fn histogram<const D: usize>(tensor: Tensor<D>) -> Histogram {
    let tensor = tensor.inner().flatten(0, D - 1);
    let is_apart = is_asynchronous(&tensor.device());
    let counted = is_apart.then(|| counted(tensor.clone(), PORTION));
    counted.flatten().unwrap_or_else(|| {
        let values = tensor.into_data();
        let values = values.as_slice::<f32>().unwrap_or_default();
        Histogram::of(values, Histogram::BUCKETS)
    })
}

/// In the arithmetic of [`Histogram::of`], so that the counts are equal; `None` where a value is not finite.
fn counted(values: Tensor<1>, portion: usize) -> Option<Histogram> {
    let count = values.dims()[0];
    let [min, max] = [values.clone().min(), values.clone().max()];
    let [min, max] = [min, max].map(|end| end.cast(FloatDType::F64));
    // By a tensor: CUDA divides by a number as it multiplies by its reciprocal, which may round otherwise.
    let width = (max.clone() - min.clone()) / max.full_like(Histogram::BUCKETS as f64);
    // The sum, that of the squares, and how many lie up to the end of each bucket but the last.
    let sums = values.split(portion, 0).into_iter().map(|values| {
        let values = values.cast(FloatDType::F64);
        let bucket = (values.clone() - min.clone()) / width.clone();
        let up_to = (1..Histogram::BUCKETS).map(|end| {
            let below = bucket.clone().lower_scalar(end as u64);
            below.float().sum().cast(FloatDType::F64)
        });
        let sums = [values.clone().sum(), (values.clone() * values).sum()];
        Tensor::cat(sums.into_iter().chain(up_to).collect(), 0).unsqueeze::<2>()
    });
    let sums = Tensor::cat(sums.collect(), 0).sum_dim(0).flatten(0, 1);
    let numbers = Tensor::cat(vec![min, max, sums], 0).into_data();
    copied(numbers.bytes().len());
    let [min, max, sum, sum_squares, ref ends @ ..] = *numbers.as_slice::<f64>().ok()? else {
        return None;
    };
    let num = count as f64;
    let mut before = 0.0;
    let ends = ends.iter().chain([&num]);
    let counts = ends.map(|end| end - std::mem::replace(&mut before, *end));
    let histogram = Histogram {
        min,
        max,
        num,
        sum,
        sum_squares,
        ..Histogram::default()
    };
    let is_finite = sum_squares.is_finite();
    is_finite.then(|| histogram.filled(Histogram::BUCKETS, |_| counts.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::test_devices;
    use burn::tensor::Device;

    /// All must be equal but the sums, which add up in another order.
    #[track_caller]
    fn assert_counted(values: &[f32]) {
        let expected = Histogram::of(values, Histogram::BUCKETS);
        for device in test_devices() {
            for portion in [1000, PORTION] {
                let tensor = Tensor::from_floats(values, &device);
                let Some(found) = counted(tensor.clone(), portion) else {
                    assert!(!values.iter().all(|value| value.is_finite()));
                    assert_eq!(histogram(tensor), expected, "{device:?}");
                    continue;
                };
                let near = |found: f64, expected: f64, scale: f64| {
                    (found - expected).abs() <= 1e-12 * scale.max(f64::MIN_POSITIVE)
                };
                let lengths = (expected.sum_squares * expected.num).sqrt();
                assert!(near(found.sum, expected.sum, lengths));
                let squares = (found.sum_squares, expected.sum_squares);
                assert!(near(squares.0, squares.1, squares.1));
                let (sum, sum_squares) = (expected.sum, expected.sum_squares);
                let found = Histogram {
                    sum,
                    sum_squares,
                    ..found
                };
                assert_eq!(found, expected, "{device:?}");
            }
        }
    }

    #[test]
    fn counts_are_those_of_values_in_host_memory() {
        let distribution = burn::tensor::Distribution::Normal(0.0, 1.0);
        let normal = Tensor::<1>::random([69_930], distribution, &Device::flex());
        let mut values = normal.into_data().as_slice::<f32>().unwrap().to_vec();
        assert_counted(&values);
        for value in &mut values {
            *value *= 1e30;
        }
        for (at, hole) in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY]
            .into_iter()
            .enumerate()
        {
            values[at * 1000] = hole;
            values[at + 5000] = hole;
        }
        assert_counted(&values);
    }

    /// Thirds, tenths and whole numbers as edges: which side they fall on is a matter of the last bit.
    #[test]
    fn values_on_edges_are_counted_as_in_host_memory() {
        let edges = |width: f32| (0_u8..=30).map(move |n| f32::from(n) * width - 1.0);
        for width in [1.0, 0.1, 1.0 / 3.0, 1e-3, 7e-39] {
            assert_counted(&edges(width).collect::<Vec<_>>());
        }
        assert_counted(&[f32::MIN, f32::MAX, 0.0, f32::MIN_POSITIVE]);
    }

    #[test]
    fn equal_values_and_no_finite_ones_are_counted_as_in_host_memory() {
        for value in [0.0, -2.5, 1e-45, f32::NAN, f32::INFINITY] {
            assert_counted(&[value; 3]);
        }
        assert_counted(&[f32::NAN, 4.0, f32::NEG_INFINITY]);
    }

    #[test]
    fn tensors_of_every_device_and_rank_are_counted() {
        for device in test_devices() {
            for device in [device.clone(), device.autodiff()] {
                let tensor = Tensor::<2>::from_floats([[3.0, 1.0]], &device);
                assert_eq!(histogram(tensor), Histogram::of(&[3.0, 1.0], 30));
            }
        }
    }
}
