//! Images, decoded and normalized ahead of the forward pass.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::decode::Decoded;
use super::list::ImageFile;
use super::load::{LoadError, load};
use super::notes::Oddities;
use super::transform::Preprocess;
use crate::render::Picture;

/// Images that may wait for the forward pass, beside those of the next batch.
const WAITING_IMAGES: usize = 1;

/// An image as the network sees it.
pub(crate) struct PreparedImage {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    /// Resized and cropped, not normalized.
    pub(crate) picture: Picture,
    /// Normalized, `[height, width, 3]`.
    pub(crate) pixels: Vec<f32>,
    pub(crate) oddities: Oddities,
    /// How long it took to decode and prepare.
    pub(crate) took: Duration,
}

impl PreparedImage {
    /// Decodes, resizes, crops and normalizes one image.
    pub(crate) fn load(file: &ImageFile, preprocess: &Preprocess) -> Result<Self, LoadError> {
        let began = Instant::now();
        let Decoded { picture, oddities } = load(&file.path, preprocess)?;
        let pixels = preprocess.normalize.apply(&picture);
        Ok(Self {
            name: file.name.clone(),
            path: file.path.clone(),
            picture,
            pixels,
            oddities,
            took: began.elapsed(),
        })
    }

    /// Height and width.
    pub(crate) fn size(&self) -> [usize; 2] {
        [self.picture.height as usize, self.picture.width as usize]
    }

    /// The file's name.
    pub(crate) fn title(&self) -> String {
        file_name(&self.path)
    }
}

/// The last part of a path.
pub(crate) fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(
        || path.display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    )
}

/// Prepares images in order on a thread of its own, at most `batch` and a few ahead of the receiver.
pub(crate) fn prepare_ahead(
    files: Vec<ImageFile>,
    preprocess: Preprocess,
    batch: usize,
) -> Receiver<Result<PreparedImage, LoadError>> {
    let (sender, receiver) = sync_channel(batch + WAITING_IMAGES - 1);
    thread::spawn(move || {
        for file in &files {
            // The receiver has stopped early.
            if sender.send(PreparedImage::load(file, &preprocess)).is_err() {
                break;
            }
        }
    });
    receiver
}
