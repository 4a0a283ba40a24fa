//! The counts of a histogram, by libtorch on the tensor's device.
//!
//! Operations that wait for the device (`bincount`, `histc`) or copy a number to it are avoided.

use burn::backend::{BackendTensor, DispatchTensorKind};
use burn::tensor::Tensor;

use super::apart::is_apart;
use super::traffic;
use tensorboard_events::Histogram;

#[expect(clippy::cast_possible_wrap, reason = "it is small")]
const BUCKETS: i64 = Histogram::BUCKETS as i64;

/// What is counted of a tensor.
const NUMBERS: usize = 5 + Histogram::BUCKETS;

/// Values that are looked at together: in double precision, with all intermediate results, 150 MB.
const PORTION: i64 = 1 << 22;

/// What was counted of a tensor, on its device.
pub(super) struct BucketCounts {
    /// The smallest value, the largest, the sum, the sum of squares and the number of all that are finite, then how
    /// many of them lie up to the end of each bucket: `[NUMBERS]`, in double precision.
    numbers: tch::Tensor,
    /// Values of the tensor, finite or not.
    values: usize,
}

impl BucketCounts {
    /// Counts the values of a tensor on CUDA; `None` on other devices, whose memory is at hand or that have no
    /// double precision.
    pub(super) fn on_cuda<const D: usize>(tensor: Tensor<D>) -> Option<Self> {
        let DispatchTensorKind::LibTorch(BackendTensor::Float(tensor)) =
            tensor.inner().into_dispatch().kind
        else {
            return None;
        };
        let tensor = tensor.tensor;
        is_apart(tensor.device()).then(|| Self::of(&tensor, PORTION))
    }

    /// Counts in the arithmetic of [`Histogram::of`], so that the counts are equal, `portion` values at a time.
    fn of(tensor: &tch::Tensor, portion: i64) -> Self {
        let values = tensor.numel();
        let rows = tensor.size().first().copied().unwrap_or(1);
        let all = i64::try_from(values).unwrap_or(i64::MAX);
        let portions = tensor.split((portion * rows / all.max(1)).max(1), 0);
        let extents: Vec<_> = portions.iter().map(extent).collect();
        let extents = tch::Tensor::stack(&extents, 1);
        let min = extents.get(0).amin(0, false);
        let max = extents.get(1).amax(0, false);
        let sums = extents.narrow(0, 2, 3);
        let sums = sums.sum_dim_intlist(1, false, tch::Kind::Double);
        // By a tensor: CUDA divides by a number as it multiplies by its reciprocal, which may round otherwise.
        let width = (&max - &min) / max.full_like(BUCKETS);
        let ends: Vec<_> = portions
            .iter()
            .map(|portion| ends(portion, &min, &width))
            .collect();
        let ends = tch::Tensor::stack(&ends, 0).sum_dim_intlist(0, false, tch::Kind::Double);
        let parts = [min.reshape(1), max.reshape(1), sums, ends];
        Self {
            numbers: tch::Tensor::cat(&parts, 0),
            values,
        }
    }

    /// The histograms of all, which are copied from the device at once.
    pub(super) fn read(counts: &[Self]) -> Vec<Histogram> {
        let parts: Vec<_> = counts.iter().map(|counts| &counts.numbers).collect();
        let all = tch::Tensor::cat(&parts, 0);
        let mut numbers = vec![0.0; all.numel()];
        all.copy_data(&mut numbers, all.numel());
        traffic::copied(all.numel() * size_of::<f64>());
        traffic::waited();
        let each = numbers.as_chunks().0.iter().zip(counts);
        each.map(|(numbers, counts)| histogram(numbers, counts.values))
            .collect()
    }
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

/// All values in double precision, and which are NaN or infinite.
fn doubles(portion: &tch::Tensor) -> (tch::Tensor, tch::Tensor) {
    let values = portion.to_kind(tch::Kind::Double).reshape(-1);
    let hidden = values.isfinite().logical_not();
    (values, hidden)
}

/// The first five numbers.
fn extent(portion: &tch::Tensor) -> tch::Tensor {
    let (values, hidden) = doubles(portion);
    let finite = values.masked_fill(&hidden, 0.0);
    tch::Tensor::stack(
        &[
            values.masked_fill(&hidden, f64::INFINITY).amin(0, false),
            values
                .masked_fill(&hidden, f64::NEG_INFINITY)
                .amax(0, false),
            finite.sum(tch::Kind::Double),
            finite.square().sum(tch::Kind::Double),
            hidden.logical_not().sum(tch::Kind::Double),
        ],
        0,
    )
}

/// How many finite values lie up to the end of each bucket, `[BUCKETS]`.
fn ends(portion: &tch::Tensor, min: &tch::Tensor, width: &tch::Tensor) -> tch::Tensor {
    let (values, hidden) = doubles(portion);
    let mut bucket = (values - min) / width;
    let _ = bucket.clamp_max_(BUCKETS - 1);
    let _ = bucket.masked_fill_(&hidden, BUCKETS);
    // Sorted, since thousands of threads would wait for each other at 30 counters.
    let (sorted, _) = bucket.to_kind(tch::Kind::Uint8).sort(0, false);
    let buckets = tch::Tensor::arange(BUCKETS, (tch::Kind::Uint8, sorted.device()));
    buckets.searchsorted(&sorted, false, true, "right", None::<tch::Tensor>)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All must be equal but the sums, which add up in another order.
    #[track_caller]
    fn assert_counted(tensor: &tch::Tensor, values: &[f32]) {
        let expected = Histogram::of(values, Histogram::BUCKETS);
        for portion in [1000, PORTION] {
            let found = BucketCounts::read(&[BucketCounts::of(tensor, portion)]).remove(0);
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
            assert_eq!(found, expected);
        }
    }

    #[track_caller]
    fn assert_row_counted(values: &[f32]) {
        assert_counted(&tch::Tensor::from_slice(values), values);
    }

    #[test]
    fn counts_are_those_of_values_in_host_memory() {
        let normal = tch::Tensor::randn([70, 999], tch::kind::FLOAT_CPU);
        let values = |tensor: &tch::Tensor| Vec::<f32>::try_from(&tensor.reshape(-1)).unwrap();
        assert_counted(&normal, &values(&normal));
        let transposed = normal.tr();
        assert_counted(&transposed, &values(&transposed));
        let mut holed = values(&(&normal * 1e30));
        for (at, hole) in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY]
            .into_iter()
            .enumerate()
        {
            holed[at * 1000] = hole;
            holed[at + 5000] = hole;
        }
        assert_row_counted(&holed);
    }

    /// Thirds, tenths and whole numbers as edges: which side they fall on is a matter of the last bit.
    #[test]
    fn values_on_edges_are_counted_as_in_host_memory() {
        let edges = |width: f32| (0_u8..=30).map(move |n| f32::from(n) * width - 1.0);
        for width in [1.0, 0.1, 1.0 / 3.0, 1e-3, 7e-39] {
            assert_row_counted(&edges(width).collect::<Vec<_>>());
        }
        assert_row_counted(&[f32::MIN, f32::MAX, 0.0, f32::MIN_POSITIVE]);
    }

    #[test]
    fn equal_values_and_no_finite_ones_are_counted_as_in_host_memory() {
        for value in [0.0, -2.5, 1e-45, f32::NAN, f32::INFINITY] {
            assert_row_counted(&[value; 3]);
        }
        assert_row_counted(&[f32::NAN, 4.0, f32::NEG_INFINITY]);
    }

    #[test]
    fn several_tensors_are_read_in_their_order() {
        let counts = [3.0_f32, 5.0].map(|value| {
            let tensor = tch::Tensor::from_slice(&[value, 1.0]);
            BucketCounts::of(&tensor, PORTION)
        });
        let found = BucketCounts::read(&counts);
        assert_eq!(
            found,
            [[3.0, 1.0], [5.0, 1.0]].map(|v| Histogram::of(&v, 30))
        );
    }

    #[cfg(not(feature = "apart"))]
    #[test]
    fn nothing_is_counted_on_the_device_where_memory_is_at_hand() {
        let tensor = |device: &burn::tensor::Device| Tensor::<1>::zeros([2], device);
        let devices = [
            burn::tensor::Device::flex(),
            burn::tensor::Device::libtorch(),
        ];
        assert!(
            devices
                .iter()
                .all(|device| BucketCounts::on_cuda(tensor(device)).is_none())
        );
    }
}
