//! The folder of a run: how its event files are named, found, created, locked and published.

use std::ffi::OsStr;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::error::EventFileError;

/// Whether TensorBoard picks a file up, which goes by the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Visibility {
    Visible,
    /// Until it is [published](publish).
    Hidden,
}

use Visibility::{Hidden, Visible};

/// Enough until the year 2286, and so many that the order of names is the order of numbers.
const DIGITS: usize = 10;
const LAST_SECOND: u64 = 9_999_999_999;

/// How often a lock is tried, and the pause between.
const TRIES: usize = 25;
const PAUSE: Duration = Duration::from_millis(10);

/// The event files that `folder` holds, in the order in which TensorBoard reads them; none where it does not exist.
///
/// TensorBoard takes every file for an event file whose name contains `tfevents`, and every folder with such a file
/// for one run. Folders inside `folder` are runs of their own and not looked at.
///
/// # Errors
///
/// When `folder` exists and cannot be listed.
pub fn event_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    list(folder, Visible)
}

/// Whether TensorBoard takes a file for an event file, by its name.
pub fn is_event_file(path: &Path) -> bool {
    path.file_name().is_some_and(|name| Visible.is_name(name))
}

/// Gives an event file that was [joined](crate::EventFile::join) a name that TensorBoard picks up, once it is closed;
/// returns its path.
///
/// # Errors
///
/// When the file cannot be renamed.
pub fn publish(joined: &Path) -> Result<PathBuf, EventFileError> {
    let path = published(joined);
    let folder = joined.parent().unwrap_or(Path::new(""));
    let renamed = fs::rename(joined, &path).and_then(|()| sync_folder(folder));
    renamed.map_err(|source| EventFileError::Publish(joined.to_owned(), source))?;
    Ok(path)
}

/// The path that an event file which was [joined](crate::EventFile::join) is [published](publish) under.
pub fn published(joined: &Path) -> PathBuf {
    let name = joined.file_name().unwrap_or_default().to_string_lossy();
    joined.with_file_name(name.replacen(Hidden.prefix(), Visible.prefix(), 1))
}

impl Visibility {
    const fn prefix(self) -> &'static str {
        match self {
            Visible => "events.out.tfevents.",
            Hidden => "events.out.part.",
        }
    }

    fn is_name(self, name: &OsStr) -> bool {
        let name = name.to_string_lossy();
        match self {
            Visible => name.contains("tfevents"),
            Hidden => name.starts_with(self.prefix()),
        }
    }

    fn beginning(self, seconds: u64) -> String {
        format!("{}{seconds:0DIGITS$}.", self.prefix())
    }
}

pub(crate) fn listed(
    folder: &Path,
    visibility: Visibility,
) -> Result<Vec<PathBuf>, EventFileError> {
    list(folder, visibility).map_err(|error| EventFileError::List(folder.to_owned(), error))
}

fn list(folder: &Path, visibility: Visibility) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry?;
        if visibility.is_name(&entry.file_name()) && !entry.file_type()?.is_dir() {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

/// Creates and locks `events.out.tfevents.<seconds>.<host>.<pid>.<n>` in `folder`, with the first `n` that no file
/// has yet.
///
/// The seconds have ten digits, so the order of names is the order of beginnings, which is the order in which
/// TensorBoard reads the files of a run.
pub(crate) fn create(
    folder: &Path,
    seconds: u64,
    visibility: Visibility,
) -> Result<(File, PathBuf), EventFileError> {
    let begin = visibility.beginning(seconds);
    let host = host_name();
    let process = std::process::id();
    let mut n = 0_u32;
    loop {
        let path = folder.join(format!("{begin}{host}.{process}.{n}"));
        match File::create_new(&path) {
            Ok(file) if !lock(&file) => return Err(EventFileError::Busy(path)),
            Ok(file) => match sync_folder(folder) {
                Ok(()) => return Ok((file, path)),
                Err(error) => return Err(EventFileError::CreateFile(path, error)),
            },
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && n < u32::MAX => n += 1,
            Err(error) => return Err(EventFileError::CreateFile(path, error)),
        }
    }
}

/// Waits until the names of a folder's files are on the disk. On Windows a folder cannot be opened for that.
fn sync_folder(folder: &Path) -> io::Result<()> {
    let here = folder.as_os_str().is_empty().then_some(Path::new("."));
    if cfg!(windows) {
        return Ok(());
    }
    File::open(here.unwrap_or(folder))?.sync_all()
}

/// Takes the exclusive lock on an event file, which is held until `file` is closed, and so no longer than its process
/// lives, however that ends. False when another process has it.
///
/// The lock is advisory, among writers: readers are not held up by it. On Windows they would be, so there none is
/// taken. Where the file system keeps no locks, a file counts as free.
///
/// A child that this process starts keeps its locks alive until it runs its own program, which is waited for.
pub(crate) fn lock(file: &File) -> bool {
    let is_taken = || matches!(file.try_lock(), Err(TryLockError::WouldBlock));
    let frees_itself = |_| {
        sleep(PAUSE);
        !is_taken()
    };
    cfg!(windows) || !is_taken() || (1..TRIES).any(frees_itself)
}

pub(crate) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// Seconds for the name of a file that comes behind the `last` one: `now`, or one later than `last` where that is of
/// the same second or, after the clock was set back, of a later one. `None` when no name of ten digits comes behind
/// it.
pub(crate) fn seconds_behind(last: Option<&Path>, now: u64) -> Option<u64> {
    let Some(last) = last.and_then(Path::file_name) else {
        return Some(now);
    };
    let last = last.as_encoded_bytes();
    let is_behind =
        |&seconds: &u64| seconds <= LAST_SECOND && Visible.beginning(seconds).as_bytes() > last;
    let later = || {
        let name = last.strip_prefix(Visible.prefix().as_bytes())?;
        let seconds: u64 = str::from_utf8(name.get(..DIGITS)?).ok()?.parse().ok()?;
        seconds.checked_add(1)
    };
    Some(now)
        .filter(is_behind)
        .or_else(|| later().filter(is_behind))
}

/// The machine's name as a part of a file name, for people to tell files apart.
pub fn host_name() -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let name = gethostname::gethostname();
    let name = name.to_string_lossy();
    if name.is_empty() {
        return "localhost".to_owned();
    }
    name.replace(|c| !is_plain(c), "_")
}

#[cfg(all(test, not(windows)))]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_gone_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let gone = folder.path().join("gone");
        let error = create(&gone, now(), Visible).unwrap_err();
        assert!(matches!(error, EventFileError::CreateFile(..)), "{error}");
        assert!(sync_folder(&gone).is_err() && sync_folder(folder.path()).is_ok());
    }

    #[test]
    fn a_host_is_named_by_what_a_file_name_can_hold() {
        let host = gethostname::gethostname().into_string().unwrap();
        let plain = host.replace(
            |c: char| !c.is_ascii_alphanumeric() && !"-_.".contains(c),
            "_",
        );
        assert_eq!(host_name(), plain);
    }

    #[test]
    fn a_lock_that_is_given_up_soon_is_waited_for_and_another_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let holder = File::create(&path).unwrap();
        assert!(lock(&holder));
        let file = File::open(&path).unwrap();
        assert!(!lock(&file));
        let frees = std::thread::spawn(move || {
            sleep(PAUSE);
            drop(holder);
        });
        assert!(lock(&file));
        frees.join().unwrap();
    }
}
