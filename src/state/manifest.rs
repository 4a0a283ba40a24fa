//! `manifest.jsonl`: which file each step of a run shows, so that the same command goes on where it ended.
//!
//! The first line says what the run is of, each further one is a step that is in the event file, or a file that could
//! not be read. A process that is killed leaves an unfinished last line at most, which does not count.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use super::error::StateError;
use super::files::{read_text, write_error, write_text};
use super::network::RunNetwork;
use crate::data::checkpoints::Checkpoint;
use crate::weights::crc32c;

/// The file's name in a run's folder.
pub(crate) const MANIFEST: &str = "manifest.jsonl";

const VERSION: u32 = 1;

/// What the run is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    /// The version of this format.
    manifest: u32,
    /// SHA-256 of the probe images as the network gets them.
    probe_images: String,
    /// The network that it shows; files of earlier versions do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    network: Option<RunNetwork>,
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) step: i64,
    /// As the run calls it.
    pub(crate) name: String,
    #[serde(flatten)]
    stamp: Stamp,
    /// The checksum of its content: enough to see that it is another file, and a tenth of the time of SHA-256.
    crc32c: u32,
    /// Whether it could not be read, and so has no step.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) left_out: bool,
}

impl Entry {
    /// Of a file that was like this when it was opened.
    pub(crate) fn new(checkpoint: &Checkpoint, stamp: Stamp, crc32c: u32) -> Self {
        Self {
            step: checkpoint.step,
            name: checkpoint.name.clone(),
            stamp,
            crc32c,
            left_out: false,
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
}

fn checksum(path: &Path) -> io::Result<u32> {
    crc32c(&mut File::open(path)?)
}

/// A run's manifest.
#[derive(Debug)]
pub(crate) struct Manifest {
    head: Head,
    /// By step.
    entries: BTreeMap<i64, Entry>,
}

impl Manifest {
    /// One without a step.
    pub(crate) fn new(probe_images: String, network: RunNetwork) -> Self {
        Self {
            head: Head {
                manifest: VERSION,
                probe_images,
                network: Some(network),
            },
            entries: BTreeMap::new(),
        }
    }

    /// That of a run's folder, if there is one.
    pub(crate) fn read(folder: &Path) -> Result<Option<Self>, StateError> {
        let path = folder.join(MANIFEST);
        let damaged = |line: usize, why: String| StateError::Manifest {
            path: path.clone(),
            line,
            why,
        };
        let text = read_text(&path)?.unwrap_or_default();
        // What no line end follows was not finished.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let mut lines = (1..).zip(whole.lines());
        let Some((_, head)) = lines.next() else {
            return Ok(None);
        };
        let head: Head =
            serde_json::from_str(head).map_err(|error| damaged(1, error.to_string()))?;
        if head.manifest != VERSION {
            let why = format!("expected format {VERSION}, found {}", head.manifest);
            return Err(damaged(1, why));
        }
        let mut entries = BTreeMap::new();
        for (number, line) in lines {
            let entry: Entry =
                serde_json::from_str(line).map_err(|error| damaged(number, error.to_string()))?;
            entries.insert(entry.step, entry);
        }
        Ok(Some(Self { head, entries }))
    }

    /// What is known of a step's file.
    pub(crate) fn get(&self, step: i64) -> Option<&Entry> {
        self.entries.get(&step)
    }

    /// The steps that are in the event file, in order.
    pub(crate) fn shown(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.entries.values().filter(|entry| !entry.left_out)
    }

    /// The last step that is in the event file.
    pub(crate) fn last(&self) -> Option<i64> {
        self.shown().next_back().map(|entry| entry.step)
    }

    /// Drops all that comes after a step; without a step, all.
    pub(crate) fn cut_after(&mut self, last: Option<i64>) {
        self.entries.retain(|step, _| Some(*step) <= last);
    }

    /// Whether the run shows these probe images.
    pub(crate) fn shows(&self, probe_images: &str) -> bool {
        self.head.probe_images == probe_images
    }

    /// The network that the run shows, if that was noted.
    pub(crate) fn network(&self) -> Option<&RunNetwork> {
        self.head.network.as_ref()
    }

    /// The steps of both; those of the other come later.
    pub(crate) fn and(mut self, later: Self) -> Self {
        self.entries.extend(later.entries);
        self
    }

    /// Writes it into a run's folder, and opens it for further steps.
    pub(crate) fn write(&self, folder: &Path) -> Result<ManifestWriter, StateError> {
        let path = folder.join(MANIFEST);
        let failed = |source| write_error(&path, source);
        let mut text = line(&self.head).map_err(failed)?;
        for entry in self.entries.values() {
            text += &line(entry).map_err(failed)?;
        }
        write_text(&path, &text)?;
        let file = File::options().append(true).open(&path);
        Ok(ManifestWriter(Arc::new(Mutex::new(Open {
            file: file.map_err(failed)?,
            path,
            coming: BTreeMap::new(),
            failed: None,
        }))))
    }
}

fn line(value: &impl Serialize) -> io::Result<String> {
    Ok(serde_json::to_string(value)? + "\n")
}

/// Adds the steps of this process, each once the event file has it. Clones write to the same file.
#[derive(Clone)]
pub(crate) struct ManifestWriter(Arc<Mutex<Open>>);

struct Open {
    file: File,
    path: PathBuf,
    /// The files of steps that are not in the event file yet.
    coming: BTreeMap<i64, Entry>,
    failed: Option<io::Error>,
}

impl ManifestWriter {
    /// Says which file a step is going to show.
    pub(crate) fn expect(&self, entry: Entry) {
        self.lock().coming.insert(entry.step, entry);
    }

    /// The event file has this step.
    pub(crate) fn written(&self, step: i64) {
        let mut open = self.lock();
        if let Some(entry) = open.coming.remove(&step) {
            open.add(&entry);
        }
    }

    /// A file cannot be read. One that is gone needs no line.
    pub(crate) fn leave_out(&self, file: &Checkpoint) {
        if let Ok(entry) = Entry::read(file) {
            let left_out = true;
            self.lock().add(&Entry { left_out, ..entry });
        }
    }

    /// Whether every step that was written is in the manifest.
    pub(crate) fn check(&self) -> Result<(), StateError> {
        let mut open = self.lock();
        match open.failed.take() {
            Some(source) => Err(write_error(&open.path, source)),
            None => Ok(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn add(&mut self, entry: &Entry) {
        // In one piece, so that a line is there as a whole or not at all.
        let text = line(entry);
        let written = text.and_then(|text| self.file.write_all(text.as_bytes()));
        if let Err(error) = written {
            self.failed.get_or_insert(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint(folder: &Path, step: i64, bytes: &[u8]) -> Checkpoint {
        let name = format!("epoch_{step}.pth");
        let path = folder.join(&name);
        fs::write(&path, bytes).unwrap();
        Checkpoint { path, name, step }
    }

    fn entry(file: &Checkpoint) -> Entry {
        Entry::read(file).unwrap()
    }

    #[test]
    fn steps_are_there_once_they_are_written() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let files = [1, 2, 3].map(|step| checkpoint(folder, step, &[1; 9]));
        let writer = Manifest::new("p".to_owned(), RunNetwork::default())
            .write(folder)
            .unwrap();
        for file in &files {
            writer.expect(entry(file));
        }
        writer.written(1);
        writer.written(2);
        writer.written(7);
        writer.check().unwrap();
        // Killed in the middle of a line.
        let path = folder.join(MANIFEST);
        let text = fs::read_to_string(&path).unwrap() + "{\"step\":3,\"na";
        fs::write(&path, text).unwrap();
        let mut read = Manifest::read(folder).unwrap().unwrap();
        assert!(read.shows("p") && !read.shows("q"));
        assert_eq!(read.last(), Some(2));
        assert_eq!(read.shown().count(), 2);
        assert!(read.entries[&2].is_of(&files[1]));
        read.cut_after(Some(1));
        read.write(folder).unwrap();
        let read = Manifest::read(folder).unwrap().unwrap();
        assert_eq!((read.last(), read.shown().count()), (Some(1), 1));
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
    fn what_is_no_manifest_is_refused_by_line() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        assert!(Manifest::read(folder).unwrap().is_none());
        for (text, line) in [
            ("nothing\n", "line 1"),
            (
                "{\"manifest\":2,\"probe_images\":\"\"}\n",
                "expected format 1, found 2",
            ),
            ("{\"manifest\":1,\"probe_images\":\"\"}\n[]\n", "line 2"),
        ] {
            fs::write(folder.join(MANIFEST), text).unwrap();
            let error = Manifest::read(folder).err().unwrap().to_string();
            assert!(error.contains(line), "{error}");
        }
        fs::write(folder.join(MANIFEST), "{\"manif").unwrap();
        assert!(Manifest::read(folder).unwrap().is_none());
    }
}
