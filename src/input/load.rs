//! An image file -> the resized, cropped image.

use std::path::{Path, PathBuf};

use thiserror::Error;

use super::decode::{self, DecodeError};
use super::transform::{Preprocess, TransformError};
use crate::render::Picture;

/// What keeps an image from being loaded.
#[derive(Debug, Error)]
pub(crate) enum LoadError {
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error("{}: does not fit the preprocessing", path.display())]
    Transform {
        path: PathBuf,
        #[source]
        source: TransformError,
    },
}

/// Decodes an image file, resizes and crops it. [`Normalize::apply`] makes numbers of the result.
///
/// Shapes: `[height, width, 3]`, as [`Preprocess::picture`] says.
///
/// [`Normalize::apply`]: super::transform::Normalize::apply
pub(crate) fn load(path: &Path, preprocess: &Preprocess) -> Result<Picture, LoadError> {
    let decoded = decode::decode(path)?;
    preprocess
        .picture(&decoded)
        .map_err(|source| LoadError::Transform {
            path: path.to_path_buf(),
            source,
        })
}
