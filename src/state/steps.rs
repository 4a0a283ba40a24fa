//! `state.jsonl`: what a run shows and which file each of its steps is of, so that the same command resumes it where it
//! ended.
//!
//! The first line says what the run is of, each further one is a step that is on the disk, a file that could not be
//! read, or that everything that follows the last step is there too. A line is appended once what it names is on the
//! disk; the event files are the truth, and steps that they lack do not count.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::Path;

use tensorboard_events::{Position, whole_length};

use super::error::StateError;
use super::files::{write_error, write_text};
use super::record::{End, Entry, Head, Line, RunOf, VERSION, line};
use super::writer::StateWriter;
use crate::weights::crc32c;

pub(crate) const STATE: &str = "state.jsonl";

#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) run: RunOf,
    /// The text of the files next to it by which all steps are shown, by name.
    pub(crate) files: BTreeMap<String, String>,
    entries: BTreeMap<i64, Entry>,
    /// Where everything that follows the last step is there too.
    end: Option<End>,
    /// Whether steps do not count, because a line is damaged or the event files lack them.
    is_shortened: bool,
}

impl State {
    pub(crate) fn new(run: RunOf) -> Self {
        Self {
            run,
            files: BTreeMap::new(),
            entries: BTreeMap::new(),
            end: None,
            is_shortened: false,
        }
    }

    /// Whether a run's folder has a state, of which the first line is whole.
    pub(crate) fn has_begun(folder: &Path) -> Result<bool, StateError> {
        let text = text(&folder.join(STATE))?.unwrap_or_default();
        Ok(head(&mut whole_lines(&text)).is_some())
    }

    /// That of a run's folder as far as its event files hold it; `None` where there is none, or not even its first
    /// line is whole. Lines that are damaged do not count, nor do those behind them.
    pub(crate) fn read(folder: &Path) -> Result<Option<Self>, StateError> {
        let path = folder.join(STATE);
        let text = text(&path)?.unwrap_or_default();
        let mut lines = whole_lines(&text);
        let Some(Head {
            state: version,
            run,
            files,
        }) = head(&mut lines)
        else {
            return Ok(None);
        };
        if version != VERSION {
            return Err(StateError::Version { path, version });
        }
        let mut state = Self::new(run);
        state.files = files;
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
                Some(file) if !is_name(file) => false,
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

    pub(crate) fn get(&self, step: i64) -> Option<&Entry> {
        self.entries.get(&step)
    }

    /// All steps that it knows of, in order.
    pub(crate) fn steps(&self) -> impl Iterator<Item = i64> {
        self.entries.keys().copied()
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

    pub(crate) fn position(&self) -> Option<Position> {
        self.shown().next_back().and_then(Entry::position)
    }

    /// Whether everything that follows the last step is there too.
    pub(crate) fn has_ended(&self) -> bool {
        self.end.is_some()
    }

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
            files: self.files.clone(),
        };
        let settings = self.settings_hash();
        let mut text = line(&head).map_err(failed)?;
        for entry in self.entries.values() {
            let mut entry = entry.clone();
            entry.settings = settings;
            text += &line(&entry).map_err(failed)?;
        }
        if let Some(end) = &self.end {
            text += &line(end).map_err(failed)?;
        }
        write_text(&path, &text)?;
        StateWriter::open(path, settings)
    }
}

/// The text of a file, if there is one; what is no UTF-8 is damage of its line.
fn text(path: &Path) -> Result<Option<String>, StateError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StateError::Read {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Its lines: what no line end follows was not finished.
fn whole_lines(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.split_inclusive('\n');
    lines.filter_map(|line| line.strip_suffix('\n'))
}

fn head<'a>(lines: &mut impl Iterator<Item = &'a str>) -> Option<Head> {
    serde_json::from_str(lines.next()?).ok()
}

/// Whether it is the name of a file in a folder, not a path out of it.
fn is_name(file: &str) -> bool {
    Path::new(file).file_name() == Some(file.as_ref())
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

#[cfg(test)]
mod tests;
