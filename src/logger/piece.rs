//! What a step is made of on its way to the writer.

use std::time::Duration;

use super::error::LoggerError;
use super::measure::{Measure, MeasureKey};
use super::timings::{Stage, StageTimings};
use crate::device::Span;
use tensorboard_events::Summary;

/// Values of a step that are ready to be written.
pub(super) struct Piece {
    /// Its place among the step's values.
    pub(super) slot: usize,
    pub(super) summaries: Vec<Summary>,
    /// Values that were NaN or infinite.
    pub(super) non_finite: usize,
    /// What is put together with the step's other pieces.
    pub(super) measures: Vec<(MeasureKey, Measure)>,
    /// Whether the range of the layer stands in for that of each map, which is one pixel.
    pub(super) one_pixel: bool,
    pub(super) timings: StageTimings,
}

impl Piece {
    /// A measure without a picture.
    pub(super) fn measured(
        slot: usize,
        key: MeasureKey,
        measure: Measure,
        timings: StageTimings,
    ) -> Self {
        Self {
            slot,
            summaries: Vec::new(),
            non_finite: 0,
            measures: vec![(key, measure)],
            one_pixel: false,
            timings,
        }
    }

    /// A value that has no grid's numbers.
    pub(super) fn plain(slot: usize, summary: Summary, timings: StageTimings) -> Self {
        Self {
            slot,
            summaries: vec![summary],
            non_finite: 0,
            measures: Vec::new(),
            one_pixel: false,
            timings,
        }
    }
}

/// What becomes of an open step.
pub(super) enum Part {
    /// A value of the step.
    Piece(Result<Piece, LoggerError>),
    /// Time that was spent on the step.
    Took(Stage, Duration),
    /// The step is complete: it is written once all its pieces have come.
    Finished(Finished),
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
