//! One layer's weights, then and now.

/// Two filters of a larger cosine are nearly equal: one of them is redundant.
const NEARLY_EQUAL: f64 = 0.99;

/// Values that are compared before it is asked whether the filters are still near each other.
const PIECE: usize = 32;

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

    /// The Euclidean norm of the weights, without biases.
    pub(crate) fn norm(&self) -> f64 {
        dot(&self.values, &self.values).sqrt()
    }
}

/// How much weights changed. Without biases, but for `is_equal`.
#[derive(Debug, Clone, PartialEq)]
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
    /// From the same number of weights.
    fn between(old: &[f32], new: &[f32]) -> Self {
        let (of_old, of_new) = (dot(old, old), dot(new, new));
        let both = dot(old, new);
        let apart = distance(old, new);
        let (old_norm, new_norm) = (of_old.sqrt(), of_new.sqrt());
        Self {
            relative: if apart == 0.0 {
                0.0
            } else {
                (apart / of_old).sqrt()
            },
            cosine: match old_norm * new_norm {
                _ if apart == 0.0 => 1.0,
                norms if norms > 0.0 => (both / norms).clamp(-1.0, 1.0),
                norms if norms == 0.0 => 0.0,
                _ => f64::NAN,
            },
            factor: both / of_old,
            old_norm,
            new_norm,
        }
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
    /// New weights that are NaN or infinite.
    pub(crate) non_finite: usize,
}

impl LayerChange {
    /// From `old` to `new`, which must have the same shape.
    pub(crate) fn between(old: &LayerWeights, new: &LayerWeights) -> Self {
        let same = |(a, b): (&f32, &f32)| a == b || a.is_nan() && b.is_nan();
        let is_equal = old.values.iter().zip(&new.values).all(same)
            && old.bias.iter().zip(&new.bias).all(same);
        let filters = old.each().zip(new.each());
        Self {
            name: new.name.clone(),
            is_equal,
            whole: Moved::between(&old.values, &new.values),
            filters: filters.map(|(old, new)| Moved::between(old, new)).collect(),
            non_finite: new.non_finite(),
        }
    }

    /// The filter that moved most, relative to its own norm.
    pub(crate) fn most_moved(&self) -> Option<(usize, &Moved)> {
        let numbered = self.filters.iter().enumerate();
        let moved = numbered.filter(|(_, filter)| filter.relative > 0.0);
        moved.max_by(|(_, a), (_, b)| a.relative.total_cmp(&b.relative))
    }
}

/// Pairs of filters that are nearly equal but for their scale; filters of nothing but 0 are not among them.
pub(crate) fn nearly_equal(layer: &LayerWeights) -> Vec<(usize, usize)> {
    let directions: Vec<(usize, Vec<f32>)> = layer
        .each()
        .enumerate()
        .filter_map(|(filter, values)| Some((filter, direction(values)?)))
        .collect();
    let pairs = directions.iter().enumerate().flat_map(|(n, (a, of_a))| {
        let later = directions.iter().skip(n + 1);
        later.filter_map(move |(b, of_b)| are_near(of_a, of_b).then_some((*a, *b)))
    });
    pairs.collect()
}

#[expect(clippy::cast_possible_truncation, reason = "a length of 1")]
fn direction(values: &[f32]) -> Option<Vec<f32>> {
    let norm = dot(values, values).sqrt();
    let scaled = || {
        values
            .iter()
            .map(|value| (f64::from(*value) / norm) as f32)
            .collect()
    };
    (norm > 0.0 && norm.is_finite()).then(scaled)
}

/// Whether directions have a large cosine. Most pairs are known not to after a few values.
fn are_near(a: &[f32], b: &[f32]) -> bool {
    let mut apart = 0.0;
    a.chunks(PIECE).zip(b.chunks(PIECE)).all(|(a, b)| {
        apart += distance(a, b);
        // Of vectors of length 1.
        apart < 2.0 - 2.0 * NEARLY_EQUAL
    })
}

/// Sums in single precision over a piece, in double over all.
fn sum_of(a: &[f32], b: &[f32], term: impl Fn(f32, f32) -> f32) -> f64 {
    let of_piece = |(a, b): (&[f32], &[f32])| {
        let mut sums = [0.0_f32; 8];
        let (a, a_rest) = a.as_chunks::<8>();
        let (b, b_rest) = b.as_chunks::<8>();
        for (a, b) in a.iter().zip(b) {
            for i in 0..8 {
                sums[i] += term(a[i], b[i]);
            }
        }
        let rest = a_rest
            .iter()
            .zip(b_rest)
            .map(|(a, b)| f64::from(term(*a, *b)));
        sums.into_iter().map(f64::from).chain(rest).sum::<f64>()
    };
    a.chunks(512).zip(b.chunks(512)).map(of_piece).sum()
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    sum_of(a, b, |a, b| a * b)
}

/// The squared Euclidean distance.
fn distance(a: &[f32], b: &[f32]) -> f64 {
    sum_of(a, b, |a, b| (a - b) * (a - b))
}
