//! Why an export ends.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

#[derive(Debug, Error)]
pub(crate) enum ExportError {
    #[error("{}: no {kind} tag is matched by --tag {given}; {there}", run.display())]
    NoTag {
        run: PathBuf,
        /// image, scalar or figure
        kind: String,
        given: String,
        there: String,
    },
    #[error("{}: {tag} has no step that --step names; it has {there}", run.display())]
    NoStep {
        run: PathBuf,
        tag: String,
        there: String,
    },
    #[error("cannot write {}: free some space, or choose another folder with --out", .0.display())]
    Write(PathBuf, #[source] io::Error),
    #[error(
        "{}: its frames would be {width} x {height} pixels, and may be 16384 wide and high: use a smaller --scale, or \
         fewer tags with --together",
        path.display()
    )]
    TooLarge {
        path: PathBuf,
        width: u32,
        height: u32,
    },
    #[error("cannot write {} as an animation", .0.display())]
    Animate(PathBuf, #[source] Box<dyn Error + Send + Sync>),
}

impl ExportError {
    pub(crate) fn is_wrong_use(&self) -> bool {
        matches!(
            self,
            Self::NoTag { .. } | Self::NoStep { .. } | Self::TooLarge { .. }
        )
    }
}
