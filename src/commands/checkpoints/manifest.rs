//! `manifest.jsonl`: which file each step of a run shows, so that the same command goes on where it ended.
//!
//! The first line says what the run is of, each further one is a step that is in the event file. A process that is
//! killed leaves an unfinished last line at most, which does not count.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use super::open::RunNetwork;
use crate::commands::error::RunError;
use crate::data::checkpoints::Checkpoint;
use crate::weights::crc32c;

/// The file's name in a run's folder.
pub(super) const MANIFEST: &str = "manifest.jsonl";

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

const VERSION: u32 = 1;

/// A step and its file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) step: i64,
    /// As the run calls it.
    pub(super) name: String,
    pub(super) bytes: u64,
    /// When it was last written. Units: nanoseconds since 1970.
    modified: u64,
    /// The checksum of its content: enough to see that it is another file, and a tenth of the time of SHA-256.
    crc32c: u32,
    /// Whether it could not be read, and so has no step.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    left_out: bool,
}

impl Entry {
    /// Of a file as it is now.
    pub(super) fn of(checkpoint: &Checkpoint) -> io::Result<Self> {
        let (bytes, modified) = stamp(&checkpoint.path)?;
        Ok(Self {
            step: checkpoint.step,
            name: checkpoint.name.clone(),
            bytes,
            modified,
            crc32c: checksum(&checkpoint.path)?,
            left_out: false,
        })
    }

    /// Whether the file is still the one that was shown. Where size and time are, it is not read.
    pub(super) fn is_of(&self, checkpoint: &Checkpoint) -> bool {
        let Ok((bytes, modified)) = stamp(&checkpoint.path) else {
            return false;
        };
        if bytes != self.bytes || modified == self.modified {
            return bytes == self.bytes;
        }
        checksum(&checkpoint.path).is_ok_and(|now| now == self.crc32c)
    }
}

fn checksum(path: &Path) -> io::Result<u32> {
    crc32c(&mut File::open(path)?)
}

/// Size and time of the last change.
pub(super) fn stamp(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::metadata(path)?;
    let since = metadata.modified()?.duration_since(UNIX_EPOCH);
    let nanoseconds = since.map_or(0, |since| since.as_nanos());
    Ok((
        metadata.len(),
        u64::try_from(nanoseconds).unwrap_or(u64::MAX),
    ))
}

/// A run's manifest.
pub(super) struct Manifest {
    path: PathBuf,
    head: Head,
    /// By step.
    pub(super) entries: BTreeMap<i64, Entry>,
    /// The files that could not be read, by the steps that they would have been.
    left_out: BTreeMap<i64, Entry>,
}

impl Manifest {
    /// One without a step.
    pub(super) fn new(folder: &Path, probe_images: String, network: RunNetwork) -> Self {
        Self {
            path: folder.join(MANIFEST),
            head: Head {
                manifest: VERSION,
                probe_images,
                network: Some(network),
            },
            entries: BTreeMap::new(),
            left_out: BTreeMap::new(),
        }
    }

    /// That of a run's folder, if there is one.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>, RunError> {
        let path = folder.join(MANIFEST);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(|source| RunError::ReadManifest {
                path: path.clone(),
                source,
            })?,
        };
        let damaged = |line: usize, why: String| RunError::Manifest {
            path: path.clone(),
            line,
            why,
        };
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
        let (mut entries, mut left_out) = (BTreeMap::new(), BTreeMap::new());
        for (number, line) in lines {
            let entry: Entry =
                serde_json::from_str(line).map_err(|error| damaged(number, error.to_string()))?;
            let kind = if entry.left_out {
                &mut left_out
            } else {
                &mut entries
            };
            kind.insert(entry.step, entry);
        }
        Ok(Some(Self {
            path,
            head,
            entries,
            left_out,
        }))
    }

    /// Whether a file was left out before, and is still the same.
    pub(super) fn leaves_out(&self, file: &Checkpoint) -> bool {
        let entry = self.left_out.get(&file.step);
        entry.is_some_and(|entry| entry.is_of(file))
    }

    /// Whether the run shows these probe images.
    pub(super) fn shows(&self, probe_images: &str) -> bool {
        self.head.probe_images == probe_images
    }

    /// The network that the run shows, if it is known.
    pub(super) fn network(self) -> Option<RunNetwork> {
        self.head.network
    }

    /// The steps of both; those of the other come later.
    pub(super) fn and(mut self, later: Self) -> Self {
        self.entries.extend(later.entries);
        self.left_out.extend(later.left_out);
        self
    }

    /// The same for another folder.
    pub(super) fn at(self, folder: &Path) -> Self {
        let path = folder.join(MANIFEST);
        Self { path, ..self }
    }

    /// Drops the steps from `first` on, and writes the rest, to which steps are added.
    pub(super) fn write_before(mut self, first: i64) -> Result<Writer, RunError> {
        let failed = |source| RunError::WriteManifest {
            path: self.path.clone(),
            source,
        };
        self.entries.split_off(&first);
        self.left_out.split_off(&first);
        let mut text = line(&self.head).map_err(failed)?;
        for entry in self.entries.values().chain(self.left_out.values()) {
            text += &line(entry).map_err(failed)?;
        }
        // Whoever is killed here leaves the old one or the new one.
        let new = self.path.with_extension("jsonl.new");
        let written = fs::write(&new, text).and_then(|()| fs::rename(&new, &self.path));
        written.map_err(failed)?;
        let file = File::options().append(true).open(&self.path);
        Ok(Writer(Arc::new(Mutex::new(State {
            file: file.map_err(failed)?,
            path: self.path,
            coming: BTreeMap::new(),
            failed: None,
        }))))
    }
}

fn line(value: &impl Serialize) -> io::Result<String> {
    Ok(serde_json::to_string(value)? + "\n")
}

/// Adds the steps of this process, each once the event file has it.
#[derive(Clone)]
pub(super) struct Writer(Arc<Mutex<State>>);

struct State {
    file: File,
    path: PathBuf,
    /// The files of steps that are not in the event file yet.
    coming: BTreeMap<i64, Entry>,
    failed: Option<io::Error>,
}

impl Writer {
    /// Says which file a step is going to show.
    pub(super) fn expect(&self, entry: Entry) {
        self.state().coming.insert(entry.step, entry);
    }

    /// The event file has this step.
    pub(super) fn written(&self, step: i64) {
        let mut state = self.state();
        if let Some(entry) = state.coming.remove(&step) {
            state.add(&entry);
        }
    }

    /// A file cannot be read. One that is gone needs no line.
    pub(super) fn leave_out(&self, file: &Checkpoint) {
        if let Ok(entry) = Entry::of(file) {
            let left_out = true;
            self.state().add(&Entry { left_out, ..entry });
        }
    }

    /// Whether every step that was written is in the manifest.
    pub(super) fn check(&self) -> Result<(), RunError> {
        let mut state = self.state();
        match state.failed.take() {
            Some(source) => Err(RunError::WriteManifest {
                path: state.path.clone(),
                source,
            }),
            None => Ok(()),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
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

    #[test]
    fn steps_are_there_once_they_are_written() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let files = [1, 2, 3].map(|step| checkpoint(folder, step, &[1; 9]));
        let writer = Manifest::new(folder, "p".to_owned(), RunNetwork::default())
            .write_before(i64::MIN)
            .unwrap();
        for file in &files {
            writer.expect(Entry::of(file).unwrap());
        }
        writer.written(1);
        writer.written(2);
        writer.written(7);
        writer.check().unwrap();
        // Killed in the middle of a line.
        let path = folder.join(MANIFEST);
        let text = fs::read_to_string(&path).unwrap() + "{\"step\":3,\"na";
        fs::write(&path, text).unwrap();
        let read = Manifest::read(folder).unwrap().unwrap();
        assert!(read.shows("p") && !read.shows("q"));
        assert_eq!(read.entries.keys().copied().collect::<Vec<_>>(), [1, 2]);
        assert!(read.entries[&2].is_of(&files[1]));
        read.write_before(2).unwrap();
        let read = Manifest::read(folder).unwrap().unwrap();
        assert_eq!(read.entries.keys().copied().collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn a_file_is_the_same_if_its_content_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = checkpoint(folder.path(), 1, &[1; 9]);
        let entry = Entry::of(&file).unwrap();
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
