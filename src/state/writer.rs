//! The steps of a process as they come, appended to `state.jsonl`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tensorboard_events::Position;

use super::error::StateError;
use super::files::write_error;
use super::record::{End, Entry, Line, line};
use crate::data::checkpoints::Checkpoint;

/// Adds the steps of this process, each once it is on the disk. Clones write to the same file.
#[derive(Clone)]
pub(crate) struct StateWriter(Arc<Mutex<Open>>);

struct Open {
    file: File,
    path: PathBuf,
    /// The checksum of the settings.
    settings: u32,
    /// The files of steps that are not on the disk yet.
    coming: BTreeMap<i64, Entry>,
    /// The event file of the last of them.
    events: Option<String>,
    failed: Option<io::Error>,
}

impl StateWriter {
    /// Appends to a file whose steps note this checksum of the settings.
    pub(super) fn open(path: PathBuf, settings: u32) -> Result<Self, StateError> {
        let file = File::options().append(true).open(&path);
        Ok(Self(Arc::new(Mutex::new(Open {
            file: file.map_err(|source| write_error(&path, source))?,
            path,
            settings,
            coming: BTreeMap::new(),
            events: None,
            failed: None,
        }))))
    }

    /// Says which file a step is going to show.
    pub(crate) fn expect(&self, entry: Entry) {
        self.lock().coming.insert(entry.step, entry);
    }

    /// This step is on the disk, and ends at this place of the event files.
    pub(crate) fn durable(&self, step: i64, place: Position) {
        let mut open = self.lock();
        open.events = Some(place.file.clone());
        if let Some(mut entry) = open.coming.remove(&step) {
            entry.set_position(place);
            open.add_entry(entry);
        }
    }

    /// A file cannot be read. One that is gone needs no line.
    pub(crate) fn leave_out(&self, file: &Checkpoint) {
        if let Ok(entry) = Entry::read(file) {
            self.lock().add_entry(entry);
        }
    }

    /// Everything that follows the last step is on the disk, in an event file of so many bytes.
    pub(crate) fn end(&self, last_step: Option<i64>, bytes: u64) -> Result<(), StateError> {
        self.check()?;
        let mut open = self.lock();
        let events = open.events.clone();
        let length = if events.is_some() { bytes } else { 0 };
        open.add(&Line::End(End {
            last_step,
            events,
            length,
        }));
        drop(open);
        self.check()
    }

    /// Whether every line was written, and is on the disk.
    pub(crate) fn check(&self) -> Result<(), StateError> {
        let open = self.lock();
        let synced = match &open.failed {
            Some(error) => Err(io::Error::new(error.kind(), error.to_string())),
            None => open.file.sync_data(),
        };
        synced.map_err(|source| write_error(&open.path, source))
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn add_entry(&mut self, mut entry: Entry) {
        entry.settings = self.settings;
        self.add(&Line::Step(Box::new(entry)));
    }

    /// Nothing after a line that could not be written: no step may be missing between others.
    fn add(&mut self, value: &Line) {
        if self.failed.is_some() {
            return;
        }
        // In one piece, so that a line is there as a whole or not at all.
        let text = line(value);
        let written = text.and_then(|text| self.file.write_all(text.as_bytes()));
        self.failed = written.err();
    }
}
