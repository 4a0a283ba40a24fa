//! All that can be wrong with an image.

use std::error::Error;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use feature_grid::Picture;
use thiserror::Error;

use crate::one_line::panic_text;

/// The most pixels that an image may have: the size from which Pillow warns of a decompression
/// bomb (`PIL.Image.MAX_IMAGE_PIXELS`; 512 MiB as RGB).
pub(crate) const MAX_PIXELS: u64 = if cfg!(feature = "fuzz") {
    1 << 20
} else {
    178_956_970
};

#[derive(Debug, Error)]
#[error("{path}: {error}")]
pub(crate) struct LoadError {
    pub(crate) path: PathBuf,
    #[source]
    pub(crate) error: ImageError,
}

#[derive(Debug, Error)]
pub(crate) enum ImageError {
    #[error("cannot be read; check the path and its permissions")]
    Read(#[from] io::Error),
    #[error("this is not an image: {found}; expected PNG, JPEG, WebP, BMP, TIFF, GIF or PPM")]
    NotAnImage {
        /// Its first bytes, escaped and in hexadecimal.
        found: String,
    },
    #[error("this is a weights file, not an image")]
    Weights,
    #[error("{0} is not read; convert the image to an RGB PNG or JPEG first")]
    Unsupported(String),
    #[error("its header claims {width} x {height} pixels, {} in all, and the limit is {MAX_PIXELS}; a small file that claims this is a decompression bomb, a real picture must be scaled down first", u64::from(*width) * u64::from(*height))]
    TooLarge { width: u32, height: u32 },
    #[error("its header says {width} x {height} pixels; a picture needs at least one")]
    NoPixels { width: u32, height: u32 },
    #[error(
        "this {format} file is truncated: it ends after {bytes} bytes, before its image is complete; fetch it again"
    )]
    Truncated { format: &'static str, bytes: u64 },
    #[error("this {format} file is damaged")]
    Damaged {
        format: &'static str,
        /// The decoder's message, without its sources, which it repeats.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    #[error("reading it crashed ({0}), which is a bug; leave the image out")]
    Crashed(String),
    #[error(
        "{from_width} x {from_height} pixels would become {width} x {height}, more than the limit of {MAX_PIXELS} \
         pixels in all"
    )]
    ResizedTooLarge {
        from_width: u32,
        from_height: u32,
        width: u64,
        height: u64,
    },
    #[error(
        "a box of {width} x {height} pixels at ({left}, {top}) is not inside the image; this is a bug"
    )]
    Outside {
        left: u32,
        top: u32,
        width: u32,
        height: u32,
    },
}

impl ImageError {
    pub(super) fn damaged(format: &'static str, why: &(impl ToString + ?Sized)) -> Self {
        let source = why.to_string().into();
        Self::Damaged { format, source }
    }

    pub(super) fn in_file(self, path: &Path) -> LoadError {
        LoadError {
            path: path.to_path_buf(),
            error: self,
        }
    }
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

/// Refuses an image that has no pixels, or too many.
pub(super) fn check_decoded(width: u32, height: u32) -> Result<(), ImageError> {
    if width == 0 || height == 0 {
        return Err(ImageError::NoPixels { width, height });
    }
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(ImageError::TooLarge { width, height });
    }
    Ok(())
}

pub(super) fn check_resized(picture: &Picture, width: u64, height: u64) -> Result<(), ImageError> {
    if width.saturating_mul(height) <= MAX_PIXELS {
        return Ok(());
    }
    Err(ImageError::ResizedTooLarge {
        from_width: picture.width,
        from_height: picture.height,
        width,
        height,
    })
}
