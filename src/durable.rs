//! Files that are there after a power failure.

use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::Path;

/// How the names of files end that are not finished.
const UNFINISHED: &str = "part";

/// Writes a file completely or not at all: until it is on the disk it has a name that no process of any machine
/// has used.
pub(crate) fn write(path: &Path, write: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let digits = RandomState::new().hash_one(());
    let part = path.with_added_extension(format!("{digits:016x}.{UNFINISHED}"));
    write(&part)
        .and_then(|()| rename(&part, path))
        .inspect_err(|_| {
            // The error that is on its way says more than one of this.
            let _ = fs::remove_file(&part);
        })
}

/// Removes what killed processes did not finish in a folder that no other process writes to, and files whose names
/// `is_ours` says are of that kind. What cannot be removed costs only room.
pub(crate) fn remove_unfinished(folder: &Path, is_ours: impl Fn(&str) -> bool) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // With the digits: a download of somebody else ends with `.part` too.
        let has_digits =
            |part: &str| part.len() == 16 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
        let parts: Vec<&str> = name.split('.').collect();
        let mut pairs = parts.windows(2);
        if pairs.any(|pair| has_digits(pair[0]) && pair[1] == UNFINISHED) || is_ours(&name) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Gives the finished file `part` its name, once its content is on the disk; a file of that name is replaced.
pub(crate) fn rename(part: &Path, name: &Path) -> io::Result<()> {
    File::open(part)?.sync_all()?;
    fs::rename(part, name)?;
    sync_folder(name.parent().unwrap_or(Path::new("")))
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
        let unfinished = [
            "config.toml.0123456789abcdef.part",
            "step_000002.optimizer.0123456789abcdef.part.77.0.tmp",
            "own",
        ];
        let others = [
            "film.mp4.part",
            ".tmpA1b2C3",
            "step_000002.optimizer",
            "part",
            "a.partial",
            ".tmp",
            "party.toml",
        ];
        for name in unfinished.iter().chain(&others) {
            fs::write(path(name), "").unwrap();
        }
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
