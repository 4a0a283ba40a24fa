//! The ends of every map's range, ready to compute levels with.

use super::extremes::Extremes;
use super::range::{Range, symmetric};

/// A range narrower than this is stretched no further, as in torchvision's `make_grid`. A map of
/// one value everywhere is therefore black.
pub const NARROWEST: f64 = 1e-5;

/// For every map the ends of its range, ready to compute levels with.
///
/// Everything is halved, values too before they are compared: the width of a range can be twice
/// the largest `f32`. Halving changes no level: it lowers exponents by one, and the last bit that
/// it takes from values below 1e-37 is negligible next to the narrowest range.
#[derive(Debug)]
pub(super) struct Scales {
    pub(super) low: Vec<f32>,
    pub(super) high: Vec<f32>,
    pub(super) span: Vec<f32>,
    /// From the lowest to the highest end of all maps.
    pub(super) over_all: (f32, f32),
}

impl Scales {
    /// Applies `range`; one that `is_symmetric` has 0 in the middle, unless it is fixed.
    pub(super) fn new(range: Range, is_symmetric: bool, extremes: &Extremes) -> Self {
        let widen = |(low, high): (f32, f32)| {
            if is_symmetric {
                symmetric(low, high)
            } else {
                (low, high)
            }
        };
        let maps = extremes.low.len();
        let (ends, over_all): (Vec<_>, _) = match range {
            Range::Map => {
                let own = |(&low, &high)| if low <= high { (low, high) } else { (0.0, 0.0) };
                let pairs = extremes.low.iter().zip(&extremes.high);
                let ends = pairs.map(own).map(widen).collect();
                (ends, widen(extremes.over_all()))
            }
            Range::Layer => {
                let layer = widen(extremes.over_all());
                (vec![layer; maps], layer)
            }
            Range::Fixed(low, high) => (vec![(low, high); maps], (low, high)),
        };
        Self {
            low: ends.iter().map(|&(low, _)| low * 0.5).collect(),
            high: ends.iter().map(|&(_, high)| high * 0.5).collect(),
            span: ends.iter().map(|&ends| half_span(ends)).collect(),
            over_all,
        }
    }
}

/// Half the width of a range, computed in doubles and rounded once, as Python does it for
/// `make_grid`.
#[expect(
    clippy::cast_possible_truncation,
    reason = "half the distance of two f32 is within f32"
)]
fn half_span((low, high): (f32, f32)) -> f32 {
    ((f64::from(high) - f64::from(low)).max(NARROWEST) * 0.5) as f32
}
