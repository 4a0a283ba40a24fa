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

use std::cmp::Ordering;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::decode::What;
use crate::error::EventFileError;
use crate::file::{ANY_STEP, EventFile, Position, wall_time};
use crate::read::{EventReader, ReadError};
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
        create(run_dir, run_folder::now(), Visibility::Visible, ANY_STEP)
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
        create_behind_all(run_dir, first_step, None)
    }

    /// The same, and what comes after `last` is truncated whatever its step: values that were written at the last
    /// step once there was no later one.
    ///
    /// # Errors
    ///
    /// As [`resume`](Self::resume).
    pub fn resume_behind(
        run_dir: &Path,
        last: &Position,
        first_step: i64,
    ) -> Result<Self, EventFileError> {
        create_behind_all(run_dir, first_step, Some(last))
    }

    /// Joins the event files of several folders, whose steps follow one another, in one new file of `run_dir`, which
    /// TensorBoard does not see before [`publish`](crate::publish). Further values may have any step, but no tag of
    /// those joined.
    ///
    /// # Errors
    ///
    /// When a folder cannot be listed, an event file cannot be read or is damaged, or the new one cannot be written.
    pub fn join(run_dir: &Path, parts: &[PathBuf]) -> Result<Self, EventFileError> {
        for path in run_folder::listed(run_dir, Visibility::Hidden)? {
            // Of a process that was killed; another one that is at it holds the run.
            fs::remove_file(&path).map_err(|error| EventFileError::Publish(path, error))?;
        }
        let mut joined = create(run_dir, run_folder::now(), Visibility::Hidden, ANY_STEP)?;
        joined.has_graph = true;
        let mut has_graph = false;
        for part in parts {
            for path in run_folder::listed(part, Visibility::Visible)? {
                joined.append_file(&path, &mut has_graph)?;
            }
        }
        joined.flush()?;
        Ok(joined)
    }

    fn append_file(&mut self, path: &Path, has_graph: &mut bool) -> Result<(), EventFileError> {
        let unreadable = |error| EventFileError::Join(path.to_owned(), error);
        let mut events = EventReader::open(path).map_err(unreadable)?;
        while let Some((data, what)) = events.next_record().map_err(unreadable)? {
            let takes_part = match what {
                What::Other => true,
                What::Graph => !std::mem::replace(has_graph, true),
                What::SessionLog => false,
            };
            if takes_part {
                self.append_record(&data)?;
            }
        }
        Ok(())
    }
}

/// How much of an event file is whole; 0 where it is not there. Units: bytes.
///
/// # Errors
///
/// When it is by its beginning none, or cannot be read.
pub fn whole_length(path: &Path) -> Result<u64, ReadError> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        file => file.and_then(|file| Ok((file.metadata()?.len(), file))),
    };
    let (length, file) = file.map_err(|error| ReadError::Open(path.to_owned(), error))?;
    Ok(kept(file, path, length, i64::MAX)?.length)
}

fn make(run_dir: &Path) -> Result<(), EventFileError> {
    fs::create_dir_all(run_dir)
        .map_err(|error| EventFileError::CreateFolder(run_dir.to_owned(), error))
}

fn create(
    run_dir: &Path,
    seconds: u64,
    visibility: Visibility,
    first_step: i64,
) -> Result<EventFile, EventFileError> {
    let (file, path) = run_folder::create(run_dir, seconds, visibility)?;
    EventFile::begin_at(file, path, first_step, wall_time).inspect_err(|error| {
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
    first_step: i64,
    behind: Option<&Position>,
) -> Result<EventFile, EventFileError> {
    make(run_dir)?;
    let held = hold_all(run_dir)?;
    let last = held.last().map(|held| held.path.as_path());
    let Some(seconds) = run_folder::seconds_behind(last, run_folder::now()) else {
        let last = last.unwrap_or(run_dir);
        return Err(EventFileError::NoLaterName(last.to_owned()));
    };
    let has_graph = truncate_all(&held, first_step, behind)?;
    // The earlier files are held until the new one is there, and locked.
    let mut file = create(run_dir, seconds, Visibility::Visible, first_step)?;
    file.has_graph = has_graph;
    Ok(file)
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

    /// What of it comes before `first_step`, and not behind a place.
    fn scan(&self, mut first_step: i64, behind: Option<&Position>) -> Result<Kept, EventFileError> {
        let mut most = self.length;
        if let Some(Position { file, length }) = behind {
            let name = self.path.file_name().unwrap_or_default().as_encoded_bytes();
            match name.cmp(file.as_bytes()) {
                Ordering::Less => {}
                Ordering::Equal => most = most.min(*length),
                // No value of it stays.
                Ordering::Greater => first_step = i64::MIN,
            }
        }
        kept(&self.file, &self.path, most, first_step).map_err(EventFileError::Earlier)
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

fn hold_all(run_dir: &Path) -> Result<Vec<Held>, EventFileError> {
    let mut files = run_folder::listed(run_dir, Visibility::Visible)?;
    loop {
        let held = files.iter().map(|path| Held::open(path));
        let held = held.collect::<Result<_, _>>()?;
        // Another process may have resumed the run before these were locked.
        let after = run_folder::listed(run_dir, Visibility::Visible)?;
        if after == files {
            return Ok(held);
        }
        files = after;
    }
}

/// Truncates every file to what comes before `first_step`: none before all were scanned, and the last one first, so
/// that their steps rise all the while. True when a graph stays.
fn truncate_all(
    held: &[Held],
    first_step: i64,
    behind: Option<&Position>,
) -> Result<bool, EventFileError> {
    let scans = held.iter().map(|held| held.scan(first_step, behind));
    let scans = scans.collect::<Result<Vec<_>, _>>()?;
    for (held, kept) in held.iter().zip(&scans).rev() {
        if kept.length < held.length {
            held.truncate(kept.length)?;
        }
    }
    Ok(scans.iter().any(|kept| kept.graph))
}
