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
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek};
use std::path::Path;

use feature_grid::Picture;
use image::ImageFormat;

use super::error::{ImageError, LoadError};

#[derive(Debug)]
pub(crate) struct Decoded {
    pub(crate) picture: Picture,
    pub(crate) oddities: Oddities,
}

/// What is peculiar about an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Oddities {
    /// 16-bit gray of which clipping at 255, as Pillow does, left nothing but white and black.
    pub(crate) is_clipped: bool,
    /// EXIF says that it is to be turned, which torchvision does not.
    pub(crate) is_turned: bool,
}

/// Bytes of the file that identify its format and its kind of BMP or PNG.
const HEAD: usize = 70;

/// Bytes that are read of a file at a time.
const BUFFER: usize = 1 << 16;

/// An image file, which is read no further than its image goes.
struct ImageFile {
    reader: Box<dyn BufReadSeek>,
    /// Its first bytes, [`HEAD`] at most.
    head: Vec<u8>,
    format: ImageFormat,
    /// What its format is called in messages.
    name: &'static str,
    /// Its length in bytes.
    length: u64,
}

trait BufReadSeek: BufRead + Seek {}

impl<T: BufRead + Seek> BufReadSeek for T {}

impl ImageFile {
    fn open(path: &Path) -> Result<Self, ImageError> {
        let (mut reader, length) = Self::reader(path).map_err(ImageError::Read)?;
        let mut head = Vec::new();
        let read = reader.by_ref().take(HEAD as u64).read_to_end(&mut head);
        read.and_then(|_| reader.rewind())
            .map_err(ImageError::Read)?;
        let (format, name) = sniff(&head)?;
        Ok(Self {
            reader,
            head,
            format,
            name,
            length,
        })
    }

    /// What is not a file, such as a pipe, is read whole: decoders go back and forth.
    fn reader(path: &Path) -> io::Result<(Box<dyn BufReadSeek>, u64)> {
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_file() {
            let reader = BufReader::with_capacity(BUFFER, file);
            return Ok((Box::new(reader), metadata.len()));
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let length = bytes.len() as u64;
        Ok((Box::new(Cursor::new(bytes)), length))
    }
}

/// Decodes an image file to RGB.
///
/// What differs from the file's own pixels, as it does in Pillow, is in docs/files.md.
///
/// Shapes: `[height, width, 3]`.
///
/// Source: Pillow's modes and conversions: <https://pillow.readthedocs.io/en/stable/handbook/concepts.html>.
pub(crate) fn decode(path: &Path) -> Result<Decoded, LoadError> {
    let decoded = ImageFile::open(path).and_then(|file| match file.format {
        ImageFormat::Jpeg => jpeg::decode(file),
        _ => image_rs::decode(file),
    });
    decoded.map_err(|error| error.in_file(path))
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
