//! Which folders of a data set are for training, and which for validation.

use std::path::{Path, PathBuf};

use super::folders::{folders, unwrapped};
use super::problem::DatasetError;

/// Where the folders of the classes are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// In a folder for training and in one for validation.
    Apart { train: PathBuf, val: PathBuf },
    /// All in one folder.
    Together(PathBuf),
}

/// What a folder's name says that it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Train,
    Val,
    Test,
}

const PARTS: [(&str, Part); 8] = [
    ("train", Part::Train),
    ("training", Part::Train),
    ("val", Part::Val),
    ("valid", Part::Val),
    ("validation", Part::Val),
    ("dev", Part::Val),
    ("test", Part::Test),
    ("testing", Part::Test),
];

/// A folder that is named as a part.
struct Named {
    part: Part,
    /// The other words of its name: `seg` of `seg_train`.
    rest: String,
    folder: PathBuf,
}

impl Layout {
    /// Looks at the names of the folders; what is not obvious is said in `notes`.
    ///
    /// A folder for training and one for validation are named alike but for that word (`train`, `val`;
    /// `Training`, `Testing`; `seg_train`, `seg_test`). A folder for tests is for validation where there is
    /// no other, and both then hold folders. A folder that is the only one in its folder may stand around
    /// the data set or a part.
    pub(super) fn of(root: &Path, notes: &mut Vec<String>) -> Result<Self, DatasetError> {
        let root = match folders(root)?.as_slice() {
            [only] if named(only).is_some() => root.to_path_buf(),
            _ => inner(root, notes)?,
        };
        let all = folders(&root)?;
        let parts: Vec<Named> = all.iter().filter_map(|folder| named(folder)).collect();
        if let Some((train, val)) = pair(&parts)? {
            let left_out: Vec<String> = all
                .iter()
                .filter(|folder| **folder != train.folder && **folder != val.folder)
                .map(|folder| folder.display().to_string())
                .collect();
            if !left_out.is_empty() || val.part == Part::Test {
                let mut note = format!(
                    "trained on {}, validated with {}",
                    train.folder.display(),
                    val.folder.display()
                );
                if !left_out.is_empty() {
                    note = format!("{note}; left out: {}", left_out.join(", "));
                }
                notes.push(note);
            }
            return Ok(Self::Apart {
                train: inner(&train.folder, notes)?,
                val: inner(&val.folder, notes)?,
            });
        }
        for one in parts.into_iter().filter(|one| one.rest.is_empty()) {
            let missing = match one.part {
                Part::Train => "val",
                Part::Val => "train",
                Part::Test => continue,
            };
            if !folders(&one.folder)?.is_empty() {
                return Err(DatasetError::LonePart {
                    others: others(&all, &one.folder),
                    found: one.folder,
                    missing: root.join(missing),
                });
            }
        }
        Ok(Self::Together(root))
    }
}

/// The folder in the folders around it, which is said.
fn inner(folder: &Path, notes: &mut Vec<String>) -> Result<PathBuf, DatasetError> {
    let inner = unwrapped(folder)?;
    if inner != folder {
        notes.push(format!(
            "{} holds only {}, which is read in its place",
            folder.display(),
            inner.display()
        ));
    }
    Ok(inner)
}

/// The part that a folder's name has as one of its words.
fn named(folder: &Path) -> Option<Named> {
    let name = folder.file_name()?.to_string_lossy().to_lowercase();
    let words: Vec<&str> = name
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    let part = |word: &str| PARTS.iter().find(|(known, _)| *known == word);
    let at = words.iter().position(|word| part(word).is_some())?;
    let (_, part) = part(words[at])?;
    Some(Named {
        part: *part,
        rest: [&words[..at], &words[at + 1..]].concat().join(" "),
        folder: folder.to_path_buf(),
    })
}

/// The folders for training and for validation, those without other words in their names first.
fn pair(parts: &[Named]) -> Result<Option<(&Named, &Named)>, DatasetError> {
    let of = |part| parts.iter().filter(move |one| one.part == part);
    let mut found: Option<(&Named, &Named)> = None;
    for train in of(Part::Train) {
        let same = |one: &&Named| one.rest == train.rest;
        let val = of(Part::Val).find(same);
        let val = match val.or_else(|| of(Part::Test).find(same)) {
            Some(val) if val.part == Part::Val && train.rest.is_empty() => val,
            Some(val)
                if !folders(&train.folder)?.is_empty() && !folders(&val.folder)?.is_empty() =>
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

/// The names of the folders other than `found`.
fn others(all: &[PathBuf], found: &Path) -> String {
    all.iter()
        .filter(|path| *path != found)
        .map(|path| path.file_name().unwrap_or_default().to_string_lossy())
        .collect::<Vec<_>>()
        .join(", ")
}
