//! Images, decoded and prepared ahead of the forward pass.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use super::timings::{Laps, Stage};
use crate::input::list::ImageFile;
use crate::input::load::{LoadError, load};
use crate::input::transform::Preprocess;
use crate::render;

/// Images that may wait for the forward pass, beside those of the next batch.
const WAITING_IMAGES: usize = 1;

/// An image as the network sees it.
pub(super) struct Prepared {
    /// Its name in tags.
    pub(super) name: Arc<str>,
    pub(super) path: PathBuf,
    /// Resized and cropped, normalisation undone.
    pub(super) picture: Arc<render::Picture>,
    /// Normalised, `[height, width, 3]`.
    pub(super) pixels: Vec<f32>,
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) laps: Laps,
}

impl Prepared {
    /// Decodes, resizes, crops and normalises one image.
    pub(super) fn load(file: &ImageFile, preprocess: &Preprocess) -> Result<Self, LoadError> {
        let mut laps = Laps::default();
        let (picture, pixels) = laps.time(Stage::Decode, || {
            let picture = load(&file.path, preprocess)?;
            let pixels = preprocess.normalise.apply(&picture);
            Ok::<_, LoadError>((picture, pixels))
        })?;
        let (width, height) = (picture.width(), picture.height());
        // Sides come from images of at most a few hundred million pixels.
        let side = |pixels: usize| u32::try_from(pixels).unwrap_or(u32::MAX);
        Ok(Self {
            name: Arc::from(file.name.as_str()),
            path: file.path.clone(),
            picture: Arc::new(render::Picture::rgb(
                side(width),
                side(height),
                picture.into_pixels(),
            )),
            pixels,
            height,
            width,
            laps,
        })
    }

    /// The file's name, for people.
    pub(super) fn title(&self) -> String {
        file_name(&self.path)
    }
}

/// The last part of a path, for people.
pub(super) fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(
        || path.display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    )
}

/// Prepares images in order on a thread of its own, `batch` and a few ahead of whoever takes them.
pub(super) fn ahead(
    files: Vec<ImageFile>,
    preprocess: Preprocess,
    batch: usize,
) -> Receiver<(usize, Result<Prepared, LoadError>)> {
    let (sender, receiver) = sync_channel(batch + WAITING_IMAGES - 1);
    thread::spawn(move || {
        for (index, file) in files.iter().enumerate() {
            // Whoever took the images has stopped; so do we.
            if sender
                .send((index, Prepared::load(file, &preprocess)))
                .is_err()
            {
                break;
            }
        }
    });
    receiver
}
