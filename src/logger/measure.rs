//! What is put together over all pieces of a step, and written as scalars.

use crate::device::PairSums;
use feature_grid::Statistics;
use tensorboard_events::Summary;

/// What a measure is of.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct MeasureKey {
    pub(super) layer: String,
    /// What it is compared with, if anything.
    pub(super) reference: Option<&'static str>,
}

/// A measure over the values of one or more images.
#[derive(Debug, Clone, Copy)]
pub(super) enum Measure {
    /// How they are distributed.
    Values(Statistics),
    /// How much they changed.
    Change(PairSums),
}

impl Measure {
    /// That of both together.
    pub(super) fn merged(self, other: Self) -> Self {
        match (self, other) {
            (Self::Values(one), Self::Values(two)) => Self::Values(one.merged(two)),
            (Self::Change(one), Self::Change(two)) => Self::Change(one.merged(two)),
            // Their keys keep them apart.
            (one, _) => one,
        }
    }

    pub(super) fn scalars(&self, key: &MeasureKey) -> Vec<Summary> {
        let MeasureKey { layer, reference } = key;
        match self {
            Self::Values(statistics) => distribution(layer, statistics),
            Self::Change(sums) => {
                let reference = reference.unwrap_or_default();
                let tag = |name: &str| format!("similarity/{layer}/{name}_to_{reference}");
                vec![
                    Summary::scalar(tag("cosine"), sums.cosine()),
                    Summary::scalar(tag("distance"), sums.relative()),
                ]
            }
        }
    }
}

/// The scalars of a layer, `range/<layer>/…`.
fn distribution(layer: &str, statistics: &Statistics) -> Vec<Summary> {
    #[expect(clippy::cast_precision_loss, reason = "counts below 2^52")]
    let [nan, infinite] = [statistics.nan as f64, statistics.infinite as f64];
    let scalars = [
        ("min", Some(statistics.min.into())),
        ("max", Some(statistics.max.into())),
        ("mean", Some(statistics.mean)),
        ("std", Some(statistics.std())),
        ("zeros", Some(statistics.zero_fraction())),
        ("nan", Some(nan)),
        ("infinite", Some(infinite)),
        ("clipped", statistics.clipped_fraction()),
    ];
    let scalars = scalars
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    scalars
        .map(|(name, value): (&str, f64)| Summary::scalar(format!("range/{layer}/{name}"), value))
        .collect()
}
