//! An image file -> the resized, cropped image.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use super::decode;
use super::decoded::Decoded;
use super::error::{ImageError, LoadError};
use super::transform::Preprocess;
use crate::one_line::panic_text;

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

/// Makes a panic the error of the one image that is read.
pub(crate) fn caught<T>(
    path: &Path,
    read: impl FnOnce() -> Result<T, LoadError>,
) -> Result<T, LoadError> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|payload| {
        let line = panic_text(payload.as_ref()).lines().next();
        let why = line.unwrap_or("unknown cause").trim().to_owned();
        Err(ImageError::Crashed(why).in_file(path))
    })
}
