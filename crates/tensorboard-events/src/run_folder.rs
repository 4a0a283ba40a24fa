//! Event files in the folder of a run: how they are named and found.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Who reads an event file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Reader {
    /// TensorBoard.
    #[default]
    TensorBoard,
    /// Nobody, until it is [published](super::publish): TensorBoard goes by the name.
    Nobody,
}

impl Reader {
    /// What the names of this tool's event files begin with.
    const fn prefix(self) -> &'static str {
        match self {
            Self::TensorBoard => "events.out.tfevents.",
            Self::Nobody => "events.out.part.",
        }
    }

    fn is_name(self, name: &OsStr) -> bool {
        let name = name.to_string_lossy();
        match self {
            Self::TensorBoard => name.contains("tfevents"),
            Self::Nobody => name.starts_with(self.prefix()),
        }
    }
}

/// How many digits the seconds have: enough until the year 2286, and so many that the order of
/// names is the order of numbers.
const DIGITS: usize = 10;
const LAST_SECOND: u64 = 9_999_999_999;

/// The event files that `folder` holds, in the order in which TensorBoard reads them; none where it does
/// not exist.
///
/// TensorBoard takes every file for an event file whose name contains `tfevents`, and every folder
/// with such a file for one run. Folders inside `folder` are runs of their own and not looked at.
///
/// # Errors
///
/// When `folder` exists and cannot be listed.
pub fn event_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    event_files_for(folder, Reader::TensorBoard)
}

/// Whether TensorBoard takes a file for an event file, by its name.
#[must_use]
pub fn is_event_file(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| Reader::TensorBoard.is_name(name))
}

/// The same of those that one reader reads.
pub(super) fn event_files_for(folder: &Path, reader: Reader) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry?;
        if reader.is_name(&entry.file_name()) && !entry.file_type()?.is_dir() {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

/// Creates `events.out.tfevents.<seconds>.<host>.<pid>.<n>` in `folder`, with the first `n` that
/// no file has yet.
///
/// The seconds have ten digits, so the order of names is the order of beginnings, which is the
/// order in which TensorBoard reads the files of a run. On failure, the path that was tried last.
pub(super) fn create_event_file(
    folder: &Path,
    seconds: u64,
    reader: Reader,
) -> Result<(File, PathBuf), (PathBuf, io::Error)> {
    let begin = beginning(seconds, reader);
    let host = host_name();
    let process = std::process::id();
    let mut n = 0_u32;
    loop {
        let path = folder.join(format!("{begin}{host}.{process}.{n}"));
        match File::create_new(&path) {
            Ok(file) => return Ok((file, path)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && n < u32::MAX => n += 1,
            Err(error) => return Err((path, error)),
        }
    }
}

fn beginning(seconds: u64, reader: Reader) -> String {
    format!("{}{seconds:0DIGITS$}.", reader.prefix())
}

/// The same file, behind all others of a run: `now` is the present second. `None` when it could not have a name
/// there, or has none of its own.
pub(super) fn published_name(part: &Path, last: Option<&OsStr>, now: u64) -> Option<String> {
    let name = part.file_name()?.to_str()?;
    let rest = name.strip_prefix(Reader::Nobody.prefix())?.get(DIGITS..)?;
    let seconds = match last {
        Some(last) => seconds_behind(last, now, Reader::TensorBoard)?,
        None => now,
    };
    let begin = beginning(seconds, Reader::TensorBoard);
    Some(begin + rest.strip_prefix('.')?)
}

/// Seconds since 1970 for the name of a new event file.
pub(super) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// Seconds for the name of a file that comes behind the one called `last`: `now`, or one later
/// than `last` where that is of the same second or, after the clock was set back, of a later one.
/// `None` when no name of ten digits comes behind it.
pub(super) fn seconds_behind(last: &OsStr, now: u64, reader: Reader) -> Option<u64> {
    let last = last.as_encoded_bytes();
    let is_behind =
        |&seconds: &u64| seconds <= LAST_SECOND && beginning(seconds, reader).as_bytes() > last;
    let later = || {
        let digits = last
            .strip_prefix(reader.prefix().as_bytes())?
            .get(..DIGITS)?;
        str::from_utf8(digits)
            .ok()?
            .parse::<u64>()
            .ok()?
            .checked_add(1)
    };
    Some(now)
        .filter(is_behind)
        .or_else(|| later().filter(is_behind))
}

/// The machine's name as a part of a file name, for people to tell files apart.
fn host_name() -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let name = gethostname::gethostname();
    let name = name.to_string_lossy();
    if name.is_empty() {
        return "localhost".to_owned();
    }
    name.chars()
        .map(|c| if plain(c) { c } else { '_' })
        .collect()
}
