//! An image file -> the picture that Pillow's `Image.open(file).convert("RGB")` gives.
//!
//! | format | decoder | against Pillow 13.0.0 |
//! | --- | --- | --- |
//! | PNG, WebP | `image` | equal |
//! | BMP | `image` | equal; 16-bit pictures to one grey level |
//! | GIF | `gif` | equal; first frame, placed on its canvas |
//! | TIFF | `tiff` | equal in the kinds listed in [`decode`] |
//! | JPEG | `mozjpeg` (libjpeg-turbo's decoder, in C, built without an assembler) | equal |
//!
//! JPEG does not go through `image`: its decoder, zune-jpeg, is up to 6 grey levels away from
//! libjpeg where chroma is subsampled, and Pillow reads with libjpeg.

mod gif;
mod image_rs;
mod jpeg;
mod pillow;
mod tiff;
mod tiff_jpeg;
mod tiff_samples;

use std::error::Error;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use image::ImageFormat;
use thiserror::Error;

use super::Picture;

/// The most pixels that a picture may have: the size from which Pillow warns of a decompression
/// bomb (`PIL.Image.MAX_IMAGE_PIXELS`; 512 MiB as RGB).
pub const MAX_PIXELS: u64 = 178_956_970;

/// Bytes of the file that are enough to know its format by.
const SNIFFED: u64 = 32;

/// What keeps a file from being a picture.
#[derive(Debug, Error)]
pub enum DecodeError {
    /// The system does not give us the file.
    #[error("{}: cannot be read; check the path and its permissions", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file's first bytes are those of no image format.
    #[error(
        "{}: this is not an image: {found}; expected PNG, JPEG, WebP, BMP, TIFF or GIF",
        path.display()
    )]
    NotAnImage {
        /// The file.
        path: PathBuf,
        /// Its first bytes, in words.
        found: String,
    },
    /// An image, but of a kind that is not read.
    #[error(
        "{}: {what} is not read; convert the image to an RGB PNG or JPEG first",
        path.display()
    )]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// The format or the kind of it.
        what: String,
    },
    /// The header claims a size past the limit; nothing was allocated for it.
    #[error(
        "{}: its header claims {width} x {height} pixels, {} in all, and the limit is {MAX_PIXELS}; \
         a small file that claims this is a decompression bomb, a real picture must be scaled down \
         first",
        path.display(),
        u64::from(*width) * u64::from(*height)
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The claimed width.
        width: u32,
        /// The claimed height.
        height: u32,
    },
    /// The picture has no pixels.
    #[error(
        "{}: its header says {width} x {height} pixels; a picture needs at least one",
        path.display()
    )]
    NoPixels {
        /// The file.
        path: PathBuf,
        /// The width in the header.
        width: u32,
        /// The height in the header.
        height: u32,
    },
    /// The file ends before its picture does.
    #[error(
        "{}: this {format} file is cut off: it ends after {bytes} bytes, before its picture is \
         complete; fetch it again",
        path.display()
    )]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: &'static str,
        /// Its length in bytes.
        bytes: usize,
    },
    /// The file breaks its format's rules.
    #[error("{}: this {format} file is damaged", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: &'static str,
        /// What the decoder said.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

/// What a decoder finds wrong, before the file's name is known.
#[derive(Debug)]
enum Failure {
    TooLarge { width: u32, height: u32 },
    NoPixels { width: u32, height: u32 },
    Unsupported(String),
    Truncated,
    Damaged(Box<dyn Error + Send + Sync>),
}

impl Failure {
    /// Damage, in the decoder's words. They are taken as one text: the decoders' errors repeat
    /// their sources' words in their own.
    fn damaged(error: impl Display) -> Self {
        Self::Damaged(error.to_string().into())
    }

    /// Damage, or the end of the file where the decoder says that it met it.
    fn from_io(kind: ErrorKind, error: impl Display) -> Self {
        match kind {
            ErrorKind::UnexpectedEof => Self::Truncated,
            _ => Self::damaged(error),
        }
    }

    fn in_file(self, path: &Path, format: Format, bytes: usize) -> DecodeError {
        let path = path.to_path_buf();
        let format = format.name();
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

/// Decodes an image file to RGB.
///
/// The format is known by the file's content, never by its name. As in Pillow:
/// - alpha is dropped, not blended: a transparent pixel has the colour that it is stored with;
/// - grey with 16 bits and TIFF's integers and floats are *cut off* at 255, not scaled, so that
///   most 16-bit grey pictures come out white; 16-bit colour keeps its upper 8 bits;
/// - CMYK is turned round as Adobe's JPEGs need it, and mixed without a colour profile;
/// - colour profiles, gamma and the EXIF orientation are not applied (torchvision does not either);
/// - of an animation the first frame is taken, of a TIFF the first page.
///
/// TIFF is read in strips or tiles, chunky or planar, uncompressed or with LZW, Deflate, `PackBits`,
/// CCITT group 4 or JPEG: grey (1, 2, 4, 8, 16 bits, 32-bit integer and float), grey with alpha,
/// palette, RGB and RGBA (8, 16 bits), CMYK (8, 16 bits), YCbCr (JPEG only).
///
/// # Shapes
/// `[height, width, 3]`.
///
/// # Errors
/// [`DecodeError`]. A file that is cut off is an error, never a picture with a grey rest, and a
/// claimed size above [`MAX_PIXELS`] is refused before anything is allocated for it.
///
/// # Source
/// Pillow's modes and conversions: <https://pillow.readthedocs.io/en/stable/handbook/concepts.html>.
pub fn decode(path: &Path) -> Result<Picture, DecodeError> {
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
    let format = sniff(&bytes, path)?;
    file.read_to_end(&mut bytes).map_err(read_error)?;
    let picture = match format {
        Format::Png => image_rs::decode(&bytes, ImageFormat::Png),
        Format::WebP => image_rs::decode(&bytes, ImageFormat::WebP),
        Format::Bmp => image_rs::decode(&bytes, ImageFormat::Bmp),
        Format::Jpeg => jpeg::decode(&bytes),
        Format::Gif => gif::decode(&bytes),
        Format::Tiff => tiff::decode(&mut bytes),
    };
    picture.map_err(|failure| failure.in_file(path, format, bytes.len()))
}

#[derive(Debug, Clone, Copy)]
enum Format {
    Png,
    Jpeg,
    WebP,
    Bmp,
    Tiff,
    Gif,
}

impl Format {
    fn name(self) -> &'static str {
        match self {
            Self::Png => "PNG",
            Self::Jpeg => "JPEG",
            Self::WebP => "WebP",
            Self::Bmp => "BMP",
            Self::Tiff => "TIFF",
            Self::Gif => "GIF",
        }
    }
}

fn sniff(first: &[u8], path: &Path) -> Result<Format, DecodeError> {
    // BigTIFF has a version number of its own that `image` does not know.
    if first.starts_with(b"II+\0") || first.starts_with(b"MM\0+") {
        return Ok(Format::Tiff);
    }
    match image::guess_format(first) {
        Ok(ImageFormat::Png) => Ok(Format::Png),
        Ok(ImageFormat::Jpeg) => Ok(Format::Jpeg),
        Ok(ImageFormat::WebP) => Ok(Format::WebP),
        Ok(ImageFormat::Bmp) => Ok(Format::Bmp),
        Ok(ImageFormat::Tiff) => Ok(Format::Tiff),
        Ok(ImageFormat::Gif) => Ok(Format::Gif),
        Ok(other) => Err(DecodeError::Unsupported {
            path: path.to_path_buf(),
            what: format!("the format {other:?}"),
        }),
        Err(_) => Err(DecodeError::NotAnImage {
            path: path.to_path_buf(),
            found: first_bytes(first),
        }),
    }
}

/// `it begins with "# Notes" (23 20 4e …)`: enough to see that it is a text, a web page, an archive.
fn first_bytes(first: &[u8]) -> String {
    let shown = first.get(..first.len().min(12)).unwrap_or_default();
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

/// The size as numbers to count with, once it is known to be neither nothing nor past the limit.
fn checked_size(width: u32, height: u32) -> Result<(usize, usize), Failure> {
    if width == 0 || height == 0 {
        return Err(Failure::NoPixels { width, height });
    }
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(Failure::TooLarge { width, height });
    }
    Ok((width as usize, height as usize))
}

/// A picture of what a decoder gave; a wrong amount of pixels is a broken promise of that decoder.
fn picture(size: (usize, usize), pixels: Vec<u8>) -> Result<Picture, Failure> {
    let found = pixels.len();
    Picture::new(size.0, size.1, pixels).ok_or_else(|| {
        let (width, height) = size;
        Failure::damaged(format!("{found} bytes of pixels for {width} x {height}"))
    })
}
