//! How a layer's values are distributed.

/// Sums next to each other, in registers.
const LANES: usize = 16;

/// Additions to a sum before it is added to another one. Many equal values, such as the zeros after ReLU, round it to
/// the same side every time.
const FEW: usize = 16;

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
    /// The sum of the squared differences of the finite values from their mean.
    pub deviations: f64,
    /// The range, where it was fixed.
    pub fixed: Option<(f32, f32)>,
    /// Finite values outside of it.
    pub outside: u64,
}

impl Statistics {
    /// The fraction of the finite values that a fixed range clips, from 0 to 1; `None` without one.
    pub fn clipped_fraction(&self) -> Option<f64> {
        self.fixed.map(|_| self.fraction(self.outside))
    }

    /// The standard deviation of the finite values (of the population: divided by the count, as `numpy.std`).
    pub fn std(&self) -> f64 {
        (self.deviations / Self::divisor(self.count)).sqrt()
    }

    /// The fraction of the finite values that are 0, from 0 to 1.
    pub fn zero_fraction(&self) -> f64 {
        self.fraction(self.zeros)
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
                let [mine, theirs] = [self.count, other.count].map(Self::divisor);
                let apart = other.mean - self.mean;
                let fraction = theirs / Self::divisor(count);
                Self {
                    count,
                    zeros: self.zeros + other.zeros,
                    outside: self.outside + other.outside,
                    min: self.min.min(other.min),
                    max: self.max.max(other.max),
                    mean: self.mean + apart * fraction,
                    deviations: self.deviations
                        + other.deviations
                        + apart * apart * mine * fraction,
                    ..self
                }
            }
        };
        Self {
            nan,
            infinite,
            fixed: self.fixed.or(other.fixed),
            ..finite
        }
    }

    fn fraction(&self, of: u64) -> f64 {
        if of == 0 {
            0.0
        } else {
            Self::divisor(of) / Self::divisor(self.count)
        }
    }

    fn divisor(count: u64) -> f64 {
        count.max(1) as f64
    }

    /// Adds a block of values; returns its own statistics where [`of_finite`](Self::of_finite) has them.
    #[inline(always)]
    pub(super) fn add(&mut self, block: &[f32]) -> Option<Self> {
        let of_block = self.of_finite(block);
        if let Some(of_block) = of_block {
            *self = self.merged(of_block);
        } else {
            for &value in block {
                *self = self.merged(Self::of_one(value));
            }
        }
        if let Some((low, high)) = self.fixed {
            let outside = |value: &f32| (*value < low || *value > high) && value.is_finite();
            let outside = block.iter().map(|value| u32::from(outside(value)));
            self.outside += u64::from(outside.sum::<u32>());
        }
        of_block
    }

    /// The statistics of a block; `None` where a value is not finite, or single precision is not enough: its
    /// squares end at 1e38 and 1e-38.
    #[inline(always)]
    fn of_finite(&self, block: &[f32]) -> Option<Self> {
        let (words, rest) = block.as_chunks::<LANES>();
        // What is near the mean keeps the sums small, and so exact.
        let near = match self.count {
            0 => *block.first()?,
            #[expect(clippy::cast_possible_truncation, reason = "near is enough")]
            _ => self.mean as f32,
        };
        let mut sums = Sums::<LANES>::new();
        let (mut away, mut squares) = ([0.0_f64; LANES], [0.0_f64; LANES]);
        for few in words.chunks(FEW) {
            for word in few {
                sums.add(word, near);
            }
            for i in 0..LANES {
                away[i] += f64::from(std::mem::take(&mut sums.away[i]));
                squares[i] += f64::from(std::mem::take(&mut sums.squares[i]));
            }
        }
        let mut last = Sums::<1>::new();
        for &value in rest {
            last.add(&[value], near);
        }
        let total =
            |lanes: [f64; LANES], last: [f32; 1]| lanes.iter().sum::<f64>() + f64::from(last[0]);
        let [away, squares] = [total(away, last.away), total(squares, last.squares)];
        let min = sums.min.iter().copied().fold(last.min[0], f32::min);
        let max = sums.max.iter().copied().fold(last.max[0], f32::max);
        let representable = squares.is_finite() && !(0.0 < max - min && max - min <= 1e-15);
        let count = block.len() as u64;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count"
        )]
        let zeros = total(sums.zeros.map(f64::from), last.zeros) as u64;
        representable.then(|| Self {
            count,
            zeros,
            min,
            max,
            mean: f64::from(near) + away / Self::divisor(count),
            deviations: (squares - away * away / Self::divisor(count)).max(0.0),
            ..Self::default()
        })
    }

    fn of_one(value: f32) -> Self {
        let mut one = Self::default();
        if value.is_nan() {
            one.nan = 1;
        } else if value.is_infinite() {
            one.infinite = 1;
        } else {
            (one.count, one.zeros) = (1, u64::from(value == 0.0));
            (one.min, one.max, one.mean) = (value, value, f64::from(value));
        }
        one
    }
}

/// Running sums of `N` values side by side, in registers.
struct Sums<const N: usize> {
    /// Of the differences from a value near the mean.
    away: [f32; N],
    squares: [f32; N],
    zeros: [f32; N],
    min: [f32; N],
    max: [f32; N],
}

impl<const N: usize> Sums<N> {
    #[inline(always)]
    fn new() -> Self {
        Self {
            away: [0.0; N],
            squares: [0.0; N],
            zeros: [0.0; N],
            min: [f32::INFINITY; N],
            max: [f32::NEG_INFINITY; N],
        }
    }

    #[inline(always)]
    fn add(&mut self, values: &[f32; N], near: f32) {
        for (i, &value) in values.iter().enumerate() {
            let difference = value - near;
            self.away[i] += difference;
            self.squares[i] += difference * difference;
            self.zeros[i] += if value == 0.0 { 1.0 } else { 0.0 };
            // One instruction each, which f32::min and max with their care for NaN are not.
            let (min, max) = (self.min[i], self.max[i]);
            self.min[i] = if value < min { value } else { min };
            self.max[i] = if value > max { value } else { max };
        }
    }
}
