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

const SMALLEST_OF_LAYER: f64 = 0.01;

const NEIGHBORS: usize = 3;

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) enum Kind {
    Zeroed,
    CameBack,
    /// It has another direction; its cosine to the old one.
    Turned(f64),
    /// It changed by this part of its norm, and kept its direction.
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

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct FilterEvent {
    pub(crate) step: i64,
    pub(crate) layer: String,
    pub(crate) filter: usize,
    pub(crate) kind: Kind,
    /// The norm of the difference.
    pub(crate) distance: f64,
}

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
        // The direction of a small filter is soon another by noise alone.
        if filter.distance() <= STANDS_OUT * usual_distance {
            return None;
        }
        let cosine = filter.cosine();
        if angle(cosine) > SMALLEST_ANGLE.max(STANDS_OUT * usual_angle) {
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

pub(super) fn stands_out(changes: &[f64], at: usize) -> bool {
    changes.len() > 1
        && changes[at] > SMALLEST_OF_LAYER
        && is_beyond_trend(changes[at], changes, at)
}

/// Whether it is beyond the changes right before that step, and right after it: a learning rate that falls is a trend.
pub(super) fn is_beyond_trend(change: f64, changes: &[f64], at: usize) -> bool {
    let finite = |changes: &mut dyn Iterator<Item = &f64>| -> Vec<f64> {
        let finite = changes.copied().filter(|change| change.is_finite());
        finite.take(NEIGHBORS).collect()
    };
    let before = finite(&mut changes[..at].iter().rev());
    let after = finite(&mut changes[at + 1..].iter());
    // A training begins with larger changes.
    let at_first = if before.is_empty() { STANDS_OUT } else { 1.0 };
    let is_beyond = |neighbors: Vec<f64>, times: f64| {
        neighbors.is_empty() || change > times * STANDS_OUT * median(neighbors)
    };
    is_beyond(before, 1.0) && is_beyond(after, at_first)
}
