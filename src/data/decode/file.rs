//! An image file before and after it is decoded.

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read, Seek};
use std::path::Path;

use feature_grid::Picture;
use image::ImageFormat;

use crate::data::error::ImageError;
use crate::data::wanted::CHECKPOINTS;

#[derive(Debug)]
pub(crate) struct Decoded {
    pub(crate) picture: Picture,
    pub(crate) oddities: Oddities,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Oddities {
    /// 16-bit gray of which clipping at 255, as Pillow does, left nothing but white and black.
    pub(crate) is_clipped: bool,
    /// EXIF says that it is to be turned, which torchvision does not.
    pub(crate) is_turned: bool,
}

/// Bytes of the file that identify its format and its kind of BMP or PNG.
const HEAD: usize = 70;

const BUFFER: usize = 1 << 16;

/// An image file, which is read no further than its image goes.
pub(super) struct ImageFile {
    pub(super) reader: Box<dyn BufReadSeek>,
    /// Its first bytes, [`HEAD`] at most.
    pub(super) head: Vec<u8>,
    pub(super) format: ImageFormat,
    /// What its format is called in messages.
    pub(super) name: &'static str,
    pub(super) length: u64,
}

pub(super) trait BufReadSeek: BufRead + Seek {}

impl<T: BufRead + Seek> BufReadSeek for T {}

impl ImageFile {
    pub(super) fn open(path: &Path) -> Result<Self, ImageError> {
        let mut file = File::open(path)?;
        let mut head = Vec::new();
        file.by_ref().take(HEAD as u64).read_to_end(&mut head)?;
        let (format, name) = sniff(&head).map_err(|error| match error {
            ImageError::NotAnImage { .. } if is_weights(path, &head) => ImageError::Weights,
            error => error,
        })?;
        let metadata = file.metadata()?;
        let (reader, length): (Box<dyn BufReadSeek>, u64) = if metadata.is_file() {
            file.rewind()?;
            let reader = BufReader::with_capacity(BUFFER, file);
            (Box::new(reader), metadata.len())
        } else {
            // A pipe: decoders go back and forth.
            let mut bytes = head.clone();
            file.read_to_end(&mut bytes)?;
            let length = bytes.len() as u64;
            (Box::new(Cursor::new(bytes)), length)
        };
        Ok(Self {
            reader,
            head,
            format,
            name,
            length,
        })
    }

    pub(super) fn of_bytes(bytes: Vec<u8>) -> Result<Self, ImageError> {
        let head = bytes[..bytes.len().min(HEAD)].to_vec();
        let (format, name) = sniff(&head)?;
        Ok(Self {
            head,
            format,
            name,
            length: bytes.len() as u64,
            reader: Box::new(Cursor::new(bytes)),
        })
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

/// Whether what is no image is a weights file: by its name, as PyTorch's archive, or as safetensors, whose header is
/// JSON behind its length.
fn is_weights(path: &Path, head: &[u8]) -> bool {
    !head.is_empty() && CHECKPOINTS.accepts(path)
        || head.starts_with(b"PK\x03\x04")
        || head.get(8..10) == Some(b"{\"") && head[4..8] == [0; 4]
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
