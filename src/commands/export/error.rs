//! Why pictures are not exported.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::commands::event_runs::EventRunError;

/// Why nothing is exported, or no more.
#[derive(Debug, Error)]
pub(crate) enum ExportError {
    #[error("{0}")]
    Find(#[from] EventRunError),
    #[error("{}: no image tag is matched by --tag {given}; {there}", run.display())]
    NoTag {
        run: PathBuf,
        given: String,
        there: String,
    },
    #[error("{}: {tag} has no step that --step names; it has {there}", run.display())]
    NoStep {
        run: PathBuf,
        tag: String,
        there: String,
    },
    #[error("cannot write {}: free some space, or choose another folder with --out", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot write {} as an animation: {why}", path.display())]
    Animate { path: PathBuf, why: String },
}

impl ExportError {
    /// Whether the command could never have worked as it was typed.
    pub(crate) fn is_wrong_use(&self) -> bool {
        matches!(
            self,
            Self::Find(_) | Self::NoTag { .. } | Self::NoStep { .. }
        )
    }
}

/// A file or folder that cannot be written.
pub(super) fn write_error(path: &Path, source: io::Error) -> ExportError {
    let path = path.to_owned();
    ExportError::Write { path, source }
}
