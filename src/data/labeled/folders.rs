//! The folders of a data set: of its classes, or of its parts.

use std::fs;
use std::path::{Path, PathBuf};

use super::problem::DatasetError;
use crate::data::find::{self, LeftOut, Wanted, is_hidden};
use crate::data::list::IMAGES;

/// Folders around a data set that archives add, one in the other.
const DEEPEST: usize = 4;

/// The folders in a folder, links to folders among them, as Python's `sorted` has their names, which is the
/// order of PyTorch's `ImageFolder`; hidden ones and those of operating systems are skipped.
pub(super) fn folders(root: &Path) -> Result<Vec<PathBuf>, DatasetError> {
    let unreadable = |source| find::unreadable(root, source);
    let mut folders = Vec::new();
    for entry in fs::read_dir(root).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.is_dir() && !is_hidden(&path) {
            folders.push(path);
        }
    }
    // The order of UTF-8 is that of code points.
    folders.sort_by_key(|path| path.file_name().map(ToOwned::to_owned));
    Ok(folders)
}

/// The only folder in `root`, or in the only folder in it, that holds several; `root` itself where there is
/// no such, or where images lie next to it.
pub(super) fn unwrapped(root: &Path) -> Result<PathBuf, DatasetError> {
    let beside = Wanted {
        recursive: false,
        ..IMAGES
    };
    let holds_images = |folder: &Path| -> Result<bool, DatasetError> {
        Ok(!find::walk(folder, &beside, &mut LeftOut::new())?.is_empty())
    };
    let mut inner = root.to_path_buf();
    for _ in 0..DEEPEST {
        match <[PathBuf; 1]>::try_from(folders(&inner)?) {
            Ok([only]) if !holds_images(&inner)? => inner = only,
            Err(several) if several.len() > 1 && !holds_images(&inner)? => {
                return Ok(inner);
            }
            _ => break,
        }
    }
    Ok(root.to_path_buf())
}
