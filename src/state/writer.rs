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
    settings: u32,
    /// The files of steps that are not on the disk yet.
    coming: BTreeMap<i64, Entry>,
    /// The event file of the last of them.
    events: Option<String>,
    failed: Option<io::Error>,
}

impl StateWriter {
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn checkpoint(path: PathBuf, step: i64) -> Checkpoint {
        fs::write(&path, "").unwrap();
        let name = format!("epoch_{step}");
        Checkpoint { path, name, step }
    }

    #[test]
    fn a_step_is_noted_once_it_is_on_the_disk_whichever_else_is_expected() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.jsonl");
        fs::write(&path, "").unwrap();
        let writer = StateWriter::open(path.clone(), 7).unwrap();
        for step in 1..=3 {
            let file = checkpoint(folder.path().join("file"), step);
            writer.expect(Entry::read(&file).unwrap());
        }
        let file = "events".to_owned();
        writer.durable(2, Position { file, length: 9 });
        writer.check().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let entry: Entry = serde_json::from_str(&text).unwrap();
        assert_eq!((entry.step, entry.end, entry.settings), (2, 9, 7));
        assert_eq!(entry.events.as_deref(), Some("events"));
        writer.end(Some(2), 12).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let end: End = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        let expected = End {
            last_step: Some(2),
            events: Some("events".to_owned()),
            length: 12,
        };
        assert_eq!(end, expected);
        // A process without a step has no event file whose length says anything.
        let none = StateWriter::open(path.clone(), 7).unwrap();
        none.end(Some(2), 12).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let end: End = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert_eq!((end.events, end.length), (None, 0));
    }

    /// A file that is open for reading only cannot be written to, but synced.
    #[cfg(unix)]
    #[test]
    fn a_line_that_cannot_be_written_is_an_error_and_none_follows_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.jsonl");
        fs::write(&path, "").unwrap();
        let writer = StateWriter::open(path.clone(), 7).unwrap();
        let file = File::open(&path).unwrap();
        let file = std::mem::replace(&mut writer.lock().file, file);
        writer.check().unwrap();
        assert!(writer.end(None, 0).is_err());
        writer.lock().file = file;
        assert!(writer.check().is_err());
        writer.leave_out(&checkpoint(folder.path().join("file"), 1));
        assert!(writer.end(None, 0).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "");
    }
}
