//! What a step is made of on its way to the writer.

use super::error::LoggerError;
use super::timings::{Stage, StageTimings};
use crate::device::{PairSums, Span};
use feature_grid::Statistics;
use tensorboard_events::Summary;

#[expect(
    clippy::large_enum_variant,
    reason = "most are pieces, each moved once"
)]
pub(super) enum Part {
    Piece(Result<Piece, LoggerError>),
    /// The step is complete: it is written once all its pieces have come.
    Finished(Finished),
}

#[derive(Default)]
pub(super) struct Piece {
    pub(super) slot: usize,
    /// `None` where it is measured only.
    pub(super) summary: Option<Summary>,
    pub(super) non_finite: usize,
    /// What is put together with the step's other pieces.
    pub(super) measure: Option<(MeasureKey, Measure)>,
    /// Whether the range of the layer stands in for that of each map, which is one pixel.
    pub(super) one_pixel: bool,
    pub(super) timings: StageTimings,
}

/// What is said of a step as a whole.
#[derive(Default)]
pub(super) struct Finished {
    pub(super) pieces: usize,
    /// Whether it is a step of its own, or more of the one before.
    pub(super) counted: bool,
    pub(super) title: String,
    pub(super) timings: StageTimings,
    /// Work of a device, which is done when all pieces have come.
    pub(super) spans: Vec<(Stage, Span)>,
}

/// What a measure is of, in the order in which they are written.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct MeasureKey {
    pub(super) layer: String,
    pub(super) reference: Option<&'static str>,
}

/// A measure over the values of one or more images, which becomes scalars.
#[derive(Debug, Clone, Copy)]
pub(super) enum Measure {
    Values(Statistics),
    Change(PairSums),
}

impl Measure {
    pub(super) fn merged(self, other: Self) -> Self {
        match (self, other) {
            (Self::Values(one), Self::Values(two)) => Self::Values(one.merged(two)),
            (Self::Change(one), Self::Change(two)) => Self::Change(one.merged(two)),
            // Their keys keep them apart.
            (one, _) => one,
        }
    }

    /// `range/LAYER/…` or `similarity/LAYER/…_to_REFERENCE`.
    pub(super) fn scalars(&self, MeasureKey { layer, reference }: &MeasureKey) -> Vec<Summary> {
        let reference = reference.unwrap_or_default();
        let change = |name: &str| format!("similarity/{layer}/{name}_to_{reference}");
        let values = |name: &str| format!("range/{layer}/{name}");
        let scalars = match self {
            Self::Change(sums) => vec![
                (change("cosine"), Some(sums.cosine())),
                (change("distance"), Some(sums.relative())),
            ],
            // Nothing is known of values none of which is finite, but how many there are.
            Self::Values(of) if of.count == 0 => vec![
                (values("nan"), Some(of.nan as f64)),
                (values("infinite"), Some(of.infinite as f64)),
            ],
            Self::Values(of) => vec![
                (values("min"), Some(of.min.into())),
                (values("max"), Some(of.max.into())),
                (values("mean"), Some(of.mean)),
                (values("std"), Some(of.std())),
                (values("zeros"), Some(of.zero_fraction())),
                (values("nan"), Some(of.nan as f64)),
                (values("infinite"), Some(of.infinite as f64)),
                (values("clipped"), of.clipped_fraction()),
            ],
        };
        // Maps with a value that is not finite have no direction and no distance.
        let known = scalars.into_iter();
        let known = known.filter_map(|(tag, value)| Some((tag, value.filter(|v| v.is_finite())?)));
        known
            .map(|(tag, value)| Summary::scalar(tag, value))
            .collect()
    }
}
