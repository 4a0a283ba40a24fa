//! What can be wrong with an image file.

use std::error::Error;
use std::fmt::Display;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use thiserror::Error;

use feature_grid::Picture;

/// The most pixels that an image may have: the size from which Pillow warns of a decompression
/// bomb (`PIL.Image.MAX_IMAGE_PIXELS`; 512 MiB as RGB).
pub(crate) const MAX_PIXELS: u64 = 178_956_970;

/// What keeps a file from being an image.
#[derive(Debug, Error)]
pub(crate) enum DecodeError {
    #[error("{}: cannot be read; check the path and its permissions", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(
        "{}: this is not an image: {found}; expected PNG, JPEG, WebP, BMP, TIFF, GIF or PPM",
        path.display()
    )]
    NotAnImage {
        path: PathBuf,
        /// Its first bytes, escaped and in hexadecimal.
        found: String,
    },
    #[error(
        "{}: {what} is not read; convert the image to an RGB PNG or JPEG first",
        path.display()
    )]
    Unsupported { path: PathBuf, what: String },
    #[error(
        "{}: its header claims {width} x {height} pixels, {} in all, and the limit is {MAX_PIXELS}; \
         a small file that claims this is a decompression bomb, a real picture must be scaled down \
         first",
        path.display(),
        u64::from(*width) * u64::from(*height)
    )]
    TooLarge {
        path: PathBuf,
        width: u32,
        height: u32,
    },
    #[error(
        "{}: its header says {width} x {height} pixels; a picture needs at least one",
        path.display()
    )]
    NoPixels {
        path: PathBuf,
        width: u32,
        height: u32,
    },
    #[error(
        "{}: this {format} file is truncated: it ends after {bytes} bytes, before its image is \
         complete; fetch it again",
        path.display()
    )]
    Truncated {
        path: PathBuf,
        format: &'static str,
        bytes: usize,
    },
    #[error("{}: this {format} file is damaged", path.display())]
    Damaged {
        path: PathBuf,
        format: &'static str,
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

/// What a decoder finds wrong, before the file's name is known.
#[derive(Debug)]
pub(super) enum Failure {
    TooLarge { width: u32, height: u32 },
    NoPixels { width: u32, height: u32 },
    Unsupported(String),
    Truncated,
    Damaged(Box<dyn Error + Send + Sync>),
}

impl Failure {
    /// Damage. The decoder's message is kept without its sources, which it repeats.
    pub(super) fn damaged(error: impl Display) -> Self {
        Self::Damaged(error.to_string().into())
    }

    /// Damage, or truncation where the decoder met the end of the file.
    pub(super) fn from_io(kind: ErrorKind, error: impl Display) -> Self {
        match kind {
            ErrorKind::UnexpectedEof => Self::Truncated,
            _ => Self::damaged(error),
        }
    }

    pub(super) fn in_file(self, path: &Path, format: &'static str, bytes: usize) -> DecodeError {
        let path = path.to_path_buf();
        match self {
            Self::TooLarge { width, height } => DecodeError::TooLarge {
                path,
                width,
                height,
            },
            Self::NoPixels { width, height } => DecodeError::NoPixels {
                path,
                width,
                height,
            },
            Self::Unsupported(what) => DecodeError::Unsupported { path, what },
            Self::Truncated => DecodeError::Truncated {
                path,
                format,
                bytes,
            },
            Self::Damaged(source) => DecodeError::Damaged {
                path,
                format,
                source,
            },
        }
    }
}

/// Refuses a size that is nothing or past the limit.
pub(super) fn check_size(width: u32, height: u32) -> Result<(), Failure> {
    if width == 0 || height == 0 {
        return Err(Failure::NoPixels { width, height });
    }
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(Failure::TooLarge { width, height });
    }
    Ok(())
}

/// An image of a decoder's pixels; a wrong number of them is a bug of that decoder.
pub(super) fn picture(width: u32, height: u32, pixels: Vec<u8>) -> Result<Picture, Failure> {
    if pixels.len() as u64 == u64::from(width) * u64::from(height) * 3 {
        return Ok(Picture::rgb(width, height, pixels));
    }
    let found = pixels.len();
    Err(Failure::damaged(format!(
        "{found} bytes of pixels for {width} x {height}"
    )))
}
