//! A run that was cut off and goes on, in one more event file.
//!
//! What lies in the earlier files stays as it is. TensorBoard reads the files of a run in the order
//! of their names, and each of its loaders has its own way to forget what they hold of the steps
//! that are done again:
//!
//! | | slow loader (Python) | fast loader (data server) |
//! | --- | --- | --- |
//! | void steps of the earlier files | forgets them all at the `SessionLog` START of the new one | forgets those of a tag when the new file has an earlier or equal step of that tag |
//! | a record that was cut short at their end | goes on with the next file | goes on with the next file, and waits for the rest beside that |
//! | the same of a damaged record | goes on with the next file | goes on with the next file |
//!
//! So a tag that is written now and then only, and whose next value comes after a void one of the
//! earlier files, keeps that one in the fast loader: see
//! [`outdated_tags`](EventFile::outdated_tags). And as no loader stops at a record that was cut
//! short, earlier files are never opened for writing: another process may still have one open.
//!
//! Source: `tensorboard/data/server/{run,reservoir}.rs`; `plugin_event_accumulator.py`,
//! `directory_watcher.py` and `event_file_loader.py` in `tensorboard/backend/event_processing`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::file::{EventFile, EventFileError};
use super::graph::GRAPH_TAG;
use super::read::{ReadError, survey};
use super::record::RecordError;
use super::run_folder;

/// What earlier event files of a run leave to be done.
#[derive(Debug)]
pub(super) struct Earlier {
    /// The first step that is done again; `None` for a run that begins.
    pub(super) first_step: Option<i64>,
    /// Tags with values from that step on.
    pub(super) outdated: BTreeSet<String>,
    /// There is a graph that stays.
    pub(super) graph: bool,
}

impl Earlier {
    /// There are none.
    pub(super) fn none() -> Self {
        Self {
            first_step: None,
            outdated: BTreeSet::new(),
            graph: false,
        }
    }

    /// Reads `files` for what they hold at `first_step` and later.
    fn survey(files: &[PathBuf], first_step: i64) -> Result<Self, EventFileError> {
        let mut earlier = Self {
            first_step: Some(first_step),
            ..Self::none()
        };
        for file in files {
            let survey = survey(file).map_err(EventFileError::Earlier)?;
            if let Some(damage) = survey.damage.filter(is_unread) {
                return Err(EventFileError::Earlier(damage));
            }
            for (tag, steps) in survey.steps {
                if tag == GRAPH_TAG {
                    earlier.graph |= steps.iter().any(|&step| step < first_step);
                } else if steps.iter().any(|&step| step >= first_step) {
                    earlier.outdated.insert(tag);
                }
            }
        }
        Ok(earlier)
    }
}

/// Whether there may be more in the file, which the system did not give.
fn is_unread(damage: &ReadError) -> bool {
    let io = |source: &RecordError| matches!(source, RecordError::Io { .. });
    matches!(damage, ReadError::Record { source, .. } if io(source))
}

impl EventFile {
    /// Makes one more event file in `run_dir`, for a run that goes on from `first_step`; the
    /// event files that are there are read for what [`outdated_tags`](Self::outdated_tags) tells,
    /// and left as they are. Without any it is the first file of the run.
    ///
    /// TensorBoard reads it after all others, whatever the clock says, and forgets what they hold
    /// at `first_step` and later. No earlier step can be written to it.
    ///
    /// # Errors
    ///
    /// When the folder cannot be made or listed, when an event file in it cannot be opened or
    /// read, when the new one cannot be made or written to, and when it could not have a name
    /// behind all others. Damage in the others is no error: a run that was killed has some.
    pub fn resume(run_dir: &Path, first_step: i64) -> Result<Self, EventFileError> {
        fs::create_dir_all(run_dir).map_err(|source| EventFileError::CreateFolder {
            path: run_dir.to_owned(),
            source,
        })?;
        let files = run_folder::event_files(run_dir).map_err(|source| EventFileError::List {
            path: run_dir.to_owned(),
            source,
        })?;
        let now = run_folder::now();
        let seconds = match files.last() {
            None => now,
            Some(last) => last
                .file_name()
                .and_then(|name| run_folder::seconds_behind(name, now))
                .ok_or_else(|| EventFileError::NoLaterName { path: last.clone() })?,
        };
        let earlier = Earlier::survey(&files, first_step)?;
        Self::create_named(run_dir, seconds, earlier)
    }
}
