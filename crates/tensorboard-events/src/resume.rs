//! New event files in the folder of a run, which may have been interrupted before.
//!
//! The earlier files are truncated to what comes before the resumed step, and lose what is incomplete or damaged at
//! their ends, so that any program that reads the files of a run finds each tag's steps rising and whole records.
//! TensorBoard alone would not need most of that (the README has what its loaders do): but a tag that is written now
//! and then, and whose next value comes after a void one of an earlier file, would keep that one in the fast loader.
//!
//! A TensorBoard that is running has read the void steps already, reads nothing more from a file that gets shorter,
//! and is stuck (the slow loader) at one that goes away. So the new file has a START and a name behind all others,
//! and no earlier file is removed, even if nothing of it stays but its version and its own START.
//!
//! Source: `tensorboard/data/server/{run,reservoir}.rs`; `plugin_event_accumulator.py`, `directory_watcher.py` and
//! `event_file_loader.py` in `tensorboard/backend/event_processing`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::error::EventFileError;
use crate::file::{EventFile, Start, wall_time};
use crate::run_folder::{self, Visibility, lock};
use crate::scan::{Kept, kept};

impl EventFile {
    /// Makes `run_dir` when it is missing, and in it a new event file that TensorBoard can read at once. No file that
    /// exists is ever opened. Until the new one is closed or dropped, or its process ends, [`resume`](Self::resume)
    /// in another will not touch it.
    ///
    /// # Errors
    ///
    /// When the folder or the file cannot be made or written to.
    pub fn create(run_dir: &Path) -> Result<Self, EventFileError> {
        make(run_dir)?;
        create(run_dir, run_folder::now(), Visibility::Visible, Start::RUN)
    }

    /// Makes one more event file in `run_dir`, for a run that is resumed from `first_step`. Without any other there
    /// it is the first of the run.
    ///
    /// The event files that are there are truncated before the first record at `first_step` or later, and lose what
    /// is incomplete or damaged at their ends. All of them are scanned before any is truncated. Images are not read
    /// for that, so it does not take long.
    ///
    /// TensorBoard reads the new file after all others, whatever the clock says, and forgets what it has read of
    /// `first_step` and later. No earlier step can be written to it.
    ///
    /// # Errors
    ///
    /// When the folder cannot be made or listed; when an event file in it is still being written by another process,
    /// is by its beginning none, or cannot be read or truncated; when the new one cannot be made or written to, and
    /// when it could not have a name behind all others. Unless the truncating or the new file itself failed, nothing
    /// was changed then.
    pub fn resume(run_dir: &Path, first_step: i64) -> Result<Self, EventFileError> {
        create_behind_all(run_dir, Visibility::Visible, Start::at(first_step))
    }

    /// The same for the folder of a part of a run, of which TensorBoard sees nothing before it is
    /// [published](crate::publish).
    ///
    /// # Errors
    ///
    /// As [`resume`](Self::resume).
    pub fn resume_part(part_dir: &Path, first_step: i64) -> Result<Self, EventFileError> {
        create_behind_all(part_dir, Visibility::Hidden, Start::at(first_step))
    }

    /// A part for tags that no other part has, at any step, behind all parts that end with the step `last`.
    ///
    /// # Errors
    ///
    /// As [`resume`](Self::resume).
    pub fn supplement(part_dir: &Path, last: i64) -> Result<Self, EventFileError> {
        let start = Start {
            first_step: i64::MIN,
            void_from: last.saturating_add(1),
            has_graph: true,
        };
        create_behind_all(part_dir, Visibility::Hidden, start)
    }
}

fn make(run_dir: &Path) -> Result<(), EventFileError> {
    fs::create_dir_all(run_dir)
        .map_err(|error| EventFileError::CreateFolder(run_dir.to_owned(), error))
}

/// Creates the event file of that second.
fn create(
    run_dir: &Path,
    seconds: u64,
    visibility: Visibility,
    start: Start,
) -> Result<EventFile, EventFileError> {
    let (file, path) = run_folder::create(run_dir, seconds, visibility)?;
    EventFile::begin_at(file, path, start, wall_time).inspect_err(|error| {
        if let EventFileError::Begin(path, _) = error {
            // An event file without events would only make the next run refuse this folder. The error that is on its
            // way says more than a failure of this would.
            let _ = fs::remove_file(path);
        }
    })
}

/// One more event file behind all that are there, which lose the steps that are done again.
fn create_behind_all(
    run_dir: &Path,
    visibility: Visibility,
    mut start: Start,
) -> Result<EventFile, EventFileError> {
    make(run_dir)?;
    let held = hold_all(run_dir, visibility)?;
    let last = held.last().map(|held| held.path.as_path());
    let Some(seconds) = run_folder::seconds_behind(last, run_folder::now(), visibility) else {
        let last = last.unwrap_or(run_dir);
        return Err(EventFileError::NoLaterName(last.to_owned()));
    };
    start.has_graph |= truncate_all(&held, start.first_step)?;
    // The earlier files are held until the new one is there, and locked.
    create(run_dir, seconds, visibility, start)
}

/// An earlier event file of the run, which nobody else writes to while this lives.
#[derive(Debug)]
struct Held {
    path: PathBuf,
    file: File,
    length: u64,
}

impl Held {
    fn open(path: &Path) -> Result<Self, EventFileError> {
        let path = path.to_owned();
        let failed = |error| EventFileError::OpenEarlier(path.clone(), error);
        let opened = File::options().read(true).write(true).open(&path);
        let file = opened.map_err(failed)?;
        if !lock(&file) {
            return Err(EventFileError::Busy(path));
        }
        // Nobody makes it longer any more.
        let length = file.metadata().map_err(failed)?.len();
        Ok(Self { path, file, length })
    }

    /// What of it comes before `first_step`.
    fn scan(&self, first_step: i64) -> Result<Kept, EventFileError> {
        kept(&self.file, &self.path, self.length, first_step).map_err(EventFileError::Earlier)
    }

    fn truncate(&self, length: u64) -> Result<(), EventFileError> {
        let done = self
            .file
            .set_len(length)
            .and_then(|()| self.file.sync_all());
        done.map_err(|source| EventFileError::Truncate {
            path: self.path.clone(),
            length,
            source,
        })
    }
}

/// Opens and locks every event file of the run.
fn hold_all(run_dir: &Path, visibility: Visibility) -> Result<Vec<Held>, EventFileError> {
    let mut files = run_folder::listed(run_dir, visibility)?;
    loop {
        let held = files.iter().map(|path| Held::open(path));
        let held = held.collect::<Result<_, _>>()?;
        // Another process may have resumed the run before these were locked.
        let after = run_folder::listed(run_dir, visibility)?;
        if after == files {
            return Ok(held);
        }
        files = after;
    }
}

/// Truncates every file to what comes before `first_step`: none before all were scanned, and the last one first, so
/// that their steps rise all the while. True when a graph stays.
fn truncate_all(held: &[Held], first_step: i64) -> Result<bool, EventFileError> {
    let scans = held.iter().map(|held| held.scan(first_step));
    let scans = scans.collect::<Result<Vec<_>, _>>()?;
    for (held, kept) in held.iter().zip(&scans).rev() {
        if kept.length < held.length {
            held.truncate(kept.length)?;
        }
    }
    Ok(scans.iter().any(|kept| kept.graph))
}
