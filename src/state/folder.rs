//! The folder of a run: reserved for one process, and taken away again where no step came of it.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::error::StateError;
use super::files::{content, write_text};
use crate::durable;
use crate::interrupt::Interrupt;
use tensorboard_events::{EventReader, event_files};

pub(crate) const CONFIG: &str = "config.toml";

/// Locked while a process logs to a folder: on NFS a lock on the folder itself would not reach other machines.
const LOCK: &str = ".lock";

/// What the names of the folders of parts begin with, in that of the run.
const PART: &str = "part-";

/// The folders of a run's parts, by their number.
pub(crate) fn part_folders(run: &Path) -> Result<BTreeMap<usize, PathBuf>, StateError> {
    let entries = match fs::read_dir(run) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeMap::new()),
        entries => entries.map_err(|source| failed(run, source))?,
    };
    let mut parts = BTreeMap::new();
    for entry in entries {
        let path = entry.map_err(|source| failed(run, source))?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let number = name.and_then(|name| name.strip_prefix(PART)?.parse().ok());
        if let Some(number) = number.filter(|_| path.is_dir()) {
            parts.insert(number, path);
        }
    }
    Ok(parts)
}

/// A folder that no other process logs to while this lives.
pub(crate) struct RunFolder {
    traces: Arc<Traces>,
    /// Held until the process ends; none where the file system has no locks.
    lock: Option<File>,
}

/// What a run leaves in the file system before its first step.
struct Traces {
    path: PathBuf,
    /// The folders that were made for it, the outermost first.
    made: Vec<PathBuf>,
    /// Whether it holds something to keep.
    used: AtomicBool,
    /// The files next to the event file that are this run's.
    written: Mutex<Vec<PathBuf>>,
}

impl RunFolder {
    /// The folder of a new run. TensorBoard shows all of a folder as one run, so a second run there would garble both.
    ///
    /// # Errors
    ///
    /// It holds a run, another process has it, or it cannot be made.
    pub(crate) fn reserve(path: PathBuf, interrupt: &Interrupt) -> Result<Self, StateError> {
        let made = make(&path)?;
        let reserved = Self::new(path, made, interrupt)?;
        reserved.refuse_used()?;
        Ok(reserved)
    }

    /// A folder in `logdir` that no other process gets, named by the time and `command`: what tells runs apart stands in
    /// the part of a name that TensorBoard shows.
    pub(crate) fn reserve_new(
        logdir: &Path,
        command: &str,
        interrupt: &Interrupt,
    ) -> Result<Self, StateError> {
        let mut made = make(logdir)?;
        // It sorts by time: `26-11-24_14-03-22-images`.
        let time = jiff::Zoned::now().strftime("%y-%m-%d_%H-%M-%S").to_string();
        let mut n = 1;
        loop {
            let path = logdir.join(match n {
                1 => format!("{time}-{command}"),
                n => format!("{time}.{n}-{command}"),
            });
            // Made, not found: no two processes get the same.
            match fs::create_dir(&path) {
                Ok(()) => {
                    made.push(path.clone());
                    return Self::new(path, made, interrupt);
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => n += 1,
                Err(source) => return Err(failed(&path, source)),
            }
        }
    }

    pub(crate) fn part(run: &Path, index: usize) -> PathBuf {
        run.join(format!("{PART}{index}"))
    }

    pub(crate) fn resume(path: PathBuf) -> Result<Self, StateError> {
        let reserved = Self::new(path, Vec::new(), &Interrupt::default())?;
        reserved.traces.keep();
        Ok(reserved)
    }

    fn new(path: PathBuf, made: Vec<PathBuf>, interrupt: &Interrupt) -> Result<Self, StateError> {
        let lock = lock(&path)?;
        durable::remove_unfinished(&path, |_| false);
        let reserved = Self {
            lock,
            traces: Arc::new(Traces {
                path,
                made,
                used: AtomicBool::new(false),
                written: Mutex::default(),
            }),
        };
        let traces = Arc::clone(&reserved.traces);
        interrupt.before_exit(move || traces.remove());
        for made in &reserved.traces.made {
            // Its name is on the disk before anything in it is said to be.
            let around = made.parent().unwrap_or(made);
            durable::sync_folder(around).map_err(|source| failed(made, source))?;
        }
        Ok(reserved)
    }

    /// Whether another process is kept from logging to it.
    pub(crate) fn is_locked(&self) -> bool {
        self.lock.is_some()
    }

    pub(crate) fn path(&self) -> &Path {
        &self.traces.path
    }

    /// Says that it holds something to keep.
    pub(crate) fn is_used(&self) {
        self.traces.keep();
    }

    /// Says so later, once the first step is written.
    pub(crate) fn used(&self) -> impl Fn() + Send + 'static {
        let traces = Arc::clone(&self.traces);
        move || traces.keep()
    }

    /// Whether the resolved configuration is missing, or as a power failure may leave it.
    pub(crate) fn lacks_config(&self) -> bool {
        let bytes = fs::read(self.path().join(CONFIG));
        bytes.map_or(true, |bytes| bytes.iter().all(|byte| *byte == 0))
    }

    pub(crate) fn write_config(&self, toml: &str) -> Result<(), StateError> {
        self.write(CONFIG, toml)
    }

    /// Writes those of these files, by name, that are not in it as they should be. Returns their names. Of those that are
    /// no text it gets what [`binary`](super::binary) made.
    pub(crate) fn restore<'a>(
        &self,
        files: &'a BTreeMap<String, String>,
    ) -> Result<Vec<&'a str>, StateError> {
        let mut written = Vec::new();
        for (name, text) in files {
            let (found, content) = (fs::read(self.path().join(name)), content(text));
            if found.ok().as_ref() != Some(&content) {
                write_text(&self.claim(name), content)?;
                written.push(name.as_str());
            }
        }
        Ok(written)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> Result<(), StateError> {
        write_text(&self.claim(name), text)
    }

    /// The path of a file or folder in it that is this run's.
    pub(crate) fn claim(&self, name: &str) -> PathBuf {
        let path = self.path().join(name);
        if !path.exists() {
            self.traces.written().push(path.clone());
        }
        path
    }

    fn refuse_used(&self) -> Result<(), StateError> {
        let folder = self.path();
        let files = event_files(folder).map_err(|source| failed(folder, source))?;
        let error = if !part_folders(folder)?.is_empty() {
            StateError::InParts(folder.to_owned())
        } else if let Some(file) = files.into_iter().find(|file| holds_values(file)) {
            let folder = folder.to_owned();
            StateError::Used { folder, file }
        } else {
            return Ok(());
        };
        // Its owner decides what becomes of it.
        self.traces.keep();
        Err(error)
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        self.traces.remove();
    }
}

impl Traces {
    fn keep(&self) {
        self.used.store(true, Ordering::Relaxed);
    }

    fn written(&self) -> MutexGuard<'_, Vec<PathBuf>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Without a step they go, so that the corrected command finds its place free.
    fn remove(&self) {
        let files = event_files(&self.path).unwrap_or_default();
        if self.used.load(Ordering::Relaxed) || files.iter().any(|file| holds_values(file)) {
            return;
        }
        let ours = format!(".{}.", std::process::id());
        let is_ours = |file: &PathBuf| file.to_string_lossy().contains(&ours);
        let written = std::mem::take(&mut *self.written());
        for file in files.into_iter().filter(is_ours).chain(written) {
            // What cannot be removed stays, as nothing is lost by it.
            let _ = fs::remove_file(&file).or_else(|_| fs::remove_dir_all(file));
        }
        // An empty file.
        let _ = fs::remove_file(self.path.join(LOCK));
        for folder in self.made.iter().rev() {
            // Somebody else's files keep theirs.
            let _ = fs::remove_dir(folder);
        }
    }
}

/// Whether an event file holds more than its beginning, which is all that a killed process may have left.
/// One that cannot be read is somebody's.
fn holds_values(file: &Path) -> bool {
    use tensorboard_events::Content::{FileVersion, Graph, SessionStart};
    let Ok(mut events) = EventReader::open(file) else {
        return true;
    };
    events.any(|event| {
        !matches!(
            event.map(|event| event.content),
            Ok(FileVersion(_) | SessionStart | Graph(_))
        )
    })
}

/// Makes a folder and those around it; returns the ones that were missing, the outermost first.
fn make(path: &Path) -> Result<Vec<PathBuf>, StateError> {
    let is_missing = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.exists();
    let mut missing: Vec<PathBuf> = path
        .ancestors()
        .take_while(is_missing)
        .map(Path::to_owned)
        .collect();
    missing.reverse();
    fs::create_dir_all(path).map_err(|source| failed(path, source))?;
    Ok(missing)
}

/// The advisory lock of a folder; `None` where the file system keeps none.
fn lock(path: &Path) -> Result<Option<File>, StateError> {
    let mut options = File::options();
    let file = options.create(true).write(true).truncate(false);
    let file = file.open(path.join(LOCK));
    let file = file.map_err(|source| failed(path, source))?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(StateError::Busy(path.to_owned())),
        Err(TryLockError::Error(_)) => Ok(None),
        Ok(()) => Ok(Some(file)),
    }
}

fn failed(folder: &Path, source: io::Error) -> StateError {
    StateError::Folder {
        folder: folder.to_owned(),
        source,
    }
}
