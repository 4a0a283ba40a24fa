//! How many of some values lie in each of equal buckets.
//!
//! Source: `tensorboard/plugins/histogram/summary_v2.py`, `histogram_pb`. The arithmetic is its arithmetic, operation
//! by operation, so that edges and counts are equal to the last bit. The empty bucket that PyTorch's `make_histogram`
//! puts before all others is left out: TensorBoard's fast loader would show it.

use rayon::prelude::*;

/// Values that one task counts. Units: values.
const PORTION: usize = 1 << 16;

/// Values that are looked at side by side, for vector registers to take.
const LANES: usize = 16;

/// Counts of values between their smallest and their largest. Without values all is 0.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Histogram {
    /// The smallest finite value.
    pub min: f64,
    /// The largest finite value.
    pub max: f64,
    /// How many finite values there are.
    pub num: f64,
    /// Their sum; 0 when read from a file of a form that does not hold it.
    pub sum: f64,
    /// The sum of their squares; 0 likewise.
    pub sum_squares: f64,
    /// Where each bucket ends; the first one begins at `min`. Every one holds its left edge, the last its right edge
    /// too. All are of one width; of width 0 where all values are equal, and then the last holds them all.
    pub bucket_limits: Vec<f64>,
    /// How many values lie in each bucket.
    pub bucket_counts: Vec<f64>,
    /// Values that are in no bucket, being NaN or infinite. Event files have no place for it, so that one read back
    /// has 0 here.
    pub non_finite: u64,
}

impl Histogram {
    /// How many buckets TensorBoard makes, and its Histograms tab draws.
    pub const BUCKETS: usize = 30;

    /// Counts `values` in so many `buckets`; [`BUCKETS`](Self::BUCKETS) where nothing speaks for another number.
    /// Without buckets there are no edges and counts.
    ///
    /// Goes over the values twice, on all threads of rayon's pool.
    pub fn of(values: &[f32], buckets: usize) -> Self {
        // Added up in the order of the values, so that the same ones have the same sums.
        let extents: Vec<_> = values.par_chunks(PORTION).map(Extent::of).collect();
        let extent = extents.into_iter().fold(Extent::default(), Extent::and);
        let non_finite = values.len() as u64 - extent.finite;
        let (min, max) = match extent.finite {
            0 => (0.0, 0.0),
            _ => (f64::from(extent.min), f64::from(extent.max)),
        };
        Self {
            min,
            max,
            num: extent.finite as f64,
            sum: extent.sum,
            sum_squares: extent.sum_squares,
            non_finite,
            ..Self::default()
        }
        .filled(buckets, |width| {
            let counts = counts(values, min, width, buckets);
            counts.into_iter().map(|count| count as f64).collect()
        })
    }

    /// Adds so many `buckets`. `counts` says how many values lie in each, given their width; it is not asked where
    /// all values are equal.
    #[must_use]
    pub fn filled(mut self, buckets: usize, counts: impl FnOnce(f64) -> Vec<f64>) -> Self {
        let (min, max) = (self.min, self.max);
        let Some(last) = buckets.checked_sub(1) else {
            return self;
        };
        if max > min {
            let width = (max - min) / buckets as f64;
            let inner = (1..buckets).map(|index| index as f64 * width + min);
            self.bucket_limits = inner.chain([max]).collect();
            self.bucket_counts = counts(width);
        } else {
            self.bucket_limits = vec![min; buckets];
            self.bucket_counts = vec![0.0; buckets];
            self.bucket_counts[last] = self.num;
        }
        self
    }
}

fn counts(values: &[f32], min: f64, width: f64, buckets: usize) -> Vec<u64> {
    let empty = || vec![0; buckets];
    let count = |mut counts: Vec<u64>, values: &[f32]| {
        for &value in values {
            // Not negative, so that cutting off the fraction is `floor`; what is not finite lands somewhere and
            // counts for nothing.
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "never below 0, and clamped to the last bucket"
            )]
            let index = ((f64::from(value) - min) / width) as usize;
            counts[index.min(buckets - 1)] += u64::from(value.is_finite());
        }
        counts
    };
    let portions = values.par_chunks(PORTION).fold(empty, count);
    portions.reduce(empty, |mut sum, counts| {
        for (sum, count) in sum.iter_mut().zip(counts) {
            *sum += count;
        }
        sum
    })
}

#[derive(Debug, Clone, Copy)]
struct Extent {
    finite: u64,
    min: f32,
    max: f32,
    sum: f64,
    sum_squares: f64,
}

impl Default for Extent {
    fn default() -> Self {
        Self {
            finite: 0,
            min: f32::INFINITY,
            max: f32::NEG_INFINITY,
            sum: 0.0,
            sum_squares: 0.0,
        }
    }
}

impl Extent {
    fn of(values: &[f32]) -> Self {
        let mut lanes = [Self::default(); LANES];
        let (groups, rest) = values.as_chunks::<LANES>();
        for group in groups {
            for (lane, &value) in lanes.iter_mut().zip(group) {
                lane.take(value);
            }
        }
        for (lane, &value) in lanes.iter_mut().zip(rest) {
            lane.take(value);
        }
        lanes.into_iter().fold(Self::default(), Self::and)
    }

    fn take(&mut self, value: f32) {
        let finite = value.is_finite();
        self.finite += u64::from(finite);
        let counted = if finite { f64::from(value) } else { 0.0 };
        self.sum += counted;
        self.sum_squares += counted * counted;
        self.min = if finite && value < self.min {
            value
        } else {
            self.min
        };
        self.max = if finite && value > self.max {
            value
        } else {
            self.max
        };
    }

    fn and(self, other: Self) -> Self {
        Self {
            finite: self.finite + other.finite,
            min: self.min.min(other.min),
            max: self.max.max(other.max),
            sum: self.sum + other.sum,
            sum_squares: self.sum_squares + other.sum_squares,
        }
    }
}
