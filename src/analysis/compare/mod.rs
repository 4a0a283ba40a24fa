//! Runs compared with each other, from the Gram matrices that each left in its folder.

mod pair;
mod run;

use std::path::PathBuf;

use thiserror::Error;

use super::grams::{GRAMS, GramsError};

pub(crate) use pair::Pair;
pub(crate) use run::ComparedRun;

#[derive(Debug, Error)]
pub(crate) enum CompareError {
    #[error("{0} has no {GRAMS}")]
    NoGrams(PathBuf),
    #[error("{0} is of an earlier vggscope, which kept the Gram matrices of all steps in one file")]
    OldGrams(PathBuf),
    #[error("{0}")]
    Grams(#[from] GramsError),
    #[error("{0} is named twice: a run is compared with other runs")]
    Twice(PathBuf),
    #[error(
        "{first} and {other} cannot be compared, since their {what} differ: {of_first} and {of_other}"
    )]
    Differ {
        first: PathBuf,
        other: PathBuf,
        what: &'static str,
        of_first: String,
        of_other: String,
    },
    #[error("{first} and {other} have no layer in common ({of_first}; {of_other})")]
    NoLayer {
        first: PathBuf,
        other: PathBuf,
        of_first: String,
        of_other: String,
    },
}

impl CompareError {
    /// Whether the command could never have worked as it was typed.
    pub(crate) fn is_wrong_use(&self) -> bool {
        matches!(
            self,
            Self::Twice(_) | Self::Differ { .. } | Self::NoLayer { .. }
        )
    }
}
