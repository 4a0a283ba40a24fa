//! How a layer's values are distributed.

#![expect(
    clippy::inline_always,
    reason = "pulp compiles for AVX2 only what is inlined into its dispatcher"
)]

/// Running sums side by side, in registers.
const LANES: usize = 16;

/// The distribution of a layer's values. Those that are NaN or infinite are counted, and take part in
/// nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Statistics {
    /// Finite values.
    pub count: u64,
    /// Those of them that are 0.
    pub zeros: u64,
    /// Values that are NaN.
    pub nan: u64,
    /// Values that are infinite, of either sign.
    pub infinite: u64,
    /// The smallest finite value; 0 without any.
    pub min: f32,
    /// The largest finite value; 0 without any.
    pub max: f32,
    /// The mean of the finite values; 0 without any.
    pub mean: f64,
    /// The sum of their squared differences from the mean.
    deviations: f64,
}

impl Statistics {
    /// The standard deviation of the finite values (of the population: divided by the count, as `numpy.std`).
    #[must_use]
    pub fn std(&self) -> f64 {
        (self.deviations / Self::divisor(self.count)).sqrt()
    }

    /// The fraction of the finite values that are 0, from 0 to 1.
    #[must_use]
    pub fn zero_fraction(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "fewer values than 2^52")]
        let zeros = self.zeros as f64;
        zeros / Self::divisor(self.count)
    }

    /// The distribution of both together.
    ///
    /// Source: Chan, Golub and others, "Updating formulae and a pairwise algorithm for computing sample
    /// variances" (1979).
    #[must_use]
    pub fn merged(self, other: Self) -> Self {
        let (nan, infinite) = (self.nan + other.nan, self.infinite + other.infinite);
        let finite = match (self.count, other.count) {
            (_, 0) => self,
            (0, _) => other,
            _ => {
                let count = self.count + other.count;
                #[expect(clippy::cast_precision_loss, reason = "fewer values than 2^52")]
                let [mine, theirs] = [self.count as f64, other.count as f64];
                let apart = other.mean - self.mean;
                let share = theirs / Self::divisor(count);
                Self {
                    count,
                    zeros: self.zeros + other.zeros,
                    min: self.min.min(other.min),
                    max: self.max.max(other.max),
                    mean: self.mean + apart * share,
                    deviations: self.deviations + other.deviations + apart * apart * mine * share,
                    ..self
                }
            }
        };
        Self {
            nan,
            infinite,
            ..finite
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "fewer values than 2^52")]
    fn divisor(count: u64) -> f64 {
        count.max(1) as f64
    }

    /// Adds a block of values, which should fit into the first-level cache: it is gone over twice.
    #[inline(always)]
    pub(super) fn add(&mut self, block: &[f32]) {
        if let Some(of_block) = Self::of_finite(block) {
            *self = self.merged(of_block);
        } else {
            for &value in block {
                *self = self.merged(Self::of_one(value));
            }
        }
    }

    /// `None` where a value is not finite, or single precision is not enough: its squares end at 1e38 and
    /// 1e-38.
    #[inline(always)]
    fn of_finite(block: &[f32]) -> Option<Self> {
        let first = *block.first()?;
        let (words, rest) = block.as_chunks::<LANES>();
        let (mut sum, mut zeros) = ([0.0_f32; LANES], [0.0_f32; LANES]);
        let (mut min, mut max) = ([first; LANES], [first; LANES]);
        let mut see = |lane: usize, value: f32| {
            sum[lane] += value;
            zeros[lane] += if value == 0.0 { 1.0 } else { 0.0 };
            // One instruction each, which f32::min and max with their care for NaN are not.
            min[lane] = if value < min[lane] { value } else { min[lane] };
            max[lane] = if value > max[lane] { value } else { max[lane] };
        };
        for word in words {
            for (lane, &value) in word.iter().enumerate() {
                see(lane, value);
            }
        }
        for (lane, &value) in rest.iter().enumerate() {
            see(lane, value);
        }
        let count = block.len() as u64;
        let length = Self::divisor(count);
        let total = |lanes: [f32; LANES]| lanes.iter().copied().map(f64::from).sum::<f64>();
        #[expect(clippy::cast_possible_truncation, reason = "near the mean is enough")]
        let near = (total(sum) / length) as f32;
        // The sum of the differences makes up for what rounding left `near` away from the mean.
        let (mut away, mut squares) = ([0.0_f32; LANES], [0.0_f32; LANES]);
        for word in words {
            for (lane, &value) in word.iter().enumerate() {
                let difference = value - near;
                away[lane] += difference;
                squares[lane] += difference * difference;
            }
        }
        for (lane, &value) in rest.iter().enumerate() {
            let difference = value - near;
            away[lane] += difference;
            squares[lane] += difference * difference;
        }
        let (away, squares) = (total(away), total(squares));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count"
        )]
        let zeros = total(zeros) as u64;
        let min = min.iter().copied().fold(first, f32::min);
        let max = max.iter().copied().fold(first, f32::max);
        let representable = squares.is_finite() && !(0.0 < max - min && max - min <= 1e-15);
        representable.then(|| Self {
            count,
            zeros,
            min,
            max,
            mean: f64::from(near) + away / length,
            deviations: (squares - away * away / length).max(0.0),
            ..Self::default()
        })
    }

    fn of_one(value: f32) -> Self {
        let none = Self::default();
        if value.is_nan() {
            Self { nan: 1, ..none }
        } else if value.is_infinite() {
            Self {
                infinite: 1,
                ..none
            }
        } else {
            Self {
                count: 1,
                zeros: u64::from(value == 0.0),
                min: value,
                max: value,
                mean: f64::from(value),
                ..none
            }
        }
    }
}
