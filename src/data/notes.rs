//! What a user should know of images that were read, said once at the end.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::decode::Oddities;
use super::find::LeftOut;

/// What was peculiar about the images of a run. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct InputNotes(Arc<Mutex<Kinds>>);

#[derive(Debug, Default)]
struct Kinds {
    clipped: BTreeSet<PathBuf>,
    turned: BTreeSet<PathBuf>,
    left_out: LeftOut,
}

fn line(files: &BTreeSet<PathBuf>, what: &str) -> Option<String> {
    let first = files.first()?.display();
    let count = files.len();
    let images = if count == 1 { "image" } else { "images" };
    Some(format!("{count} {images} {what} (the first: {first})"))
}

impl InputNotes {
    pub(crate) fn add_left_out(&self, files: &LeftOut) {
        self.lock().left_out.extend(files);
    }

    pub(crate) fn add(&self, path: &Path, oddities: Oddities) {
        if oddities.is_clipped {
            self.lock().clipped.insert(path.to_owned());
        }
        if oddities.is_turned {
            self.lock().turned.insert(path.to_owned());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kinds> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        let kinds = self.lock();
        let clipped = line(
            &kinds.clipped,
            "of 16-bit gray came out white, black or only both, since values are clipped at 255 as in Pillow: \
             convert to 8 bits first",
        );
        let turned = line(
            &kinds.turned,
            "with an EXIF orientation, shown as stored, as in torchvision: turn them first if that matters",
        );
        let (endings, links) = (kinds.left_out.of_endings(), kinds.left_out.of_links());
        let notes = [clipped, turned, endings, links];
        notes.into_iter().flatten().collect()
    }
}
