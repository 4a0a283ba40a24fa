//! An image file -> the image that Pillow's `Image.open(file).convert("RGB")` gives.
//!
//! | format | decoder | against Pillow 13.0.0 |
//! | --- | --- | --- |
//! | PNG, WebP | `image` | equal |
//! | BMP, GIF, TIFF | `image` | equal, or refused by name ([`unsupported`], [`bmp`]) |
//! | PBM, PGM, PPM | ours ([`pnm`]) | equal |
//! | JPEG | `mozjpeg` (libjpeg-turbo's decoder, in C) | equal |
//!
//! JPEG does not go through `image`: its decoder, zune-jpeg, is up to 6 gray levels away from
//! libjpeg where chroma is subsampled, and Pillow reads with libjpeg.

mod bmp;
mod decoded;
mod failure;
mod image_rs;
mod jpeg;
mod pnm;
mod unsupported;

pub(crate) use decoded::Decoded;
pub(crate) use failure::{DecodeError, MAX_PIXELS};

use std::fs::File;
use std::io::Read;
use std::path::Path;

use image::ImageFormat;

/// Bytes of the file that are enough to identify its format.
const SNIFFED: u64 = 32;

/// Decodes an image file to RGB.
///
/// The format is identified by the file's content, never by its name. As in Pillow:
/// - alpha is dropped, not blended: a transparent pixel has the color that it is stored with;
/// - 16-bit gray is clipped at 255, not scaled, so that most such images come out white; 16-bit
///   color keeps its upper 8 bits;
/// - CMYK is inverted as Adobe's JPEGs need it, and converted without a color profile;
/// - color profiles and gamma are not applied, and the EXIF orientation to TIFF only (torchvision does not
///   either);
/// - the first frame of an animation is read, and the first page of a TIFF.
///
/// Shapes: `[height, width, 3]`.
///
/// Source: Pillow's modes and conversions: <https://pillow.readthedocs.io/en/stable/handbook/concepts.html>.
pub(crate) fn decode(path: &Path) -> Result<Decoded, DecodeError> {
    let read_error = |source| DecodeError::Read {
        path: path.to_path_buf(),
        source,
    };
    let mut file = File::open(path).map_err(read_error)?;
    let mut bytes = Vec::new();
    file.by_ref()
        .take(SNIFFED)
        .read_to_end(&mut bytes)
        .map_err(read_error)?;
    let (format, name) = sniff(&bytes, path)?;
    file.read_to_end(&mut bytes).map_err(read_error)?;
    let decoded = match format {
        ImageFormat::Jpeg => jpeg::decode(&bytes),
        ImageFormat::Pnm => pnm::decode(&bytes),
        _ => image_rs::decode(&bytes, format),
    };
    decoded.map_err(|failure| failure.in_file(path, name, bytes.len()))
}

/// The format that the first bytes show, and its name.
fn sniff(first: &[u8], path: &Path) -> Result<(ImageFormat, &'static str), DecodeError> {
    let unsupported = |what| DecodeError::Unsupported {
        path: path.to_path_buf(),
        what,
    };
    // BigTIFF has a version number of its own that `image` does not know.
    if first.starts_with(b"II+\0") || first.starts_with(b"MM\0+") {
        return Err(unsupported("the format BigTIFF".to_owned()));
    }
    let format = image::guess_format(first).map_err(|_| DecodeError::NotAnImage {
        path: path.to_path_buf(),
        found: first_bytes(first),
    })?;
    let name = match format {
        ImageFormat::Png => "PNG",
        ImageFormat::Jpeg => "JPEG",
        ImageFormat::WebP => "WebP",
        ImageFormat::Bmp => "BMP",
        ImageFormat::Tiff => "TIFF",
        ImageFormat::Gif => "GIF",
        ImageFormat::Pnm => "PPM",
        other => return Err(unsupported(format!("the format {other:?}"))),
    };
    Ok((format, name))
}

/// `it begins with "# Notes" (23 20 4e …)`: shows whether it is text, a web page or an archive.
fn first_bytes(first: &[u8]) -> String {
    let shown = &first[..first.len().min(12)];
    if shown.is_empty() {
        return "it is empty".to_owned();
    }
    let hex: Vec<String> = shown.iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "it begins with \"{}\" ({})",
        shown.escape_ascii(),
        hex.join(" ")
    )
}
