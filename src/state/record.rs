//! The lines of `state.jsonl`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use tensorboard_events::Position;
use toml::Table;

use super::network::RunNetwork;
use crate::data::checkpoints::Checkpoint;
use crate::weights::crc32c;

pub(super) const VERSION: u32 = 1;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunOf {
    /// The settings that change what it shows.
    pub(crate) settings: Table,
    /// SHA-256 of the probe images as the network gets them.
    pub(crate) probe_images: String,
    /// The same of the comparison images, where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) comparison_images: Option<String>,
    /// The checksum of the file that changes are shown against, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) change_file: Option<u32>,
    pub(crate) network: RunNetwork,
    /// Where it is a part of another run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) part: Option<PartOf>,
}

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
pub(super) struct Head {
    /// The version of this format.
    pub(super) state: u32,
    #[serde(flatten)]
    pub(super) run: RunOf,
    #[serde(default)]
    pub(super) files: BTreeMap<String, String>,
}

/// A line behind the first.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Line {
    Step(Box<Entry>),
    End(End),
}

/// That nothing is missing behind the last step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct End {
    /// None where no file could be read.
    pub(super) last_step: Option<i64>,
    /// The event file that the last step is in, and how long it is then. Units: bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) events: Option<String>,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) length: u64,
}

/// A file's size, and when it was last written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    bytes: u64,
    /// Units: nanoseconds since 1970.
    pub(crate) modified: u64,
}

impl Stamp {
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
    pub(crate) name: String,
    #[serde(flatten)]
    stamp: Stamp,
    /// The checksum of its content: enough to see that it is another file, and a tenth of the time of SHA-256.
    crc32c: u32,
    /// That of the settings in the first line.
    #[serde(default)]
    pub(super) settings: u32,
    /// What was found out of its weights, where these are compared: TOML, which knows NaN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) found: Option<String>,
    /// The event file that the step is in. None where the file could not be read, and so has no step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) events: Option<String>,
    /// Where the step ends in it. Units: bytes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) end: u64,
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

    pub(crate) fn position(&self) -> Option<Position> {
        let file = self.events.clone()?;
        let length = self.end;
        Some(Position { file, length })
    }

    pub(super) fn set_position(&mut self, Position { file, length }: Position) {
        (self.events, self.end) = (Some(file), length);
    }
}

pub(crate) fn checksum(path: &Path) -> io::Result<u32> {
    crc32c(&mut File::open(path)?)
}

pub(super) fn line(value: &impl Serialize) -> io::Result<String> {
    Ok(serde_json::to_string(value)? + "\n")
}
