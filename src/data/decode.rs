//! An image file -> the image that Pillow's `Image.open(file).convert("RGB")` gives.
//!
//! | format | decoder | compared with Pillow 13.0.0 |
//! | --- | --- | --- |
//! | PNG, WebP | `image` | equal |
//! | BMP, GIF, PBM, PGM, PPM, TIFF | `image` | equal, or refused by name ([`unsupported`]) |
//! | JPEG | `mozjpeg` (libjpeg-turbo's decoder, in C) | equal |
//!
//! JPEG does not go through `image`: its decoder, zune-jpeg, is up to 6 gray levels away from
//! libjpeg where chroma is subsampled, and Pillow reads with libjpeg.

mod file;
mod image_rs;
mod jpeg;
mod unsupported;

use std::path::Path;

use feature_grid::Picture;
use image::ImageFormat;

use super::error::{ImageError, LoadError};
use file::ImageFile;
pub(crate) use file::{Decoded, Oddities};

/// Decodes an image file to RGB.
///
/// What differs from the file's own pixels, as it does in Pillow, is in docs/files.md.
///
/// Shapes: `[height, width, 3]`.
///
/// Source: Pillow's modes and conversions: <https://pillow.readthedocs.io/en/stable/handbook/concepts.html>.
pub(crate) fn decode(path: &Path) -> Result<Decoded, LoadError> {
    let decoded = ImageFile::open(path).and_then(decode_file);
    decoded.map_err(|error| error.in_file(path))
}

/// The same of an image in memory.
pub(crate) fn decode_bytes(bytes: Vec<u8>) -> Result<Picture, ImageError> {
    let decoded = ImageFile::of_bytes(bytes).and_then(decode_file)?;
    Ok(decoded.picture)
}

fn decode_file(file: ImageFile) -> Result<Decoded, ImageError> {
    match file.format {
        ImageFormat::Jpeg => jpeg::decode(file),
        _ => image_rs::decode(file),
    }
}
