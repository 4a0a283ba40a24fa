//! Histograms of tensors, counted where the tensors are.

use burn::tensor::{Bool, FloatDType, Tensor, TensorData};
use tensorboard_events::Histogram;

use super::accelerator::is_asynchronous;
use super::read_back::{copied, waited};

/// What is counted of a tensor.
const NUMBERS: usize = 5 + Histogram::BUCKETS;

/// Values that are counted together: in double precision, with all intermediate results, 150 MB. Single precision
/// counts up to 2^24.
const PORTION: usize = 1 << 22;

/// Histograms of one tensor after the other, all of them on one device.
///
/// On CUDA they are counted on the device, and what was counted is copied at the end, of all tensors at once.
#[derive(Default)]
pub(crate) struct Histograms {
    counted: Vec<Histogram>,
    /// What the device counted, `[NUMBERS]` each, and of how many values.
    on_device: Vec<(Tensor<1>, usize)>,
}

impl Histograms {
    /// Counts the values of `tensor`.
    pub(crate) fn add<const D: usize>(&mut self, tensor: Tensor<D>) {
        let tensor = tensor.inner();
        let count = tensor.shape().num_elements();
        if is_asynchronous(&tensor.device()) {
            let numbers = count_on_device(tensor.reshape([count]), PORTION);
            self.on_device.push((numbers, count));
            return;
        }
        let values = tensor.into_data();
        let values = values.as_slice::<f32>().unwrap_or_default();
        self.counted.push(Histogram::of(values, Histogram::BUCKETS));
    }

    /// The histograms, in the order in which their tensors were added.
    pub(crate) fn read(self) -> Vec<Histogram> {
        if self.on_device.is_empty() {
            return self.counted;
        }
        let (numbers, counts): (Vec<_>, Vec<_>) = self.on_device.into_iter().unzip();
        let numbers = Tensor::cat(numbers, 0).into_data();
        copied(numbers.num_elements() * size_of::<f64>());
        waited();
        histograms(&numbers, &counts)
    }
}

fn histograms(numbers: &TensorData, counts: &[usize]) -> Vec<Histogram> {
    let numbers = numbers.as_slice::<f64>().unwrap_or_default();
    let each = numbers.as_chunks().0.iter().zip(counts);
    each.map(|(numbers, count)| histogram(numbers, *count))
        .collect()
}

fn histogram(numbers: &[f64; NUMBERS], values: usize) -> Histogram {
    let &[min, max, sum, sum_squares, num, ref ends @ ..] = numbers;
    let mut before = 0.0;
    let counts = ends
        .iter()
        .map(|end| end - std::mem::replace(&mut before, *end))
        .collect();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count of values"
    )]
    let finite = num as u64;
    let (min, max) = if finite > 0 { (min, max) } else { (0.0, 0.0) };
    Histogram {
        min,
        max,
        num,
        sum,
        sum_squares,
        non_finite: values as u64 - finite,
        ..Histogram::default()
    }
    .filled(Histogram::BUCKETS, |_| counts)
}

/// The smallest value, the largest, the sum, the sum of squares and the number of all that are finite, then how many
/// of them lie up to the end of each bucket: `[NUMBERS]`, in the arithmetic of [`Histogram::of`], so that the counts
/// are equal.
fn count_on_device(values: Tensor<1>, portion: usize) -> Tensor<1> {
    let hidden = values.clone().is_finite().bool_not();
    let min = values.clone().mask_fill(hidden.clone(), f32::INFINITY);
    let max = values.clone().mask_fill(hidden, f32::NEG_INFINITY);
    let [min, max] = [min.min(), max.max()].map(|end| end.cast(FloatDType::F64));
    // By a tensor: CUDA divides by a number as it multiplies by its reciprocal, which may round otherwise.
    #[expect(clippy::cast_precision_loss, reason = "it is small")]
    let width = (max.clone() - min.clone()) / max.full_like(Histogram::BUCKETS as f64);
    let numbers = values.split(portion, 0).into_iter().map(|values| {
        let count = |hits: Tensor<1, Bool>| hits.float().sum().cast(FloatDType::F64);
        let hidden = values.clone().is_finite().bool_not();
        let finite = count(hidden.clone().bool_not());
        let values = values.cast(FloatDType::F64);
        let bucket = (values.clone() - min.clone()) / width.clone();
        // What is not finite lies behind all inner ends.
        let bucket = bucket.mask_fill(hidden.clone(), f64::INFINITY);
        let values = values.mask_fill(hidden, 0.0);
        let sums = [values.clone().sum(), (values.clone() * values).sum()];
        let up_to = (1..Histogram::BUCKETS).map(|end| bucket.clone().lower_scalar(end as u64));
        let sums = sums.into_iter().chain([finite.clone()]);
        let all = sums.chain(up_to.map(count)).chain([finite]);
        Tensor::cat(all.collect(), 0).unsqueeze::<2>()
    });
    let numbers = Tensor::cat(numbers.collect(), 0).sum_dim(0);
    Tensor::cat(vec![min, max, numbers.flatten(0, 1)], 0)
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
                let numbers = count_on_device(tensor, portion).into_data();
                let found = histograms(&numbers, &[values.len()]).remove(0);
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
    fn several_tensors_are_read_in_their_order() {
        for device in test_devices() {
            let mut histograms = Histograms::default();
            let values = [[3.0, 1.0], [5.0, 1.0]];
            for of_tensor in values {
                histograms.add(Tensor::<2>::from_floats([of_tensor], &device));
            }
            let expected = values.map(|values| Histogram::of(&values, 30));
            assert_eq!(histograms.read(), expected);
        }
    }
}
