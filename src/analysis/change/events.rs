//! Changes that stand out from everything around them.

use serde::{Deserialize, Serialize};

use super::layer::LayerChange;
use crate::device::PairSums;

/// How many times as much as usual something must change to stand out.
const STANDS_OUT: f64 = 4.0;

/// Filters that change by less of their norm do not stand out, however still the others are.
const SMALLEST: f64 = 0.2;

/// Filters whose direction changes by less do not stand out, however still the others are. Units: radians, two degrees.
const SMALLEST_ANGLE: f64 = 0.035;

/// What happened to a filter.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) enum Kind {
    /// All its weights are 0 now.
    Zeroed,
    /// They were, and are not any more.
    CameBack,
    /// It has another direction and about the same norm; its cosine to the old one.
    Turned(f64),
    /// It changed by this part of its norm.
    Changed(f64),
}

impl Kind {
    /// All that can happen, the plainest first.
    pub(super) const WHAT: [&str; 4] = [
        "zeroed",
        "came back from 0",
        "direction changed",
        "filters changed",
    ];

    pub(super) fn what(self) -> &'static str {
        Self::WHAT[match self {
            Self::Zeroed => 0,
            Self::CameBack => 1,
            Self::Turned(_) => 2,
            Self::Changed(_) => 3,
        }]
    }
}

/// Something that happened to a filter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct FilterEvent {
    pub(crate) step: i64,
    pub(crate) layer: String,
    pub(crate) filter: usize,
    pub(crate) kind: Kind,
    /// The norm of the difference.
    pub(crate) distance: f64,
}

/// What happened to the filters of a layer at one step.
pub(crate) fn of_filters(step: i64, change: &LayerChange) -> Vec<FilterEvent> {
    let angles = change.filters.iter().map(|filter| angle(filter.cosine()));
    let usual_angle = median(angles.collect());
    let usual_distance = median(change.filters.iter().map(PairSums::distance).collect());
    let kind = |filter: &PairSums| -> Option<Kind> {
        if filter.is_zeroed() {
            return Some(Kind::Zeroed);
        }
        if filter.came_back() {
            return Some(Kind::CameBack);
        }
        let growth = filter.new_norm() / filter.old_norm() / typical_growth(change);
        // The direction of a small filter is soon another by noise alone.
        if filter.distance() <= STANDS_OUT * usual_distance {
            return None;
        }
        let cosine = filter.cosine();
        if (0.5..=2.0).contains(&growth)
            && angle(cosine) > SMALLEST_ANGLE.max(STANDS_OUT * usual_angle)
        {
            return Some(Kind::Turned(cosine));
        }
        let relative = filter.relative();
        (relative > SMALLEST).then_some(Kind::Changed(relative))
    };
    let filters = change.filters.iter().enumerate();
    let event = |(filter, sums): (usize, &PairSums)| {
        Some(FilterEvent {
            step,
            layer: change.name.clone(),
            filter,
            kind: kind(sums)?,
            distance: sums.distance(),
        })
    };
    filters.filter_map(event).collect()
}

/// How much larger the filters of a layer became, most of them.
fn typical_growth(change: &LayerChange) -> f64 {
    let filters = change.filters.iter();
    let factors = filters.map(|filter| filter.new_norm() / filter.old_norm());
    let factors = factors.filter(|factor| factor.is_finite() && *factor > 0.0);
    let factor = median(factors.collect());
    if factor > 0.0 { factor } else { 1.0 }
}

/// Units: radians.
fn angle(cosine: f64) -> f64 {
    cosine.clamp(-1.0, 1.0).acos()
}

/// The middle one, or the lower of the two; 0 of nothing. NaN counts as large.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len().saturating_sub(1) / 2;
    values.get(middle).copied().unwrap_or(0.0)
}

/// Whether a filter changed more than at the `others` of its steps; `sum` is that of its distances over all of them.
pub(super) fn is_unusual(event: &FilterEvent, sum: f64, others: usize) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "steps")]
    let usual = (sum - event.distance) / others.max(1) as f64;
    match event.kind {
        Kind::Zeroed | Kind::CameBack => true,
        Kind::Turned(_) | Kind::Changed(_) => event.distance > STANDS_OUT * usual,
    }
}

/// Whether a layer's change at a step stands out from that of the other layers and from its own at other steps.
pub(super) fn stands_out(relative: f64, of_others: f64, of_itself: f64) -> bool {
    relative > 0.01 && relative > STANDS_OUT * of_others && relative > STANDS_OUT * of_itself
}
