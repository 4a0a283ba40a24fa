//! Files that are there after a power failure.

use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tensorboard_events::host_name;

/// How the names of files end that are not finished.
const UNFINISHED: &str = "part";

/// No process still writes a file that did not change for so long: clocks of machines differ by less.
const ABANDONED: Duration = Duration::from_hours(24);

/// A name next to `path` that no process of any machine has used: in containers every process is number 1, and has the
/// host's name.
pub(crate) fn unfinished(path: &Path) -> PathBuf {
    let digits = RandomState::new().hash_one(());
    path.with_added_extension(format!("{}.{digits:016x}.{UNFINISHED}", host_name()))
}

/// Writes a file completely or not at all: until it is on the disk it has a name of its own.
pub(crate) fn write(path: &Path, write: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let part = unfinished(path);
    write(&part)
        .and_then(|()| rename(&part, path))
        .inspect_err(|_| {
            // The error that is on its way says more than one of this.
            let _ = fs::remove_file(&part);
        })
}

/// Removes what killed processes did not finish in a folder that no other process of this machine writes to, and files
/// whose names `is_ours` says are of that kind. Another machine may be writing where locks do not reach it, so its files
/// have to be old. What cannot be removed costs only room.
pub(crate) fn remove_unfinished(folder: &Path, is_ours: impl Fn(&str) -> bool) {
    let here = format!(".{}.", host_name());
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_over = match before_digits(&name) {
            Some(host) => host.ends_with(&here) || is_abandoned(&entry),
            None => is_ours(&name),
        };
        if is_over {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// What stands before the digits in the name of an unfinished file, up to a point. A download of somebody else ends with
/// `.part` too, but without them; what writes a file may have added an ending of its own.
fn before_digits(name: &str) -> Option<&str> {
    let (before, after) = name.rsplit_once(&format!(".{UNFINISHED}"))?;
    let (before, digits) = before.split_at_checked(before.len().checked_sub(16)?)?;
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_end = after.is_empty() || after.starts_with('.');
    (is_hex && is_end && before.ends_with('.')).then_some(before)
}

fn is_abandoned(entry: &fs::DirEntry) -> bool {
    let modified = entry.metadata().and_then(|metadata| metadata.modified());
    modified.is_ok_and(|time| time.elapsed().is_ok_and(|age| age >= ABANDONED))
}

/// Gives the finished file `part` its name, once its content is on the disk; a file of that name is replaced.
pub(crate) fn rename(part: &Path, name: &Path) -> io::Result<()> {
    File::open(part)?.sync_all()?;
    fs::rename(part, name)?;
    sync_folder(name.parent().unwrap_or(Path::new("")))
}

/// Makes a folder, unless there is one, whose name is there after a power failure.
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(folder)?;
    sync_folder(folder.parent().unwrap_or(Path::new("")))
}

/// Waits until the names of a folder's files are on the disk. On Windows a folder cannot be opened for that.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(windows) {
        return Ok(());
    }
    let here = Path::new(".");
    File::open(if folder.as_os_str().is_empty() {
        here
    } else {
        folder
    })?
    .sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_did_not_finish_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let host = host_name();
        let old = "config.toml.elsewhere.0123456789abcdef.part";
        let unfinished = [
            &format!("config.toml.{host}.0123456789abcdef.part"),
            &format!("step_000002.optimizer.{host}.0123456789abcdef.part.77.0.tmp"),
            old,
            "own",
        ];
        let others = [
            "state.jsonl.elsewhere.0123456789abcdef.part",
            &format!("state.jsonl.not-{host}.0123456789abcdef.part"),
            "film.mp4.part",
            ".tmpA1b2C3",
            "step_000002.optimizer",
            "part",
            "a.partial",
            ".tmp",
            "party.toml",
            &format!("config.toml.{host}.0123456789abcdef.partial"),
        ];
        for name in unfinished.iter().chain(&others) {
            fs::write(path(name), "").unwrap();
        }
        let then = std::time::SystemTime::now() - 2 * ABANDONED;
        let file = File::options().append(true).open(path(old)).unwrap();
        file.set_modified(then).unwrap();
        remove_unfinished(folder.path(), |name| name == "own");
        assert!(unfinished.iter().all(|name| !path(name).exists()));
        assert!(others.iter().all(|name| path(name).exists()));
    }

    #[test]
    fn a_file_is_written_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.toml");
        write(&path, |part| fs::write(part, "old")).unwrap();
        let failed = write(&path, |part| {
            fs::write(part, "ne")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
