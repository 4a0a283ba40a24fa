//! Which values become black and white.

use super::drawing::Drawing;
use super::extremes::Extremes;

/// A range narrower than this is stretched no further, as in torchvision's `make_grid`. A map of
/// one value everywhere is therefore black.
pub const NARROWEST: f64 = 1e-5;

/// The end of the narrowest range around 0.
pub const NARROWEST_END: f32 = 5e-6;

/// What the darkest and the brightest level of a picture stand for.
///
/// NaN and infinite values never take part in a range.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Range {
    /// Each map (or kernel) from its own minimum to its own maximum.
    #[default]
    Map,
    /// All maps of the layer from the smallest value in it to the largest.
    Layer,
    /// From the first to the second value; what lies outside is shown as the nearer of them.
    Fixed(f32, f32),
}

impl Range {
    /// A fixed range that holds both ends, and has 0 in the middle.
    #[must_use]
    pub fn around_zero(low: f32, high: f32) -> Self {
        let (low, high) = symmetric(low, high);
        Self::Fixed(low, high)
    }
}

/// The ends of the range around 0 that holds both.
pub(super) fn symmetric(low: f32, high: f32) -> (f32, f32) {
    let most = low.abs().max(high.abs()).max(NARROWEST_END);
    (-most, most)
}

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
    pub(super) fn new(drawing: &Drawing, extremes: &Extremes) -> Self {
        let over_all = drawing.ends(extremes.over_all());
        let ends = extremes.low.iter().zip(&extremes.high);
        let ends = ends.map(|(&low, &high)| match drawing.range {
            Range::Map if low <= high => drawing.ends((low, high)),
            Range::Map => drawing.ends((0.0, 0.0)),
            Range::Layer | Range::Fixed(..) => over_all,
        });
        let ends: Vec<_> = ends.collect();
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
