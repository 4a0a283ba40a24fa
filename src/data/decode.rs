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

mod image_rs;
mod jpeg;
mod unsupported;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use image::ImageFormat;

use super::decoded::Decoded;
use super::error::{ImageError, LoadError};

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
pub(crate) fn decode(path: &Path) -> Result<Decoded, LoadError> {
    read(path).map_err(|error| error.in_file(path))
}

fn read(path: &Path) -> Result<Decoded, ImageError> {
    let read_error = |source: io::Error| match path.read_link() {
        Ok(target) if !path.exists() => ImageError::Link { target, source },
        _ => ImageError::Read(source),
    };
    let mut file = File::open(path).map_err(read_error)?;
    let mut bytes = Vec::new();
    file.by_ref()
        .take(SNIFFED)
        .read_to_end(&mut bytes)
        .map_err(read_error)?;
    let (format, name) = sniff(&bytes)?;
    file.read_to_end(&mut bytes).map_err(read_error)?;
    match format {
        ImageFormat::Jpeg => jpeg::decode(&bytes),
        _ => image_rs::decode(&bytes, format, name),
    }
}

fn sniff(first: &[u8]) -> Result<(ImageFormat, &'static str), ImageError> {
    let unsupported = |what| Err(ImageError::Unsupported(what));
    // BigTIFF has a version number of its own that `image` does not know.
    if first.starts_with(b"II+\0") || first.starts_with(b"MM\0+") {
        return unsupported("the format BigTIFF".to_owned());
    }
    let format = image::guess_format(first).map_err(|_| ImageError::NotAnImage {
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
        other => return unsupported(format!("the format {other:?}")),
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
