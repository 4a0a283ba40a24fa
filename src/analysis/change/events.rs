//! Changes that stand out from everything around them.

use serde::{Deserialize, Serialize};

use super::layer::{LayerChange, Moved};

/// How many times as much as usual something must change to stand out.
const STANDS_OUT: f64 = 4.0;

/// Filters that move by less of their norm do not stand out, however still the others are.
const SMALLEST: f64 = 0.2;

/// Filters that turn by less do not stand out, however still the others are. Units: radians, two degrees.
const SMALLEST_TURN: f64 = 0.035;

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
    Moved(f64),
}

/// Something that happened to a filter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct FilterEvent {
    pub(crate) step: i64,
    pub(crate) layer: String,
    pub(crate) filter: usize,
    pub(crate) kind: Kind,
    /// How far its weights moved.
    pub(crate) way: f64,
}

/// What happened to the filters of a layer at one step.
pub(crate) fn of_filters(step: i64, change: &LayerChange) -> Vec<FilterEvent> {
    let angles = change.filters.iter().map(|filter| angle(filter.cosine));
    let usual_angle = median(angles.collect());
    let usual_way = median(change.filters.iter().map(Moved::way).collect());
    let kind = |filter: &Moved| -> Option<Kind> {
        let Moved {
            relative,
            cosine,
            old_norm,
            new_norm,
            ..
        } = *filter;
        if filter.is_zeroed() {
            return Some(Kind::Zeroed);
        }
        if filter.came_back() {
            return Some(Kind::CameBack);
        }
        let keeps_norm = (0.5..=2.0).contains(&(new_norm / old_norm / typical_factor(change)));
        // A small filter that noise turns has not gone a long way.
        if filter.way() <= STANDS_OUT * usual_way {
            return None;
        }
        if keeps_norm && angle(cosine) > SMALLEST_TURN.max(STANDS_OUT * usual_angle) {
            return Some(Kind::Turned(cosine));
        }
        (relative > SMALLEST).then_some(Kind::Moved(relative))
    };
    let event = |(filter, moved)| {
        Some(FilterEvent {
            step,
            layer: change.name.clone(),
            filter,
            kind: kind(moved)?,
            way: moved.way(),
        })
    };
    change
        .filters
        .iter()
        .enumerate()
        .filter_map(event)
        .collect()
}

/// How much larger the filters of a layer became, most of them.
fn typical_factor(change: &LayerChange) -> f64 {
    let factors = change
        .filters
        .iter()
        .map(|filter| filter.new_norm / filter.old_norm);
    let factor = median(
        factors
            .filter(|factor| factor.is_finite() && *factor > 0.0)
            .collect(),
    );
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

/// Whether a filter moved further than it does at the `others` of its steps, on which it moved `way` in all.
pub(super) fn is_unusual(event: &FilterEvent, way: f64, others: usize) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "steps")]
    let usual = (way - event.way) / others.max(1) as f64;
    match event.kind {
        Kind::Zeroed | Kind::CameBack => true,
        Kind::Turned(_) | Kind::Moved(_) => event.way > STANDS_OUT * usual,
    }
}

/// Whether a layer's change at a step stands out from that of the other layers and from its own at other steps.
pub(super) fn stands_out(relative: f64, of_others: f64, of_itself: f64) -> bool {
    relative > 0.01 && relative > STANDS_OUT * of_others && relative > STANDS_OUT * of_itself
}
