//! A run that is written in parts, by several processes: TensorBoard sees a part once all before it are there.
//!
//! A step that comes behind later ones of its tag ends these in the fast loader, and the slow one never returns to
//! an earlier file (see [`resume`](super::resume)). So the parts come in the order of their steps, each whole, with
//! names in that order.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::run_folder::{self, Reader};

/// Why a part did not become the run's. The files that came before stay there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// A folder cannot be listed.
    #[error("cannot list the event files of {}", .0.display())]
    List(PathBuf, #[source] io::Error),
    /// A file cannot be moved.
    #[error("cannot move {} to {}", from.display(), to.display())]
    Move {
        /// Where it is.
        from: PathBuf,
        /// Where it should be.
        to: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No file can have a name behind this one.
    #[error("no event file has a name behind {}: rename that file", .0.display())]
    NoLaterName(PathBuf),
}

/// Moves the event files in the folder `part` into that of the run, behind those which are there. Returns how many
/// they were. If that is interrupted, it is finished by doing it again.
///
/// # Errors
///
/// When a folder cannot be listed, or a file not be moved.
pub fn publish(part: &Path, run: &Path) -> Result<usize, PublishError> {
    let files = |folder: &Path, reader| {
        run_folder::event_files_for(folder, reader)
            .map_err(|error| PublishError::List(folder.to_owned(), error))
    };
    let parts = files(part, Reader::Nobody)?;
    let mut last = files(run, Reader::TensorBoard)?.pop();
    for from in &parts {
        let behind = last.as_deref().and_then(Path::file_name);
        let Some(name) = run_folder::published_name(from, behind, run_folder::now()) else {
            return Err(PublishError::NoLaterName(last.unwrap_or_default()));
        };
        let to = run.join(name);
        fs::rename(from, &to).map_err(|source| PublishError::Move {
            from: from.clone(),
            to: to.clone(),
            source,
        })?;
        last = Some(to);
    }
    Ok(parts.len())
}
