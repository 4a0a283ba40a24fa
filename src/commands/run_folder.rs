//! The folder of a run: reserved for one process, and taken away again where no step came of it.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::error::RunError;
use crate::interrupt::Interrupt;
use crate::settings::OutputSettings;
use tensorboard_events::{EventReader, event_files};

/// The resolved configuration.
pub(crate) const CONFIG: &str = "config.toml";

/// What a run that is made in parts holds until it is whole.
pub(crate) const PARTS: &str = "parts";

/// A folder that no other process logs to while this lives.
pub(crate) struct RunFolder {
    traces: Traces,
    /// Held until the process ends.
    _lock: Option<File>,
}

/// What a run leaves in the file system before its first step.
#[derive(Clone)]
struct Traces {
    path: PathBuf,
    /// The folders that were made for it, the outermost first.
    made: Vec<PathBuf>,
    /// Whether it holds something to keep.
    used: Arc<AtomicBool>,
    /// The files beside the event file that are this run's.
    written: Arc<Mutex<Vec<PathBuf>>>,
}

impl RunFolder {
    /// Reserves the folder that `output` names, or one named by `command` and the time. `or` says how else
    /// to go on where it already holds a run.
    ///
    /// TensorBoard shows all of a folder as one run, so a second run there would garble both.
    pub(crate) fn reserve(
        output: &mut OutputSettings,
        command: &str,
        or: &'static str,
        interrupt: &Interrupt,
    ) -> Result<Self, RunError> {
        let reserved = Self::reserve_any(output, command, or)?;
        let traces = reserved.traces.clone();
        interrupt.before_exit(move || traces.remove());
        Ok(reserved)
    }

    /// The same, or the folder of a run that goes on: one that holds the file `sign`.
    pub(crate) fn reserve_or_continue(
        output: &mut OutputSettings,
        command: &str,
        (sign, or): (&str, &'static str),
        interrupt: &Interrupt,
    ) -> Result<Self, RunError> {
        if output.run.is_some() && output.run_folder().join(sign).exists() {
            return Self::resume(output);
        }
        Self::reserve(output, command, or, interrupt)
    }

    fn reserve_any(
        output: &mut OutputSettings,
        command: &str,
        or: &'static str,
    ) -> Result<Self, RunError> {
        if output.run.is_some() {
            let path = output.run_folder();
            let made = make(&path).map_err(|source| failed(&path, source))?;
            let reserved = Self::new(path, made)?;
            reserved.refuse_used(or)?;
            return Ok(reserved);
        }
        let mut made = make(&output.logdir).map_err(|source| failed(&output.logdir, source))?;
        let name = default_name(command);
        let mut n = 1;
        loop {
            output.run = Some(match n {
                1 => PathBuf::from(&name),
                n => PathBuf::from(format!("{name}-{n}")),
            });
            let path = output.run_folder();
            // Made, not found: no two processes get the same.
            match fs::create_dir(&path) {
                Ok(()) => {
                    made.push(path.clone());
                    return Self::new(path, made);
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => n += 1,
                Err(source) => return Err(failed(&path, source)),
            }
        }
    }

    /// The folder of a part of a run, whether it was begun before or not.
    pub(crate) fn reserve_part(path: PathBuf, interrupt: &Interrupt) -> Result<Self, RunError> {
        let made = make(&path).map_err(|source| failed(&path, source))?;
        let reserved = Self::new(path, made)?;
        let traces = reserved.traces.clone();
        interrupt.before_exit(move || traces.remove());
        Ok(reserved)
    }

    /// Says that it holds something to keep.
    pub(crate) fn is_used(&self) {
        self.traces.used.store(true, Ordering::Relaxed);
    }

    /// The folder of a run that is resumed.
    pub(crate) fn resume(output: &OutputSettings) -> Result<Self, RunError> {
        let reserved = Self::new(output.run_folder(), Vec::new())?;
        reserved.traces.used.store(true, Ordering::Relaxed);
        Ok(reserved)
    }

    fn new(path: PathBuf, made: Vec<PathBuf>) -> Result<Self, RunError> {
        Ok(Self {
            _lock: lock(&path)?,
            traces: Traces {
                path,
                made,
                used: Arc::default(),
                written: Arc::default(),
            },
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.traces.path
    }

    /// To be set once the first step is written.
    pub(crate) fn used(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.traces.used)
    }

    /// Leaves the resolved configuration in it.
    pub(crate) fn write_config(&self, toml: &str) -> Result<(), RunError> {
        self.write(CONFIG, toml)
    }

    /// Leaves a file in it.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<(), RunError> {
        let path = self.claim(name);
        fs::write(&path, text).map_err(|source| RunError::WriteConfig { path, source })
    }

    /// The path of a file or folder in it that is this run's.
    pub(crate) fn claim(&self, name: &str) -> PathBuf {
        let path = self.path().join(name);
        if !path.exists() {
            self.traces.written().push(path.clone());
        }
        path
    }

    fn refuse_used(&self, or: &'static str) -> Result<(), RunError> {
        let folder = self.path();
        if folder.join(PARTS).is_dir() {
            self.traces.used.store(true, Ordering::Relaxed);
            return Err(RunError::InParts(folder.to_owned()));
        }
        let files = event_files(folder).map_err(|source| failed(folder, source))?;
        match files.into_iter().find(|file| holds_values(file)) {
            None => Ok(()),
            Some(file) => {
                // Its owner decides what becomes of it.
                self.traces.used.store(true, Ordering::Relaxed);
                let folder = folder.to_owned();
                Err(RunError::UsedFolder { folder, file, or })
            }
        }
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        self.traces.remove();
    }
}

impl Traces {
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
fn make(path: &Path) -> io::Result<Vec<PathBuf>> {
    let is_missing = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.exists();
    let mut missing: Vec<PathBuf> = path
        .ancestors()
        .take_while(is_missing)
        .map(Path::to_owned)
        .collect();
    missing.reverse();
    fs::create_dir_all(path)?;
    Ok(missing)
}

/// The advisory lock on a folder; `None` where the system keeps none.
fn lock(path: &Path) -> Result<Option<File>, RunError> {
    let Ok(folder) = File::open(path) else {
        return Ok(None);
    };
    match folder.try_lock() {
        Err(TryLockError::WouldBlock) => Err(RunError::BusyFolder(path.to_owned())),
        Err(TryLockError::Error(_)) => Ok(None),
        Ok(()) => Ok(Some(folder)),
    }
}

fn failed(folder: &Path, source: io::Error) -> RunError {
    RunError::RunFolder {
        folder: folder.to_owned(),
        source,
    }
}

/// A name that sorts by time and that a person can read: `images-2026-11-24_14-03-22`.
fn default_name(command: &str) -> String {
    let now = jiff::Zoned::now();
    format!("{command}-{}", now.strftime("%Y-%m-%d_%H-%M-%S"))
}
