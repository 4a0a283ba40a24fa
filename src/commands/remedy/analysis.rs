//! What to do about errors of measurements.

use crate::analysis::AnalysisError;
use crate::analysis::compare::CompareError;
use crate::analysis::grams::GramsError;

pub(super) fn measurement(error: &AnalysisError) -> Option<&'static str> {
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

pub(super) fn grams(error: &GramsError) -> Option<&'static str> {
    match error {
        GramsError::Write { .. } => Some("free some space or choose another folder with --logdir"),
        GramsError::Read { .. } => None,
        GramsError::File(_) | GramsError::Damaged { .. } | GramsError::OtherImages { .. } => {
            Some("delete it, or repeat its run with --compare-images")
        }
        GramsError::Version { .. } => {
            Some("use the version that wrote it, or repeat its run with --compare-images")
        }
    }
}

pub(super) fn comparison(error: &CompareError) -> Option<&'static str> {
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
