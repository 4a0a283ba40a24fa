//! An interrupted run that is resumed, in one more event file.
//!
//! The earlier files are truncated to what comes before the resumed step, and lose what is
//! incomplete or damaged at their ends. So whoever simply reads the files of a run finds each tag's
//! steps rising, and no incomplete record.
//!
//! TensorBoard alone would not need most of that. It reads the files of a run in the order of their
//! names, and each of its loaders has its own way to forget the steps that are done again:
//!
//! | | slow loader (Python) | fast loader (data server) |
//! | --- | --- | --- |
//! | void steps of the earlier files | forgets them all at the `SessionLog` START of the new one | forgets those of a tag when the new file has an earlier or equal step of that tag |
//! | an incomplete record at their end | continues with the next file | continues with the next file, and also waits for the rest |
//! | the same of a damaged record | continues with the next file | continues with the next file |
//! | a file that gets shorter | reads nothing more from it, and logs that it was updated | reads nothing more from it |
//! | a file that goes away while it is read | is stuck, and never shows the next file | continues with the next file |
//!
//! A tag that is written now and then only, and whose next value comes after a void one of the
//! earlier files, would keep that one in the fast loader: one more reason to truncate. But a TensorBoard
//! that is running has read the void steps already, and goes by these rules until it is started
//! again. So the new file still has a START and a name behind all others, and no earlier file is
//! removed, even if nothing of it stays but its version and its own START.
//!
//! Source: `tensorboard/data/server/{run,reservoir}.rs`; `plugin_event_accumulator.py`,
//! `directory_watcher.py` and `event_file_loader.py` in `tensorboard/backend/event_processing`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::error::EventFileError;
use super::file::{Earlier, EventFile};
use super::lock::lock;
use super::read::ReadError;
use super::run_folder::{self, Reader};
use super::scan::{Kept, kept};

/// An earlier event file of the run, which nobody else writes to while this lives.
#[derive(Debug)]
struct Held {
    path: PathBuf,
    file: File,
}

impl Held {
    fn open(path: &Path) -> Result<Self, EventFileError> {
        let path = path.to_owned();
        match File::options().read(true).write(true).open(&path) {
            Ok(file) if lock(&file) => Ok(Self { path, file }),
            Ok(_) => Err(EventFileError::Busy(path)),
            Err(error) => Err(EventFileError::OpenEarlier(path, error)),
        }
    }

    /// How long it is, and what of it comes before `first_step`.
    fn scan(&self, first_step: i64) -> Result<(u64, Kept), EventFileError> {
        let metadata = self.file.metadata();
        let length = metadata
            .map_err(|error| EventFileError::OpenEarlier(self.path.clone(), error))?
            .len();
        kept(&self.file, &self.path, length, first_step)
            .map(|kept| (length, kept))
            .map_err(|error| match error {
                ReadError::Version { .. } | ReadError::Malformed { .. } => {
                    EventFileError::Foreign(error)
                }
                error => EventFileError::Earlier(error),
            })
    }

    fn truncate(&self, length: u64) -> Result<(), EventFileError> {
        self.file
            .set_len(length)
            .and_then(|()| self.file.sync_all())
            .map_err(|source| EventFileError::Truncate {
                path: self.path.clone(),
                length,
                source,
            })
    }
}

impl EventFile {
    /// Makes one more event file in `run_dir`, for a run that is resumed from `first_step`. Without
    /// any other there it is the first of the run.
    ///
    /// The event files that are there are truncated before the first record at `first_step` or
    /// later, and lose what is incomplete or damaged at their ends. All of them are scanned before
    /// any is truncated. Images are not read for that, so it does not take long.
    ///
    /// TensorBoard reads the new file after all others, whatever the clock says, and forgets what
    /// it has read of `first_step` and later. No earlier step can be written to it.
    ///
    /// # Errors
    ///
    /// When the folder cannot be made or listed; when an event file in it is still being written by
    /// another process, is by its beginning none, or cannot be read or truncated; when the new one
    /// cannot be made or written to, and when it could not have a name behind all others. Unless the
    /// truncating or the new file itself failed, nothing was changed then.
    pub fn resume(run_dir: &Path, first_step: i64) -> Result<Self, EventFileError> {
        let earlier = Earlier {
            first_step: Some(first_step),
            ..Earlier::default()
        };
        Self::behind_all(run_dir, earlier)
    }

    /// The same for the folder of a part of a run, of which TensorBoard sees nothing before it is
    /// [published](super::publish).
    ///
    /// # Errors
    ///
    /// As [`resume`](Self::resume).
    pub fn resume_part(part_dir: &Path, first_step: i64) -> Result<Self, EventFileError> {
        let earlier = Earlier {
            first_step: Some(first_step),
            reader: Reader::Nobody,
            ..Earlier::default()
        };
        Self::behind_all(part_dir, earlier)
    }

    /// A part for tags that no other part has, at any step, behind all parts that end with the step `last`.
    ///
    /// # Errors
    ///
    /// As [`resume`](Self::resume).
    pub fn supplement(part_dir: &Path, last: i64) -> Result<Self, EventFileError> {
        let earlier = Earlier {
            first_step: Some(i64::MIN),
            void_from: Some(last.saturating_add(1)),
            reader: Reader::Nobody,
            graph: true,
        };
        Self::behind_all(part_dir, earlier)
    }

    /// One more event file behind all that are there, which lose the steps that are done again.
    fn behind_all(run_dir: &Path, earlier: Earlier) -> Result<Self, EventFileError> {
        fs::create_dir_all(run_dir)
            .map_err(|error| EventFileError::CreateFolder(run_dir.to_owned(), error))?;
        let Earlier {
            reader, first_step, ..
        } = earlier;
        let held = hold_all(run_dir, reader)?;
        let now = run_folder::now();
        let seconds = match held.last() {
            None => now,
            Some(Held { path, .. }) => path
                .file_name()
                .and_then(|name| run_folder::seconds_behind(name, now, reader))
                .ok_or_else(|| EventFileError::NoLaterName(path.clone()))?,
        };
        let has_graph = truncate_all(&held, first_step.unwrap_or(i64::MIN))?;
        let earlier = Earlier {
            graph: earlier.graph || has_graph,
            ..earlier
        };
        // The earlier files are held until the new one is there, and locked.
        Self::create_named(run_dir, seconds, earlier)
    }
}

/// Opens and locks every event file of the run.
fn hold_all(run_dir: &Path, reader: Reader) -> Result<Vec<Held>, EventFileError> {
    let list = || {
        run_folder::event_files_for(run_dir, reader)
            .map_err(|error| EventFileError::List(run_dir.to_owned(), error))
    };
    let mut files = list()?;
    loop {
        let held = files.iter().map(|path| Held::open(path));
        let held = held.collect::<Result<_, _>>()?;
        // Another process may have resumed the run before these were locked.
        let after = list()?;
        if after == files {
            return Ok(held);
        }
        files = after;
    }
}

/// Truncates every file to what comes before `first_step`: none before all were scanned, and the
/// last one first, so that their steps rise all the while. True when a graph stays.
fn truncate_all(held: &[Held], first_step: i64) -> Result<bool, EventFileError> {
    let scans = held.iter().map(|held| held.scan(first_step));
    let scans = scans.collect::<Result<Vec<_>, _>>()?;
    for (held, (length, kept)) in held.iter().zip(&scans).rev() {
        if kept.length < *length {
            held.truncate(kept.length)?;
        }
    }
    Ok(scans.iter().any(|(_, kept)| kept.graph))
}
