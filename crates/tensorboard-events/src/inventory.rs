//! What the event files of a run hold, by tag, and what TensorBoard's two loaders make of it.
//!
//! Values are passed over one by one and only their steps are kept, so memory grows with how many they are and not
//! with what is in them.
//!
//! | | fast loader (data server) | slow loader (Python) |
//! | --- | --- | --- |
//! | a step at or before one that the tag has | ends the later ones | is one more |
//! | a session that starts, but for the first one | nothing | ends what is at its step or later, of all tags |
//! | data that does not match its checksum | is taken as it is | ends the file |
//! | other damage | ends the file | ends the file |
//! | two pictures of a tag at a step | the later one | the later one |
//!
//! Source: `tensorboard/data/server/{run,reservoir}.rs`, `plugin_event_accumulator.py` in
//! `tensorboard/backend/event_processing`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::PathBuf;

use super::graph::GRAPH_TAG;
use super::read::{Content, Event, EventReader, ReadError};
use super::record::RecordError;
use super::scan;

/// The plugin that shows a run's graph.
const GRAPHS: &str = "graphs";

/// What the event files of a run hold.
#[derive(Debug, Default)]
pub struct Inventory {
    /// The files, in the order in which TensorBoard reads them.
    pub files: Vec<FileInventory>,
    /// The tags.
    pub tags: BTreeMap<String, TagInventory>,
    /// Whether a session started before.
    has_started: bool,
    /// Whether only the fast loader gets to what follows in the file.
    only_fast: bool,
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
    #[must_use]
    pub fn of(files: &[PathBuf]) -> Self {
        let mut inventory = Self::default();
        for path in files {
            inventory.add_file(path.clone());
        }
        inventory
    }

    /// Whether all files are whole.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.files.iter().all(|file| file.damage.is_none())
    }

    fn add_file(&mut self, path: PathBuf) {
        let mut file = FileInventory {
            bytes: fs::metadata(&path).map_or(0, |metadata| metadata.len()),
            path,
            whole: 0,
            damage: None,
        };
        match EventReader::open(&file.path) {
            Ok(mut events) => {
                while let Some(event) = events.next() {
                    match event {
                        Ok(event) => {
                            let end = events.offset();
                            let bytes = end - event.offset;
                            if !self.only_fast {
                                file.whole = end;
                            }
                            self.add(event, bytes);
                        }
                        Err(damage) => {
                            let has_data = matches!(
                                damage,
                                ReadError::Record {
                                    source: RecordError::DataCrc { .. },
                                    ..
                                }
                            );
                            file.damage.get_or_insert(damage);
                            if !has_data || events.go_on_unchecked().is_err() {
                                break;
                            }
                            self.only_fast = true;
                        }
                    }
                }
            }
            Err(damage) => file.damage = Some(damage),
        }
        self.only_fast = false;
        self.files.push(file);
    }

    fn add(&mut self, event: Event, bytes: u64) {
        let place = Place {
            step: event.step,
            file: self.files.len(),
            offset: event.offset,
        };
        match event.content {
            Content::Summaries(summaries) => {
                let bytes = bytes / summaries.len().max(1) as u64;
                for summary in summaries {
                    let only_fast = self.only_fast;
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
            Content::SessionStart if self.only_fast => {}
            Content::SessionStart if self.has_started => self.restart(event.step),
            Content::SessionStart => self.has_started = true,
            Content::FileVersion(_) | Content::Other => {}
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

/// How many steps event files hold, without reading what is in them. What cannot be read does not count.
#[must_use]
pub fn count_steps(files: &[PathBuf]) -> usize {
    let mut all = BTreeSet::new();
    for path in files {
        let Ok(file) = File::open(path) else {
            continue;
        };
        let length = file.metadata().map_or(0, |metadata| metadata.len());
        all.extend(scan::steps(file, path, length));
    }
    all.len()
}

impl TagInventory {
    fn add(&mut self, place: Place, bytes: u64, only_fast: bool) {
        self.values += 1;
        self.bytes += bytes;
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
