//! What a user should know of images that were read, said once at the end.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use walkdir::WalkDir;

use super::find::{Wanted, is_hidden};

/// What is peculiar about an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Oddities {
    /// 16-bit gray that clipping at 255, as Pillow does, made all white or all black.
    pub(crate) is_clipped: bool,
    /// EXIF says that it is to be turned, which torchvision does not.
    pub(crate) is_turned: bool,
}

/// What was peculiar about the images of a run. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct InputNotes(Arc<Mutex<Kinds>>);

#[derive(Debug, Default)]
struct Kinds {
    clipped: Files,
    turned: Files,
    /// How many files, by ending.
    left_out: BTreeMap<String, usize>,
}

#[derive(Debug, Default)]
struct Files {
    first: Option<PathBuf>,
    all: HashSet<PathBuf>,
}

impl Files {
    fn add(&mut self, path: &Path) {
        self.first.get_or_insert_with(|| path.to_owned());
        self.all.insert(path.to_owned());
    }

    fn line(&self, what: &str) -> Option<String> {
        let first = self.first.as_ref()?.display();
        let count = self.all.len();
        let images = if count == 1 { "image" } else { "images" };
        Some(format!("{count} {images} {what} (the first: {first})"))
    }
}

impl InputNotes {
    /// Files in the folders among `args` that are not looked at because of their ending are counted from the
    /// start.
    pub(crate) fn of(args: &[PathBuf], wanted: &Wanted) -> Self {
        let notes = Self::default();
        for folder in args.iter().filter(|arg| arg.is_dir()) {
            let entries = WalkDir::new(folder).follow_links(true).into_iter();
            let shown =
                entries.filter_entry(|entry| entry.depth() == 0 || !is_hidden(entry.path()));
            for entry in shown.flatten().filter(|entry| entry.file_type().is_file()) {
                if !wanted.accepts(entry.path()) {
                    let ending = entry.path().extension();
                    let ending = ending.map_or_else(
                        || "without an ending".to_owned(),
                        |ending| format!(".{}", ending.to_string_lossy().to_lowercase()),
                    );
                    *notes.lock().left_out.entry(ending).or_default() += 1;
                }
            }
        }
        notes
    }

    pub(crate) fn add(&self, path: &Path, oddities: Oddities) {
        if oddities.is_clipped {
            self.lock().clipped.add(path);
        }
        if oddities.is_turned {
            self.lock().turned.add(path);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kinds> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A line for each kind.
    pub(crate) fn lines(&self) -> Vec<String> {
        let kinds = self.lock();
        let clipped = kinds.clipped.line(
            "of 16-bit gray came out all white or all black, since values are clipped at 255 as in Pillow: \
             convert to 8 bits first",
        );
        let turned = kinds
            .turned
            .line("with an EXIF orientation, shown as stored, as in torchvision: turn them first if that matters");
        let endings = kinds.left_out.iter();
        let endings: Vec<String> = endings
            .map(|(ending, count)| format!("{count} {ending}"))
            .collect();
        let left_out = (!endings.is_empty())
            .then(|| format!("files left out by their ending: {}", endings.join(", ")));
        [clipped, turned, left_out].into_iter().flatten().collect()
    }
}
