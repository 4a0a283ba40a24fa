//! Which folders of a data set are for training, and which for validation.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::DatasetError;
use crate::data::find::{self, LeftOut, Wanted, is_hidden};
use crate::data::prepared::file_name;
use crate::data::wanted::IMAGES;
use crate::one_line::listed;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// For training; without `val` for validation too.
    pub(super) train: PathBuf,
    pub(super) val: Option<PathBuf>,
}

/// What a folder's name says that it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Train,
    Val,
    Test,
}

impl Part {
    fn of(word: &str) -> Option<Self> {
        match word {
            "train" | "training" => Some(Self::Train),
            "val" | "valid" | "validation" | "dev" => Some(Self::Val),
            "test" | "testing" => Some(Self::Test),
            _ => None,
        }
    }
}

struct Named {
    part: Part,
    /// The other words of its name: `seg` of `seg_train`.
    rest: String,
    folder: PathBuf,
}

impl Layout {
    /// By the names of the folders, as docs/files.md says; what is not obvious is said in `notes`.
    pub(super) fn of(
        root: &Path,
        notes: &mut Vec<String>,
        left_out: &mut LeftOut,
    ) -> Result<Self, DatasetError> {
        let mut inner = |folder: &Path, left_out: &mut LeftOut| {
            let inner = unwrapped(folder, left_out)?;
            if inner != folder {
                let (folder, inner) = (folder.display(), inner.display());
                notes.push(format!(
                    "{folder} holds only {inner}, which is read in its place"
                ));
            }
            Ok::<_, DatasetError>(inner)
        };
        let root = match folders(root, left_out)?.as_slice() {
            [only] if named(only).is_some() => root.to_path_buf(),
            _ => inner(root, left_out)?,
        };
        let all = folders(&root, left_out)?;
        let parts: Vec<Named> = all.iter().filter_map(|folder| named(folder)).collect();
        if let Some((train, val)) = pair(&parts, left_out)? {
            let layout = Self {
                train: inner(&train.folder, left_out)?,
                val: Some(inner(&val.folder, left_out)?),
            };
            let is_other = |folder: &&PathBuf| **folder != train.folder && **folder != val.folder;
            let others = all.iter().filter(is_other).map(|folder| folder.display());
            let others = listed(others, ", ", usize::MAX);
            if !others.is_empty() || val.part == Part::Test {
                let (train, val) = (train.folder.display(), val.folder.display());
                let left_out = if others.is_empty() {
                    ""
                } else {
                    "; left out: "
                };
                notes.push(format!(
                    "trained on {train}, validated with {val}{left_out}{others}"
                ));
            }
            return Ok(layout);
        }
        for one in parts.into_iter().filter(|one| one.rest.is_empty()) {
            let missing = match one.part {
                Part::Train => "val",
                Part::Val => "train",
                Part::Test => continue,
            };
            if !folders(&one.folder, left_out)?.is_empty() {
                let others = all.iter().filter(|path| **path != one.folder);
                let others = others.map(|path| file_name(path));
                return Err(DatasetError::LonePart {
                    others: listed(others, ", ", usize::MAX),
                    found: one.folder,
                    missing: root.join(missing),
                });
            }
        }
        Ok(Self {
            train: root,
            val: None,
        })
    }
}

/// The part that a folder's name has as one of its words.
fn named(folder: &Path) -> Option<Named> {
    let name = folder.file_name()?.to_string_lossy().to_lowercase();
    let words: Vec<&str> = name
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    let mut parts = words.iter().map(|word| Part::of(word)).enumerate();
    let (at, part) = parts.find_map(|(at, part)| Some((at, part?)))?;
    Some(Named {
        part,
        rest: [&words[..at], &words[at + 1..]].concat().join(" "),
        folder: folder.to_path_buf(),
    })
}

/// The folders for training and for validation, those without other words in their names first.
fn pair<'a>(
    parts: &'a [Named],
    left_out: &mut LeftOut,
) -> Result<Option<(&'a Named, &'a Named)>, DatasetError> {
    let of = |part| parts.iter().filter(move |one| one.part == part);
    let mut found: Option<(&Named, &Named)> = None;
    for train in of(Part::Train) {
        let same = |one: &&Named| one.rest == train.rest;
        let val = of(Part::Val).find(same);
        let val = match val.or_else(|| of(Part::Test).find(same)) {
            Some(val) if val.part == Part::Val && train.rest.is_empty() => val,
            Some(val)
                if !folders(&train.folder, left_out)?.is_empty()
                    && !folders(&val.folder, left_out)?.is_empty() =>
            {
                val
            }
            _ => continue,
        };
        if found.is_none() || train.rest.is_empty() {
            found = Some((train, val));
        }
    }
    Ok(found)
}

/// Folders around a data set that archives add, one in the other.
const DEEPEST: usize = 4;

/// The folders in a folder, links to folders among them, as Python's `sorted` has their names, which is the
/// order of PyTorch's `ImageFolder`; hidden ones and those of operating systems are skipped, and links to a folder
/// above them.
pub(super) fn folders(root: &Path, left_out: &mut LeftOut) -> Result<Vec<PathBuf>, DatasetError> {
    let unreadable = |source| find::unreadable(root, source);
    let mut folders = Vec::new();
    for entry in fs::read_dir(root).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.is_dir() && !is_hidden(&path) && !left_out.is_loop(&path) {
            folders.push(path);
        }
    }
    // The order of UTF-8 is that of code points.
    folders.sort_by_key(|path| path.file_name().map(ToOwned::to_owned));
    Ok(folders)
}

/// The only folder in `root`, or in the only folder in it, that holds several; `root` itself where there is
/// no such, or where images lie next to it.
fn unwrapped(root: &Path, left_out: &mut LeftOut) -> Result<PathBuf, DatasetError> {
    let next_to_them = Wanted {
        recursive: false,
        ..IMAGES
    };
    let holds_images = |folder: &Path| -> Result<bool, DatasetError> {
        Ok(!find::walk(folder, &next_to_them, &mut LeftOut::default())?.is_empty())
    };
    let mut inner = root.to_path_buf();
    for _ in 0..DEEPEST {
        match <[PathBuf; 1]>::try_from(folders(&inner, left_out)?) {
            Ok([only]) if !holds_images(&inner)? => inner = only,
            Err(several) if several.len() > 1 && !holds_images(&inner)? => {
                return Ok(inner);
            }
            _ => break,
        }
    }
    Ok(root.to_path_buf())
}
