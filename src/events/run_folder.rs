//! Event files in the folder of a run: how they are named and found.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// The event file that `folder` holds, the first by name, or `None` when it holds none or does not
/// exist.
///
/// TensorBoard takes every file for an event file whose name contains `tfevents`, and every folder
/// with such a file for one run. Folders inside `folder` are runs of their own and not looked at.
///
/// # Errors
///
/// When `folder` exists and cannot be listed.
pub fn holds_event_files(folder: &Path) -> io::Result<Option<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        entries => entries?,
    };
    let mut first: Option<PathBuf> = None;
    for entry in entries {
        let entry = entry?;
        if !is_event_file_name(&entry.file_name()) || entry.file_type()?.is_dir() {
            continue;
        }
        let path = entry.path();
        if first.as_ref().is_none_or(|first| path < *first) {
            first = Some(path);
        }
    }
    Ok(first)
}

fn is_event_file_name(name: &OsStr) -> bool {
    name.to_string_lossy().contains("tfevents")
}

/// Creates `events.out.tfevents.<seconds>.<host>.<pid>.<n>` in `folder`, with the first `n` that
/// no file has yet.
///
/// The seconds have ten digits, so the order of names is the order of beginnings, which is the
/// order in which TensorBoard reads the files of a run. On failure, the path that was tried last.
pub(super) fn create_event_file(folder: &Path) -> Result<(File, PathBuf), (PathBuf, io::Error)> {
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let host = host_name();
    let process = std::process::id();
    let mut n = 0_u32;
    loop {
        let name = format!("events.out.tfevents.{seconds:010}.{host}.{process}.{n}");
        let path = folder.join(name);
        match File::create_new(&path) {
            Ok(file) => return Ok((file, path)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && n < u32::MAX => n += 1,
            Err(error) => return Err((path, error)),
        }
    }
}

/// The machine's name as a part of a file name. It only helps people: a machine that will not tell
/// its name can still write.
fn host_name() -> String {
    let name = hostname::get().unwrap_or_default();
    let name: String = name
        .to_string_lossy()
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || "-_.".contains(c) {
                c
            } else {
                '_'
            }
        })
        .collect();
    if name.is_empty() {
        "localhost".to_owned()
    } else {
        name
    }
}
