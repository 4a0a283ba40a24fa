//! Images, decoded and normalized ahead of the forward pass.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::ahead::Ahead;
use super::decode::{self, Decoded, Oddities};
use super::error::{LoadError, caught};
use super::list::ImageFile;
use super::transform::Preprocess;
use feature_grid::Picture;

pub(crate) struct PreparedImage {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    /// Resized and cropped, not normalized.
    pub(crate) picture: Picture,
    /// Normalized, `[height, width, 3]`.
    pub(crate) pixels: Vec<f32>,
    pub(crate) oddities: Oddities,
    pub(crate) took: Duration,
}

impl PreparedImage {
    fn load(
        ImageFile { path, name }: ImageFile,
        preprocess: &Preprocess,
    ) -> Result<Self, LoadError> {
        let began = Instant::now();
        let (Decoded { picture, oddities }, pixels) = caught(&path, || {
            let decoded = load(&path, preprocess)?;
            let pixels = preprocess.normalize.apply(&decoded.picture);
            Ok((decoded, pixels))
        })?;
        let took = began.elapsed();
        Ok(Self {
            name,
            path,
            picture,
            pixels,
            oddities,
            took,
        })
    }

    pub(crate) fn size(&self) -> [usize; 2] {
        [self.picture.height as usize, self.picture.width as usize]
    }

    pub(crate) fn title(&self) -> String {
        file_name(&self.path)
    }
}

/// Decodes an image file, resizes and crops it. [`Normalize::apply`] makes numbers of the result.
///
/// Shapes: `[height, width, 3]`, as [`Preprocess::picture`] says.
///
/// [`Normalize::apply`]: super::transform::Normalize::apply
pub(crate) fn load(path: &Path, preprocess: &Preprocess) -> Result<Decoded, LoadError> {
    let Decoded { picture, oddities } = decode::decode(path)?;
    let picture = preprocess.picture(&picture);
    let picture = picture.map_err(|error| error.in_file(path))?;
    Ok(Decoded { picture, oddities })
}

pub(crate) fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(
        || path.display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    )
}

/// Prepares images on as many threads as render, in order, at most `batch` and one a thread ahead of whoever takes them.
/// Where no thread can be started, each is prepared when it is taken.
pub(crate) fn prepare_ahead(
    files: Vec<ImageFile>,
    preprocess: Preprocess,
    batch: usize,
) -> Box<dyn Iterator<Item = Result<PreparedImage, LoadError>>> {
    let threads = rayon::current_num_threads().min(files.len());
    let most = batch.saturating_add(threads);
    let prepare = move |file| PreparedImage::load(file, &preprocess);
    let later = files.clone().into_iter().map(prepare);
    match Ahead::start(files.into_iter(), threads, most, Arc::default(), prepare) {
        Ok(ahead) => Box::new(ahead),
        Err(_) => Box::new(later),
    }
}
