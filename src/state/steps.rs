//! `state.jsonl`: what a run shows and which file each of its steps is of, so that the same command resumes it where it
//! ended.
//!
//! The first line says what the run is of, each further one is a step that is on the disk, a file that could not be
//! read, or that everything that follows the last step is there too. A line is appended once what it names is on the
//! disk; the event files are the truth, and steps that they lack do not count.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use tensorboard_events::{Position, whole_length};
use toml::Table;

use super::error::StateError;
use super::files::{write_error, write_text};
use super::network::RunNetwork;
use crate::data::checkpoints::Checkpoint;
use crate::weights::crc32c;

/// The file's name in a run's folder.
pub(crate) const STATE: &str = "state.jsonl";

const VERSION: u32 = 1;

/// What a run is of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunOf {
    /// The settings that change what it shows.
    pub(crate) settings: Table,
    /// SHA-256 of the probe images as the network gets them.
    pub(crate) probe_images: String,
    /// The same of the comparison images, where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) comparison_images: Option<String>,
    /// The network that it shows.
    pub(crate) network: RunNetwork,
    /// Where it is a part of another run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) part: Option<PartOf>,
}

/// Which part of a run another run is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PartOf {
    /// Counts from 0.
    pub(crate) index: usize,
    pub(crate) parts: usize,
    /// How many checkpoints all parts have.
    pub(crate) checkpoints: usize,
    /// SHA-256 of their names and steps.
    pub(crate) sequence: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Head {
    /// The version of this format.
    state: u32,
    #[serde(flatten)]
    run: RunOf,
}

/// A line behind the first.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Step(Box<Entry>),
    End(End),
}

/// That nothing is missing behind the last step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct End {
    /// None where no file could be read.
    last_step: Option<i64>,
    /// The event file that the last step is in, and how long it is then. Units: bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    events: Option<String>,
    #[serde(default, skip_serializing_if = "is_zero")]
    length: u64,
}

/// A file's size, and when it was last written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    bytes: u64,
    /// Units: nanoseconds since 1970.
    pub(crate) modified: u64,
}

impl Stamp {
    /// That of a file as it is now.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let metadata = fs::metadata(path)?;
        let since = metadata.modified()?.duration_since(UNIX_EPOCH);
        let nanoseconds = since.map_or(0, |since| since.as_nanos());
        Ok(Self {
            bytes: metadata.len(),
            modified: u64::try_from(nanoseconds).unwrap_or(u64::MAX),
        })
    }
}

/// A step and its file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) step: i64,
    /// As the run calls it.
    pub(crate) name: String,
    #[serde(flatten)]
    stamp: Stamp,
    /// The checksum of its content: enough to see that it is another file, and a tenth of the time of SHA-256.
    crc32c: u32,
    /// That of the settings in the first line.
    #[serde(default)]
    settings: u32,
    /// What was found out of its weights, where these are compared: TOML, which knows NaN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) found: Option<String>,
    /// The event file that the step is in. None where the file could not be read, and so has no step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    events: Option<String>,
    /// Where the step ends in it. Units: bytes.
    #[serde(default, skip_serializing_if = "is_zero")]
    end: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Entry {
    /// Of a file that was like this when it was opened.
    pub(crate) fn new(checkpoint: &Checkpoint, stamp: Stamp, crc32c: u32) -> Self {
        Self {
            step: checkpoint.step,
            name: checkpoint.name.clone(),
            stamp,
            crc32c,
            settings: 0,
            found: None,
            events: None,
            end: 0,
        }
    }

    /// Of a file as it is now.
    pub(crate) fn read(checkpoint: &Checkpoint) -> io::Result<Self> {
        let stamp = Stamp::of(&checkpoint.path)?;
        Ok(Self::new(checkpoint, stamp, checksum(&checkpoint.path)?))
    }

    /// Whether the file is still the same. Where size and time are, it is not read.
    pub(crate) fn is_of(&self, checkpoint: &Checkpoint) -> bool {
        match Stamp::of(&checkpoint.path) {
            Err(_) => false,
            Ok(stamp) if stamp.bytes != self.stamp.bytes => false,
            Ok(stamp) if stamp == self.stamp => true,
            Ok(_) => checksum(&checkpoint.path).is_ok_and(|now| now == self.crc32c),
        }
    }

    /// Whether its file could not be read.
    pub(crate) fn is_left_out(&self) -> bool {
        self.events.is_none()
    }

    /// The place in the event files behind its step.
    pub(crate) fn position(&self) -> Option<Position> {
        let file = self.events.clone()?;
        let length = self.end;
        Some(Position { file, length })
    }

    fn set_position(&mut self, Position { file, length }: Position) {
        (self.events, self.end) = (Some(file), length);
    }
}

fn checksum(path: &Path) -> io::Result<u32> {
    crc32c(&mut File::open(path)?)
}

/// The state of a run.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) run: RunOf,
    /// By step.
    entries: BTreeMap<i64, Entry>,
    /// Where everything that follows the last step is there too.
    end: Option<End>,
    /// Whether steps do not count, because a line is damaged or the event files lack them.
    is_shortened: bool,
}

impl State {
    /// One without a step.
    pub(crate) fn new(run: RunOf) -> Self {
        Self {
            run,
            entries: BTreeMap::new(),
            end: None,
            is_shortened: false,
        }
    }

    /// That of a run's folder as far as its event files hold it; `None` where there is none, or not even its first
    /// line is whole. Lines that are damaged do not count, nor do those behind them.
    pub(crate) fn read(folder: &Path) -> Result<Option<Self>, StateError> {
        let path = folder.join(STATE);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StateError::Read { path, source }),
            Ok(bytes) => bytes,
        };
        let text = String::from_utf8_lossy(&bytes);
        // What no line end follows was not finished.
        let mut lines = text
            .split_inclusive('\n')
            .filter_map(|line| line.strip_suffix('\n'));
        let Some(Ok(Head {
            state: version,
            run,
        })) = lines.next().map(serde_json::from_str)
        else {
            return Ok(None);
        };
        if version != VERSION {
            return Err(StateError::Version { path, version });
        }
        let mut state = Self::new(run);
        let settings = state.settings_hash();
        let mut lengths = HashMap::new();
        for line in lines {
            let line = serde_json::from_str(line);
            let (events, end) = match &line {
                Ok(Line::Step(entry)) => (&entry.events, entry.end),
                Ok(Line::End(end)) => (&end.events, end.length),
                Err(_) => (&None, 0),
            };
            let is_there = match events {
                Some(file) => whole(&mut lengths, folder, file)? >= end,
                None => true,
            };
            match line {
                Ok(Line::Step(entry)) if entry.settings == settings && is_there => {
                    state.end = None;
                    state.entries.insert(entry.step, *entry);
                }
                Ok(Line::End(end)) if end.last_step == state.last() && is_there => {
                    state.end = Some(end);
                }
                _ => {
                    state.is_shortened = true;
                    break;
                }
            }
        }
        Ok(Some(state))
    }

    /// What is known of a step's file.
    pub(crate) fn get(&self, step: i64) -> Option<&Entry> {
        self.entries.get(&step)
    }

    /// The steps that are in the event files, in order.
    pub(crate) fn shown(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.entries.values().filter(|entry| !entry.is_left_out())
    }

    /// Files that could not be read.
    pub(crate) fn left_out(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values().filter(|entry| entry.is_left_out())
    }

    /// The last step that is in the event files.
    pub(crate) fn last(&self) -> Option<i64> {
        self.shown().next_back().map(|entry| entry.step)
    }

    /// The place in the event files behind the last step.
    pub(crate) fn position(&self) -> Option<Position> {
        self.shown().next_back().and_then(Entry::position)
    }

    /// Whether everything that follows the last step is there too.
    pub(crate) fn has_ended(&self) -> bool {
        self.end.is_some()
    }

    /// Whether steps do not count, because a line is damaged or the event files lack them.
    pub(crate) fn is_shortened(&self) -> bool {
        self.is_shortened
    }

    /// Further steps come: what follows the last one is written anew.
    pub(crate) fn reopen(&mut self) {
        self.end = None;
    }

    /// Drops a step and all that comes after it.
    pub(crate) fn cut_from(&mut self, step: i64) {
        self.entries.retain(|known, _| *known < step);
        self.end = None;
    }

    /// Adds the steps of a part, which come after those known.
    pub(crate) fn add_part(&mut self, part: Self) {
        self.entries.extend(part.entries);
    }

    /// All steps are in one event file, up to this place, with everything that follows them.
    pub(crate) fn joined(&mut self, place: &Position) {
        for entry in self
            .entries
            .values_mut()
            .filter(|entry| !entry.is_left_out())
        {
            entry.set_position(place.clone());
        }
        self.end = Some(End {
            last_step: self.last(),
            events: Some(place.file.clone()),
            length: place.length,
        });
    }

    /// The checksum of the settings, which every step notes.
    fn settings_hash(&self) -> u32 {
        let text = serde_json::to_vec(&self.run.settings).unwrap_or_default();
        crc32c(&mut text.as_slice()).unwrap_or_default()
    }

    /// Writes it into a run's folder, and opens it for further steps.
    pub(crate) fn write(&self, folder: &Path) -> Result<StateWriter, StateError> {
        let path = folder.join(STATE);
        let failed = |source| write_error(&path, source);
        let head = Head {
            state: VERSION,
            run: self.run.clone(),
        };
        let settings = self.settings_hash();
        let mut text = line(&head).map_err(failed)?;
        for entry in self.entries.values() {
            let settings = Entry {
                settings,
                ..entry.clone()
            };
            text += &line(&settings).map_err(failed)?;
        }
        if let Some(end) = &self.end {
            text += &line(end).map_err(failed)?;
        }
        write_text(&path, &text)?;
        let file = File::options().append(true).open(&path);
        Ok(StateWriter(Arc::new(Mutex::new(Open {
            file: file.map_err(failed)?,
            path,
            settings,
            coming: BTreeMap::new(),
            events: None,
            failed: None,
        }))))
    }
}

/// How much of an event file is whole, which is found out once.
fn whole(lengths: &mut HashMap<String, u64>, folder: &Path, file: &str) -> Result<u64, StateError> {
    if let Some(length) = lengths.get(file) {
        return Ok(*length);
    }
    let length = whole_length(&folder.join(file))?;
    lengths.insert(file.to_owned(), length);
    Ok(length)
}

fn line(value: &impl Serialize) -> io::Result<String> {
    Ok(serde_json::to_string(value)? + "\n")
}

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
    fn add_entry(&mut self, entry: Entry) {
        let settings = self.settings;
        self.add(&Line::Step(Box::new(Entry { settings, ..entry })));
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
    use super::*;
    use tensorboard_events::{EventFile, Summary};

    fn run_of(probe_images: &str) -> RunOf {
        RunOf {
            settings: toml::toml! { layers = "conv1_1" },
            probe_images: probe_images.to_owned(),
            comparison_images: None,
            network: RunNetwork::default(),
            part: None,
        }
    }

    fn checkpoint(folder: &Path, step: i64, bytes: &[u8]) -> Checkpoint {
        let name = format!("epoch_{step}.pth");
        let path = folder.join(&name);
        fs::write(&path, bytes).unwrap();
        Checkpoint { path, name, step }
    }

    fn entry(file: &Checkpoint) -> Entry {
        Entry::read(file).unwrap()
    }

    /// A run with the steps 1 to 4 in its event file, of which the state knows where each ends.
    fn run(folder: &Path) -> PathBuf {
        let writer = State::new(run_of("p")).write(folder).unwrap();
        let mut events = EventFile::create(folder).unwrap();
        for step in 1..5 {
            writer.expect(entry(&checkpoint(folder, step, &[1; 9])));
            events
                .write_step(step, vec![Summary::scalar("a", 1.0)])
                .unwrap();
            writer.durable(step, events.position());
        }
        writer.check().unwrap();
        let path = events.path().to_owned();
        events.close().unwrap();
        path
    }

    fn steps(state: &State) -> Vec<i64> {
        state.shown().map(|entry| entry.step).collect()
    }

    #[test]
    fn steps_count_as_far_as_the_event_file_has_them() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let events = run(folder);
        let read = || State::read(folder).unwrap().unwrap();
        assert_eq!(steps(&read()), [1, 2, 3, 4]);
        assert!(!read().is_shortened() && !read().has_ended());
        // Killed in the middle of a line.
        let path = folder.join(STATE);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.clone() + "{\"step\":5,\"na").unwrap();
        assert_eq!((steps(&read()).len(), read().is_shortened()), (4, false));
        // A power failure left less of the event file.
        let file = File::options().write(true).open(&events).unwrap();
        let whole = file.metadata().unwrap().len();
        file.set_len(whole - 1).unwrap();
        assert_eq!(
            (steps(&read()), read().is_shortened()),
            (vec![1, 2, 3], true)
        );
        let third = read().position().unwrap();
        file.set_len(third.length).unwrap();
        assert_eq!(steps(&read()), [1, 2, 3]);
        fs::remove_file(&events).unwrap();
        assert_eq!((steps(&read()), read().is_shortened()), (Vec::new(), true));
    }

    #[test]
    fn the_end_is_that_of_the_last_step() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        run(folder);
        let read = || State::read(folder).unwrap().unwrap();
        let writer = read().write(folder).unwrap();
        writer.leave_out(&checkpoint(folder, 5, b""));
        assert!(!read().has_ended());
        writer.end(Some(4), 0).unwrap();
        assert!(read().has_ended());
        assert_eq!(read().left_out().count(), 1);
        read().write(folder).unwrap();
        assert!(read().has_ended());
        let mut cut = read();
        cut.cut_from(4);
        cut.write(folder).unwrap();
        assert_eq!((steps(&read()), read().has_ended()), (vec![1, 2, 3], false));
        // Of another step than the last one.
        cut.write(folder).unwrap().end(Some(4), 0).unwrap();
        assert!(!read().has_ended());
    }

    #[test]
    fn a_file_is_the_same_if_its_content_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = checkpoint(folder.path(), 1, &[1; 9]);
        let entry = entry(&file);
        let later = std::time::SystemTime::now() + std::time::Duration::from_secs(9);
        let touch = || {
            File::options()
                .append(true)
                .open(&file.path)
                .unwrap()
                .set_modified(later)
        };
        touch().unwrap();
        assert!(entry.is_of(&file));
        fs::write(&file.path, [2; 9]).unwrap();
        touch().unwrap();
        assert!(!entry.is_of(&file));
        fs::write(&file.path, [1; 8]).unwrap();
        assert!(!entry.is_of(&file));
        fs::remove_file(&file.path).unwrap();
        assert!(!entry.is_of(&file));
    }

    #[test]
    fn damaged_lines_do_not_count_nor_do_those_behind_them() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        assert!(State::read(folder).unwrap().is_none());
        run(folder);
        let path = folder.join(STATE);
        let text = fs::read(&path).unwrap();
        let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
        for damage in [&b"\0\0\0\n"[..], b"[]\n", b"\xff\xff\n", b"{\"step\":2}\n"] {
            let damaged = [lines[0], lines[1], damage, lines[3]].concat();
            fs::write(&path, damaged).unwrap();
            let read = State::read(folder).unwrap().unwrap();
            assert_eq!((steps(&read), read.is_shortened()), (vec![1], true));
            fs::write(&path, damage).unwrap();
            assert!(State::read(folder).unwrap().is_none());
        }
        // Steps of other settings.
        let other = String::from_utf8_lossy(lines[2]).replace("\"settings\":", "\"settings\":1");
        fs::write(&path, [lines[0], lines[1], other.as_bytes()].concat()).unwrap();
        assert_eq!(steps(&State::read(folder).unwrap().unwrap()), [1]);
        let newer = String::from_utf8_lossy(lines[0]).replace("\"state\":1", "\"state\":2");
        fs::write(&path, newer).unwrap();
        let error = State::read(folder).err().unwrap().to_string();
        assert!(error.contains("state.jsonl has the format 2"), "{error}");
    }
}
