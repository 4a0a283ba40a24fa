//! Images, decoded and normalized ahead of the forward pass.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::decode::Decoded;
use super::list::ImageFile;
use super::load::{LoadError, caught, load};
use super::notes::Oddities;
use super::transform::Preprocess;
use feature_grid::Picture;

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
    fn load(file: &ImageFile, preprocess: &Preprocess) -> Result<Self, LoadError> {
        let began = Instant::now();
        caught(&file.path, || {
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

/// Prepares images on all threads that render, in order, at most `batch` and one a thread ahead of the receiver.
pub(crate) fn prepare_ahead(
    files: Vec<ImageFile>,
    preprocess: Preprocess,
    batch: usize,
) -> impl Iterator<Item = Result<PreparedImage, LoadError>> {
    let prepare = move |file: &ImageFile| PreparedImage::load(file, &preprocess);
    ahead(files, rayon::current_num_threads(), batch, prepare)
}

/// What `prepare` makes of every item, in order, at most `waiting` and one a thread ahead of the receiver. It ends early
/// where `prepare` panics.
///
/// Every thread has items of its own in turn, and a queue of its own: that keeps the order.
pub(super) fn ahead<T: Send + Sync + 'static, R: Send + 'static>(
    items: Vec<T>,
    threads: usize,
    waiting: usize,
    prepare: impl Fn(&T) -> R + Send + Sync + 'static,
) -> impl Iterator<Item = R> {
    let count = items.len();
    let threads = threads.min(count);
    let shared = Arc::new((items, prepare));
    let start = |first| {
        let (sender, receiver) = sync_channel(waiting / threads);
        let shared = Arc::clone(&shared);
        thread::spawn(move || {
            let (items, prepare) = &*shared;
            for item in items.iter().skip(first).step_by(threads) {
                // The receiver has stopped early.
                if sender.send(prepare(item)).is_err() {
                    break;
                }
            }
        });
        receiver
    };
    let receivers: Vec<Receiver<R>> = (0..threads).map(start).collect();
    (0..count).map_while(move |at| receivers[at % threads].recv().ok())
}
