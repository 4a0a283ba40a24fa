//! How many of some values lie in each of equal buckets.
//!
//! Source: `tensorboard/plugins/histogram/summary_v2.py`, `histogram_pb`. The arithmetic is its
//! arithmetic, operation by operation, so that edges and counts are equal to the last bit.

use rayon::prelude::*;

/// Values that one task counts. Units: values.
const PORTION: usize = 1 << 16;

/// Values that are looked at side by side, for vector registers to take.
const LANES: usize = 16;

/// Counts of values between their smallest and their largest.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Histogram {
    /// The buckets, from left to right. Every one holds its left edge, the last its right edge
    /// too. All are of one width; of width 0 where all values are equal, and then the last holds
    /// them all. Without values all is 0.
    pub buckets: Vec<Bucket>,
    /// Values that are in no bucket, being NaN or infinite. Event files have no place for it, so
    /// that one read back has 0 here.
    pub non_finite: u64,
}

/// One bucket of a [`Histogram`].
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Bucket {
    /// Where it begins.
    pub left: f64,
    /// Where it ends.
    pub right: f64,
    /// How many values lie in it. A whole number, unless another program wrote it.
    pub count: f64,
}

impl Histogram {
    /// How many buckets TensorBoard makes, and its Histograms tab draws.
    pub const BUCKETS: usize = 30;

    /// Counts `values` in so many `buckets`; [`BUCKETS`](Self::BUCKETS) where nothing speaks for
    /// another number. Without buckets nothing is counted but what is not finite.
    ///
    /// Goes over the values twice, on all threads of rayon's pool.
    #[must_use]
    pub fn of(values: &[f32], buckets: usize) -> Self {
        let extent = values
            .par_chunks(PORTION)
            .map(Extent::of)
            .reduce(Extent::default, Extent::and);
        let mut histogram = Self {
            buckets: vec![Bucket::default(); buckets],
            non_finite: values.len() as u64 - extent.finite,
        };
        if extent.finite > 0 {
            histogram.fill(values, &extent);
        }
        histogram
    }

    fn fill(&mut self, values: &[f32], extent: &Extent) {
        let (min, max) = (f64::from(extent.min), f64::from(extent.max));
        let range = max - min;
        let Some(last) = self.buckets.len().checked_sub(1) else {
            return;
        };
        if range == 0.0 {
            self.buckets.fill(Bucket {
                left: min,
                right: min,
                count: 0.0,
            });
            self.buckets[last].count = as_float(extent.finite);
            return;
        }
        let width = range / as_float(self.buckets.len() as u64);
        let counts = counts(values, min, width, self.buckets.len());
        let edge = |index: usize| as_float(index as u64) * width + min;
        for (index, (bucket, count)) in self.buckets.iter_mut().zip(counts).enumerate() {
            *bucket = Bucket {
                left: edge(index),
                right: if index == last { max } else { edge(index + 1) },
                count: as_float(count),
            };
        }
    }
}

/// How many of the finite `values` lie in each bucket.
fn counts(values: &[f32], min: f64, width: f64, buckets: usize) -> Vec<u64> {
    values
        .par_chunks(PORTION)
        .fold(
            || vec![0; buckets],
            |mut counts, values| {
                count_into(&mut counts, values, min, width);
                counts
            },
        )
        .reduce(
            || vec![0; buckets],
            |mut sum, counts| {
                for (sum, count) in sum.iter_mut().zip(counts) {
                    *sum += count;
                }
                sum
            },
        )
}

fn count_into(counts: &mut [u64], values: &[f32], min: f64, width: f64) {
    let last = counts.len() - 1;
    for &value in values {
        // Not negative, so that cutting off the fraction is `floor`; what is not finite lands
        // somewhere and counts for nothing.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "never below 0, and clamped to the last bucket"
        )]
        let index = ((f64::from(value) - min) / width) as usize;
        counts[index.min(last)] += u64::from(value.is_finite());
    }
}

/// The finite values of a slice: their number, the smallest and the largest.
#[derive(Debug, Clone, Copy)]
struct Extent {
    finite: u64,
    min: f32,
    max: f32,
}

impl Default for Extent {
    fn default() -> Self {
        Self {
            finite: 0,
            min: f32::INFINITY,
            max: f32::NEG_INFINITY,
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
        }
    }
}

/// Exact up to 2^53.
#[expect(
    clippy::cast_precision_loss,
    reason = "no memory holds so many values that one would be lost"
)]
fn as_float(count: u64) -> f64 {
    count as f64
}
