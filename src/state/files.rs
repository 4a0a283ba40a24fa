//! The small files of a run folder. A process that is killed leaves the old one or the new one.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::StateError;
use crate::durable;

/// The text of a file; `None` where there is none.
pub(crate) fn read_text(path: &Path) -> Result<Option<String>, StateError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StateError::Read {
            path: path.to_owned(),
            source,
        }),
    }
}

/// The values of a TOML file; `None` where there is none.
pub(crate) fn read_toml<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, StateError> {
    let parse = |text: String| {
        toml::from_str(&text).map_err(|error| StateError::Toml {
            path: path.to_owned(),
            why: error.message().to_owned(),
        })
    };
    read_text(path)?.map(parse).transpose()
}

/// Writes a file, or replaces it.
pub(crate) fn write_text(path: &Path, text: &str) -> Result<(), StateError> {
    // Where the file system has no locks, several processes may be at it.
    let new = path.with_extension(format!("{}.new", std::process::id()));
    let written = fs::write(&new, text).and_then(|()| durable::rename(&new, path));
    written.map_err(|source| write_error(path, source))
}

/// Writes a TOML file, or replaces it.
pub(crate) fn write_toml(path: &Path, values: &impl Serialize) -> Result<(), StateError> {
    let text = toml::to_string(values).map_err(|error| write_error(path, io::Error::other(error)));
    write_text(path, &text?)
}

/// Opens a file that processes lock, which is made if it is not there.
pub(crate) fn lock_file(path: &Path) -> Result<File, StateError> {
    let mut options = File::options();
    let opened = options.create(true).write(true).truncate(false).open(path);
    opened.map_err(|source| write_error(path, source))
}

pub(super) fn write_error(path: &Path, source: io::Error) -> StateError {
    StateError::Write {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_read_is_not_reported_as_one_that_cannot_be_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("split.toml");
        assert!(read_toml::<toml::Table>(&path).unwrap().is_none());
        write_toml(&path, &toml::toml! { parts = 3 }).unwrap();
        assert_eq!(read_text(&path).unwrap().unwrap(), "parts = 3\n");
        fs::write(&path, "parts = ").unwrap();
        let error = read_toml::<toml::Table>(&path).unwrap_err().to_string();
        assert!(error.contains("split.toml is damaged"), "{error}");
        fs::write(&path, [0xff]).unwrap();
        fs::create_dir(folder.path().join("folder")).unwrap();
        for name in ["split.toml", "folder"] {
            let error = read_text(&folder.path().join(name)).unwrap_err();
            assert!(matches!(error, StateError::Read { .. }), "{error}");
        }
        let error = write_text(&folder.path().join("none/a"), "").unwrap_err();
        assert!(matches!(error, StateError::Write { .. }), "{error}");
    }
}
