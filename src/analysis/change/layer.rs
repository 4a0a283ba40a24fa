//! One layer's weights, then and now.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Two filters of a larger cosine are nearly equal: one of them is redundant.
pub(super) const NEARLY_EQUAL: f64 = 0.99;

/// Values that are compared before it is asked whether the filters are still near each other.
const PIECE: usize = 64;

/// Values that are summed up in single precision.
const SUMMED: usize = 1024;

/// Running sums side by side, in registers.
const LANES: usize = 16;

/// The weights of a layer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LayerWeights {
    /// As people call it: `conv3_1`.
    pub(crate) name: String,
    pub(crate) filters: usize,
    /// `[filters, …]`, row by row.
    pub(crate) values: Vec<f32>,
    /// `[filters]`, or none.
    pub(crate) bias: Vec<f32>,
}

impl LayerWeights {
    /// The weights of each filter.
    fn each(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values
            .chunks_exact((self.values.len() / self.filters.max(1)).max(1))
    }

    /// Weights that are NaN or infinite, biases among them.
    pub(crate) fn non_finite(&self) -> usize {
        let values = self.values.iter().chain(&self.bias);
        values.filter(|value| !value.is_finite()).count()
    }

    /// The filters whose output is never above 0, whatever comes in: all their weights are 0, and their bias is
    /// not above it.
    pub(crate) fn dead(&self) -> Vec<usize> {
        let bias = |filter: usize| self.bias.get(filter).copied().unwrap_or(0.0);
        let is_dead = |(filter, weights): &(usize, &[f32])| {
            bias(*filter) <= 0.0 && weights.iter().all(|weight| *weight == 0.0)
        };
        let dead = self.each().enumerate().filter(is_dead);
        dead.map(|(filter, _)| filter).collect()
    }
}

/// How much weights changed, without biases.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Moved {
    /// The norm of the difference over the old norm; infinite where that was 0, NaN where a weight is NaN.
    pub(crate) relative: f64,
    /// 1 where both are all 0, 0 where one is.
    pub(crate) cosine: f64,
    /// The least-squares factor from the old weights to the new ones; NaN where the old ones are all 0.
    pub(crate) factor: f64,
    pub(crate) old_norm: f64,
    pub(crate) new_norm: f64,
}

impl Moved {
    fn of(sums: Sums) -> Self {
        let Sums {
            old,
            new,
            both,
            apart,
        } = sums;
        let (old_norm, new_norm) = (old.sqrt(), new.sqrt());
        Self {
            relative: if apart == 0.0 {
                0.0
            } else {
                (apart / old).sqrt()
            },
            cosine: match old_norm * new_norm {
                _ if apart == 0.0 => 1.0,
                norms if norms > 0.0 => (both / norms).clamp(-1.0, 1.0),
                0.0 => 0.0,
                _ => f64::NAN,
            },
            factor: both / old,
            old_norm,
            new_norm,
        }
    }

    /// How far the weights moved.
    pub(crate) fn way(&self) -> f64 {
        self.relative * self.old_norm
    }

    /// Whether weights that were not all 0 are now.
    pub(crate) fn is_zeroed(&self) -> bool {
        self.old_norm > 0.0 && self.new_norm == 0.0
    }

    /// The reverse.
    pub(crate) fn came_back(&self) -> bool {
        self.old_norm == 0.0 && self.new_norm > 0.0
    }
}

/// How much a layer changed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LayerChange {
    pub(crate) name: String,
    /// Whether weights and biases are the same, bit by bit but for the sign of 0 (and NaN is equal to NaN).
    pub(crate) is_equal: bool,
    pub(crate) whole: Moved,
    pub(crate) filters: Vec<Moved>,
}

impl LayerChange {
    /// From `old` to `new`, which must have the same shape.
    pub(crate) fn between(old: &LayerWeights, new: &LayerWeights) -> Self {
        let is_equal = are_same(&old.values, &new.values) && are_same(&old.bias, &new.bias);
        let filters: Vec<(&[f32], &[f32])> = old.each().zip(new.each()).collect();
        let sums: Vec<Sums> = filters
            .par_iter()
            .map(|(old, new)| Sums::over(old, new))
            .collect();
        Self::of(new.name.clone(), is_equal, &sums)
    }

    /// Of the sums over each filter.
    pub(super) fn of(name: String, is_equal: bool, sums: &[Sums]) -> Self {
        let whole = sums.iter().fold(Sums::default(), Sums::with);
        Self {
            name,
            is_equal,
            whole: Moved::of(whole),
            filters: sums.iter().copied().map(Moved::of).collect(),
        }
    }

    /// The filter that moved most, relative to its own norm.
    pub(crate) fn most_moved(&self) -> Option<(usize, &Moved)> {
        let numbered = self.filters.iter().enumerate();
        let moved = numbered.filter(|(_, filter)| filter.relative > 0.0);
        moved.max_by(|(_, a), (_, b)| a.relative.total_cmp(&b.relative))
    }
}

/// Whether two tensors of the same shape hold the same values: 0 is -0, and NaN is NaN.
pub(crate) fn are_same(old: &[f32], new: &[f32]) -> bool {
    #[expect(clippy::float_cmp, reason = "equal is meant")]
    let same = |(a, b): (&f32, &f32)| a == b || a.is_nan() && b.is_nan();
    old.iter().zip(new).all(same)
}

/// Pairs of filters that are nearly equal but for their scale; filters of nothing but 0 are not among them.
pub(crate) fn nearly_equal(layer: &LayerWeights) -> Vec<(usize, usize)> {
    let filters: Vec<(usize, &[f32], f32)> = layer
        .each()
        .enumerate()
        .map(|(filter, values)| (filter, values, scale(values)))
        .filter(|(.., scale)| scale.is_finite())
        .collect();
    let of_filter = |n: usize| {
        let (a, of_a, scale_a) = filters[n];
        let near = move |(b, of_b, scale_b): &(usize, &[f32], f32)| {
            are_near((of_a, scale_a), (of_b, *scale_b)).then_some((a, *b))
        };
        filters[n + 1..].iter().filter_map(near).collect::<Vec<_>>()
    };
    (0..filters.len())
        .into_par_iter()
        .flat_map_iter(of_filter)
        .collect()
}

/// One over the norm.
#[expect(clippy::cast_possible_truncation, reason = "a factor")]
fn scale(values: &[f32]) -> f32 {
    Sums::over(values, values).old.sqrt().recip() as f32
}

/// Whether the directions of filters, each with one over its norm, have a large cosine. Most pairs are known not
/// to after a few values.
fn are_near((a, scale_a): (&[f32], f32), (b, scale_b): (&[f32], f32)) -> bool {
    let mut apart = 0.0;
    a.chunks(PIECE).zip(b.chunks(PIECE)).all(|(a, b)| {
        let (whole_a, rest_a) = a.as_chunks::<8>();
        let (whole_b, rest_b) = b.as_chunks::<8>();
        let mut lanes = [0.0_f32; 8];
        for (a, b) in whole_a.iter().zip(whole_b) {
            for i in 0..8 {
                let difference = a[i] * scale_a - b[i] * scale_b;
                lanes[i] += difference * difference;
            }
        }
        let rest = rest_a
            .iter()
            .zip(rest_b)
            .map(|(a, b)| a * scale_a - b * scale_b);
        apart += lanes.iter().sum::<f32>() + rest.map(|d| d * d).sum::<f32>();
        // Of vectors of length 1.
        f64::from(apart) < 2.0 - 2.0 * NEARLY_EQUAL
    })
}

/// Sums over old and new weights.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sums {
    /// Of the squares.
    pub(super) old: f64,
    pub(super) new: f64,
    /// Of the products.
    pub(super) both: f64,
    /// Of the squared differences.
    pub(super) apart: f64,
}

impl Sums {
    fn over(old: &[f32], new: &[f32]) -> Self {
        let arch = Arch::new();
        let pieces = old.chunks(SUMMED).zip(new.chunks(SUMMED));
        pieces.fold(Self::default(), |all, (old, new)| {
            all.with(&arch.dispatch(Sum { old, new }))
        })
    }

    fn with(self, other: &Self) -> Self {
        Self {
            old: self.old + other.old,
            new: self.new + other.new,
            both: self.both + other.both,
            apart: self.apart + other.apart,
        }
    }
}

/// The sums over one piece, in single precision.
struct Sum<'a> {
    old: &'a [f32],
    new: &'a [f32],
}

impl WithSimd for Sum<'_> {
    type Output = Sums;

    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "pulp compiles for AVX2 only what is inlined into its dispatcher"
    )]
    fn with_simd<S: Simd>(self, _: S) -> Sums {
        let (old, old_rest) = self.old.as_chunks::<LANES>();
        let (new, new_rest) = self.new.as_chunks::<LANES>();
        let mut lanes = [[0.0_f32; LANES]; 4];
        for (old, new) in old.iter().zip(new) {
            for i in 0..LANES {
                let (a, b) = (old[i], new[i]);
                lanes[0][i] += a * a;
                lanes[1][i] += b * b;
                lanes[2][i] += a * b;
                lanes[3][i] += (b - a) * (b - a);
            }
        }
        let [old, new, both, apart] =
            lanes.map(|lanes| lanes.iter().copied().map(f64::from).sum::<f64>());
        let rest = old_rest
            .iter()
            .zip(new_rest)
            .map(|(a, b)| (f64::from(*a), f64::from(*b)));
        rest.fold(
            Sums {
                old,
                new,
                both,
                apart,
            },
            |all, (a, b)| {
                all.with(&Sums {
                    old: a * a,
                    new: b * b,
                    both: a * b,
                    apart: (b - a) * (b - a),
                })
            },
        )
    }
}
