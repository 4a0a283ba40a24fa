//! Files that are there after a power failure.

use std::fs::{self, File};
use std::io;
use std::path::Path;

/// Gives the finished file `part` its name, once its content is on the disk; a file of that name is replaced.
#[expect(dead_code)]
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
