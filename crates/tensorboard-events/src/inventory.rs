//! What the event files of a run hold, by tag, and what TensorBoard's two loaders make of it.
//!
//! Values are passed over one by one and only their steps are kept, so memory grows with how many they are and not
//! with what is in them. Of two pictures of a tag at a step both loaders have the later one; the README has the other
//! rules. Source: `tensorboard/data/server/{run,reservoir}.rs`, `plugin_event_accumulator.py` in
//! `tensorboard/backend/event_processing`.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use crate::graph::GRAPH_TAG;
use crate::read::{Content, Event, EventReader, ReadError};
use crate::record::Damage;

const GRAPHS: &str = "graphs";

/// What the event files of a run hold.
#[derive(Debug, Default)]
pub struct Inventory {
    /// The files, in the order in which TensorBoard reads them.
    pub files: Vec<FileInventory>,
    /// The tags.
    pub tags: BTreeMap<String, TagInventory>,
    has_started: bool,
}

/// An event file.
#[derive(Debug)]
pub struct FileInventory {
    /// The file.
    pub path: PathBuf,
    /// How long it is. Units: bytes.
    pub bytes: u64,
    /// Where the last whole record ends. Units: bytes.
    pub whole: u64,
    /// What is wrong there; `None` where the file ends there.
    pub damage: Option<ReadError>,
}

/// The values of a tag.
#[derive(Debug, Default)]
pub struct TagInventory {
    /// The plugin that shows it; empty where no value names one, and nothing shows it.
    pub plugin: String,
    /// The length of the records that its values are in. Units: bytes.
    pub bytes: u64,
    /// How many values the files hold.
    pub values: usize,
    /// How many of them follow damaged data in their file, so that only the fast loader reads them.
    pub behind_damage: usize,
    /// How many of them are at the step of the value before.
    pub at_same_step: usize,
    /// Those that the fast loader has, with rising steps.
    pub fast: Vec<Place>,
    /// The steps that the slow loader has, in its order.
    pub slow: Vec<i64>,
}

/// Where a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its step.
    pub step: i64,
    /// The file, by its number.
    pub file: usize,
    /// Where its record begins. Units: bytes.
    pub offset: u64,
}

impl Inventory {
    /// Reads all of some event files, which are one run's, in their order. What cannot be read is part of the answer.
    pub fn of(files: &[PathBuf]) -> Self {
        let mut inventory = Self::default();
        for path in files {
            let mut file = FileInventory {
                path: path.clone(),
                bytes: fs::metadata(path).map_or(0, |metadata| metadata.len()),
                whole: 0,
                damage: None,
            };
            inventory.read(&mut file);
            inventory.files.push(file);
        }
        inventory
    }

    /// Whether all files are whole.
    pub fn is_whole(&self) -> bool {
        self.files.iter().all(|file| file.damage.is_none())
    }

    fn read(&mut self, file: &mut FileInventory) {
        let mut events = match EventReader::open(&file.path) {
            Ok(events) => events,
            Err(damage) => return file.damage = Some(damage),
        };
        while let Some(event) = events.next() {
            let end = events.offset();
            match event {
                // What follows damage is for the fast loader only.
                Ok(event) => {
                    let bytes = end - event.offset;
                    self.add(event, bytes, file.damage.is_some());
                    if file.damage.is_none() {
                        file.whole = end;
                    }
                }
                Err(damage) => {
                    let is_data = is_data_crc(&damage);
                    file.damage.get_or_insert(damage);
                    if !is_data || events.records.go_on_unchecked().is_err() {
                        return;
                    }
                }
            }
        }
    }

    fn add(&mut self, event: Event, bytes: u64, only_fast: bool) {
        let place = Place {
            step: event.step,
            file: self.files.len(),
            offset: event.offset,
        };
        match event.content {
            Content::Summaries(summaries) => {
                let bytes = bytes / summaries.len().max(1) as u64;
                for summary in summaries {
                    let tag = self.tag(summary.tag, &summary.plugin);
                    tag.add(place, bytes, only_fast);
                }
            }
            // The last one counts, at whatever step it is.
            Content::Graph(_) => {
                let tag = self.tag(GRAPH_TAG.to_owned(), GRAPHS);
                tag.fast.clear();
                tag.slow.clear();
                tag.add(place, bytes, false);
            }
            Content::SessionStart if !only_fast => {
                if self.has_started {
                    self.restart(event.step);
                }
                self.has_started = true;
            }
            _ => {}
        }
    }

    fn tag(&mut self, tag: String, plugin: &str) -> &mut TagInventory {
        let tag = self.tags.entry(tag).or_default();
        if tag.plugin.is_empty() {
            plugin.clone_into(&mut tag.plugin);
        }
        tag
    }

    /// What the slow loader does where a run is resumed.
    fn restart(&mut self, first: i64) {
        for tag in self.tags.values_mut().filter(|tag| tag.plugin != GRAPHS) {
            tag.slow.retain(|step| *step < first);
        }
    }
}

impl TagInventory {
    fn add(&mut self, place: Place, bytes: u64, only_fast: bool) {
        self.values += 1;
        self.bytes += bytes;
        self.behind_damage += usize::from(only_fast);
        let last = self.fast.last();
        self.at_same_step += usize::from(last.is_some_and(|last| last.step == place.step));
        let kept = self.fast.partition_point(|other| other.step < place.step);
        self.fast.truncate(kept);
        self.fast.push(place);
        // The plugins of pictures and sounds have one value a step.
        let is_single = ["images", "audio"].contains(&self.plugin.as_str());
        let is_new = self.slow.last().is_none_or(|last| *last < place.step);
        if !only_fast && (is_new || !is_single || !self.slow.contains(&place.step)) {
            self.slow.push(place.step);
        }
    }
}

/// Whether it is data that does not match its checksum, and what follows can be found.
fn is_data_crc(error: &ReadError) -> bool {
    matches!(error, ReadError::Record { source, .. } if matches!(source.damage, Damage::DataCrc))
}
