//! One image from file to what the network sees.

use std::path::{Path, PathBuf};

use thiserror::Error;

use super::Picture;
use super::decode::{self, DecodeError};
use super::transform::{Preprocess, TransformError};

/// What keeps an image from being loaded.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The file is not a picture that can be read.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The picture cannot be resized or cropped.
    #[error("{}: does not fit the preprocessing", path.display())]
    Transform {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        #[source]
        source: TransformError,
    },
}

/// Decodes an image file, resizes and crops it. [`Normalise::apply`] makes numbers of the result.
///
/// # Shapes
/// `[height, width, 3]`, as [`Preprocess::picture`] says.
///
/// # Errors
/// [`LoadError`], which names the file.
///
/// [`Normalise::apply`]: super::transform::Normalise::apply
pub fn load(path: &Path, preprocess: &Preprocess) -> Result<Picture, LoadError> {
    let decoded = decode::decode(path)?;
    preprocess
        .picture(&decoded)
        .map_err(|source| LoadError::Transform {
            path: path.to_path_buf(),
            source,
        })
}
