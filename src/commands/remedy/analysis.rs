//! What to do about errors of measurements.

use std::error::Error;

use crate::analysis::AnalysisError;
use crate::analysis::compare::CompareError;
use crate::analysis::grams::GramsError;

/// What to do about an error, if it is one of this room's.
pub(super) fn next_step(error: &(dyn Error + 'static)) -> Option<String> {
    let measurement = error.downcast_ref().and_then(of_measurement);
    let grams = error.downcast_ref().and_then(of_grams);
    let comparison = error.downcast_ref().and_then(of_comparison);
    measurement.or(grams).or(comparison).map(str::to_owned)
}

fn of_measurement(error: &AnalysisError) -> Option<&'static str> {
    match error {
        AnalysisError::OtherSize { .. } => Some("set --crop"),
        AnalysisError::TooFew { .. } => {
            Some("name more with --compare-images, or with --images of `vggscope diff`")
        }
        AnalysisError::OtherNetwork { .. } => {
            Some("compare networks of one architecture and width")
        }
        _ => None,
    }
}

fn of_grams(error: &GramsError) -> Option<&'static str> {
    match error {
        GramsError::Write { .. } => Some("free some space or choose another folder with --logdir"),
        GramsError::Read { .. } => None,
        GramsError::Truncated { .. } => Some("copy it again"),
        GramsError::Damaged { .. } | GramsError::OtherImages { .. } => {
            Some("delete it, or repeat its run with --compare-images")
        }
        GramsError::Version { .. } => {
            Some("use the version that wrote it, or repeat its run with --compare-images")
        }
    }
}

fn of_comparison(error: &CompareError) -> Option<&'static str> {
    match error {
        CompareError::NoGrams(_) => Some(
            "name the folder of a run of `vggscope checkpoints` or `train` with --compare-images, once it has a step",
        ),
        CompareError::OldGrams(_) => {
            Some("repeat its run, or compare with the version that wrote it")
        }
        CompareError::Differ { .. } => Some(
            "repeat one of the two runs with the other's --compare-images, preprocessing and --compare",
        ),
        CompareError::NoLayer { .. } => {
            Some("repeat one of the two runs with the other's --layers")
        }
        CompareError::Twice(_) | CompareError::Grams(_) => None,
    }
}
