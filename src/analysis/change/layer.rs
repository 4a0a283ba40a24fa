//! Layers' weights, then and now.

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::device::PairSums;

/// Two filters of a larger cosine are nearly equal: one of them is redundant.
pub(super) const NEARLY_EQUAL: f64 = 0.99;

/// Values that are compared before it is asked whether the filters are still near each other.
const PIECE: usize = 64;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LayerWeights {
    /// Its tag, `10_conv3_1`, or as people call it: `conv3_1`.
    pub(crate) name: String,
    pub(crate) filters: usize,
    /// `[filters, …]`, row by row.
    pub(crate) values: Vec<f32>,
    /// A value a filter, or none; behind them those of the batch normalization where a layer is followed.
    pub(crate) bias: Vec<f32>,
}

impl LayerWeights {
    fn each(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values
            .chunks_exact((self.values.len() / self.filters.max(1)).max(1))
    }

    pub(crate) fn non_finite(&self) -> usize {
        let values = self.values.iter().chain(&self.bias);
        values.filter(|value| !value.is_finite()).count()
    }

    /// The filters whose output is never above 0: all their weights are 0, and their bias is not above it.
    pub(crate) fn dead(&self) -> Vec<usize> {
        let bias = |filter: usize| self.bias.get(filter).copied().unwrap_or(0.0);
        let is_dead = |(filter, weights): &(usize, &[f32])| {
            bias(*filter) <= 0.0 && weights.iter().all(|weight| *weight == 0.0)
        };
        let dead = self.each().enumerate().filter(is_dead);
        dead.map(|(filter, _)| filter).collect()
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LayerChange {
    pub(crate) name: String,
    /// Whether weights and biases are the same, bit by bit but for the sign of 0 (and NaN is equal to NaN).
    pub(crate) is_equal: bool,
    pub(crate) whole: PairSums,
    pub(crate) filters: Vec<PairSums>,
}

impl LayerChange {
    pub(crate) fn between(old: &LayerWeights, new: &LayerWeights) -> Self {
        let is_equal = are_same(&old.values, &new.values) && are_same(&old.bias, &new.bias);
        let filters: Vec<(&[f32], &[f32])> = old.each().zip(new.each()).collect();
        let sums = filters
            .par_iter()
            .map(|(old, new)| PairSums::over(old, new));
        Self::of(new.name.clone(), is_equal, sums.collect())
    }

    pub(super) fn of(name: String, is_equal: bool, filters: Vec<PairSums>) -> Self {
        Self {
            name,
            is_equal,
            whole: filters.iter().copied().sum(),
            filters,
        }
    }

    pub(crate) fn most_changed(&self) -> Option<(usize, &PairSums)> {
        let numbered = self.filters.iter().enumerate();
        let changed = numbered.filter(|(_, filter)| filter.relative() > 0.0);
        changed.max_by(|(_, a), (_, b)| a.relative().total_cmp(&b.relative()))
    }
}

#[derive(Debug, PartialEq)]
pub(super) struct Compared<const N: usize> {
    /// From each of them, by layer; none where it is empty.
    pub(super) changes: [Vec<LayerChange>; N],
    pub(super) nearly_equal: Vec<f64>,
    pub(super) non_finite: BTreeMap<String, usize>,
}

impl<const N: usize> Compared<N> {
    pub(super) fn new(changes: [Vec<LayerChange>; N]) -> Self {
        Self {
            changes,
            nearly_equal: Vec::new(),
            non_finite: BTreeMap::new(),
        }
    }

    pub(super) fn add(&mut self, layer: &str, non_finite: usize, nearly_equal: f64) {
        self.nearly_equal.push(nearly_equal);
        if non_finite > 0 {
            self.non_finite.insert(layer.to_owned(), non_finite);
        }
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
    let filters: Vec<&[f32]> = layer.each().collect();
    let filters: Vec<(usize, &[f32], f32)> = filters
        .into_par_iter()
        .enumerate()
        .map(|(filter, values)| (filter, values, scale(values)))
        .filter(|(.., scale)| scale.is_finite())
        .collect();
    let of_filter = |n: usize| {
        let (a, of_a, scale_a) = filters[n];
        let near = move |(b, of_b, scale_b): &(usize, &[f32], f32)| {
            are_near([of_a, of_b], [scale_a, *scale_b]).then_some((a, *b))
        };
        filters[n + 1..].iter().filter_map(near).collect::<Vec<_>>()
    };
    (0..filters.len())
        .into_par_iter()
        .flat_map_iter(of_filter)
        .collect()
}

#[expect(clippy::cast_possible_truncation, reason = "a factor")]
fn scale(values: &[f32]) -> f32 {
    PairSums::over(values, values).old_norm().recip() as f32
}

/// Of filters, each with one over its norm. Most pairs are known not to be after a few values.
fn are_near([a, b]: [&[f32]; 2], [scale_a, scale_b]: [f32; 2]) -> bool {
    let mut difference = 0.0;
    a.chunks(PIECE).zip(b.chunks(PIECE)).all(|(a, b)| {
        let (whole_a, rest_a) = a.as_chunks::<8>();
        let (whole_b, rest_b) = b.as_chunks::<8>();
        let mut lanes = [0.0_f32; 8];
        for (a, b) in whole_a.iter().zip(whole_b) {
            for i in 0..8 {
                let d = a[i] * scale_a - b[i] * scale_b;
                lanes[i] += d * d;
            }
        }
        let rest = rest_a
            .iter()
            .zip(rest_b)
            .map(|(a, b)| a * scale_a - b * scale_b);
        difference += lanes.iter().sum::<f32>() + rest.map(|d| d * d).sum::<f32>();
        // Of vectors of length 1.
        f64::from(difference) < 2.0 - 2.0 * NEARLY_EQUAL
    })
}
