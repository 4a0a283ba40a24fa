//! Which values become black and white.

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
    pub fn around_zero(low: f32, high: f32) -> Self {
        let (low, high) = symmetric(low, high);
        Self::Fixed(low, high)
    }

    /// Its ends, if it is fixed.
    pub const fn fixed(self) -> Option<(f32, f32)> {
        match self {
            Self::Fixed(low, high) => Some((low, high)),
            Self::Map | Self::Layer => None,
        }
    }
}

/// The ends of the range around 0 that holds both.
pub(super) fn symmetric(low: f32, high: f32) -> (f32, f32) {
    let most = low.abs().max(high.abs()).max(NARROWEST_END);
    (-most, most)
}
