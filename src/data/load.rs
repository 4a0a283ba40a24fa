//! An image file -> the resized, cropped image.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::decode::{self, DecodeError, Decoded};
use super::transform::{Preprocess, TransformError};
use crate::one_line::panic_text;

/// What keeps an image from being loaded.
#[derive(Debug, Error)]
pub(crate) enum LoadError {
    #[error("{0}")]
    Decode(#[from] DecodeError),
    #[error("{}: reading it crashed ({why}), which is a bug; leave the image out", path.display())]
    Crashed { path: PathBuf, why: String },
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
pub(crate) fn load(path: &Path, preprocess: &Preprocess) -> Result<Decoded, LoadError> {
    let Decoded { picture, oddities } = decode::decode(path)?;
    match preprocess.picture(&picture) {
        Ok(picture) => Ok(Decoded { picture, oddities }),
        Err(source) => Err(LoadError::Transform {
            path: path.to_path_buf(),
            source,
        }),
    }
}

/// Makes a panic the error of the one image that is read.
pub(crate) fn caught<T>(
    path: &Path,
    read: impl FnOnce() -> Result<T, LoadError>,
) -> Result<T, LoadError> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|payload| {
        let line = panic_text(payload.as_ref()).lines().next();
        Err(LoadError::Crashed {
            path: path.to_owned(),
            why: line.unwrap_or("unknown cause").trim().to_owned(),
        })
    })
}
