//! JPEG through mozjpeg, whose decoder is libjpeg-turbo's.

use std::cell::Cell;
use std::io::{self, BufRead, Read};
use std::panic::{self, AssertUnwindSafe};

use image::metadata::Orientation;
use mozjpeg::{ColorSpace, Decompress, Marker};

use feature_grid::Picture;

use super::file::{BufReadSeek, Decoded, ImageFile, Oddities};
use crate::data::error::{ImageError, check_decoded};

const FORMAT: &str = "JPEG";

const EXIF_MARKER: Marker = Marker::APP(1);

/// Decodes a JPEG file as Pillow does: gray and color to RGB; CMYK and YCCK taken as inverted, which
/// is how Adobe's programs write them.
///
/// libjpeg leaves by its error exit where a file is damaged. The binding makes a panic of that
/// which runs no panic hook and prints nothing; it is caught here and nowhere else.
pub(super) fn decode(file: ImageFile) -> Result<Decoded, ImageError> {
    let failed = Cell::new(None);
    let source = Source {
        reader: file.reader,
        failed: &failed,
    };
    let decoded = panic::catch_unwind(AssertUnwindSafe(|| decode_source(source)));
    let decoded = decoded.unwrap_or_else(|exit| {
        let why = exit.downcast_ref::<String>().map(String::as_str);
        Err(damaged(why.unwrap_or("libjpeg failed")))
    });
    match (decoded, failed.take()) {
        (Err(ImageError::Damaged { .. }), Some(error)) => Err(match error.kind() {
            io::ErrorKind::UnexpectedEof => ImageError::Truncated {
                format: FORMAT,
                bytes: file.length,
            },
            _ => ImageError::Read(error),
        }),
        (decoded, _) => decoded,
    }
}

fn decode_source(source: Source<'_>) -> Result<Decoded, ImageError> {
    let header = Decompress::with_markers(&[EXIF_MARKER])
        .from_reader(source)
        .map_err(|error| damaged(&error))?;
    let is_turned = header.markers().any(|marker| is_turned(marker.data));
    let (width, height) = (side(header.width()), side(header.height()));
    check_decoded(width, height)?;
    let space = match header.components().len() {
        1 | 3 => ColorSpace::JCS_RGB,
        4 => ColorSpace::JCS_CMYK,
        n => return Err(ImageError::Unsupported(format!("JPEG of {n} components"))),
    };
    let mut lines = header
        .to_colorspace(space)
        .map_err(|error| damaged(&error))?;
    let samples: Vec<u8> = lines.read_scanlines().map_err(|error| damaged(&error))?;
    let pixels = if space == ColorSpace::JCS_RGB {
        samples
    } else {
        let (inks, _) = samples.as_chunks::<4>();
        inks.iter().copied().flat_map(rgb_of_inverted).collect()
    };
    Ok(Decoded {
        picture: Picture::rgb(width, height, pixels),
        oddities: Oddities {
            is_turned,
            is_clipped: false,
        },
    })
}

fn damaged(why: &(impl ToString + ?Sized)) -> ImageError {
    ImageError::damaged(FORMAT, why)
}

/// Whether this is EXIF that says that the image is to be turned.
fn is_turned(marker: &[u8]) -> bool {
    let exif = marker.strip_prefix(b"Exif\0\0");
    let orientation = exif.and_then(Orientation::from_exif_chunk);
    orientation.is_some_and(|orientation| orientation != Orientation::NoTransforms)
}

/// Inverted CMYK (255 is no ink) -> RGB, without a profile: `k - (255 - c) * k / 255`, rounded
/// as Pillow's `MULDIV255` does.
fn rgb_of_inverted([c, m, y, k]: [u8; 4]) -> [u8; 3] {
    let light = u32::from(k);
    [c, m, y].map(|value| {
        let product = (255 - u32::from(value)) * light + 128;
        let absorbed = ((product >> 8) + product) >> 8;
        u8::try_from(light.saturating_sub(absorbed)).unwrap_or(u8::MAX)
    })
}

fn side(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// The file's bytes, with an error at their end. At a plain end of file libjpeg would make up an end
/// marker and leave the rest of the image gray.
struct Source<'a> {
    reader: Box<dyn BufReadSeek>,
    /// Why there were no more.
    failed: &'a Cell<Option<io::Error>>,
}

impl BufRead for Source<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let failed = match self.reader.fill_buf() {
            Ok([]) => io::ErrorKind::UnexpectedEof.into(),
            Ok(bytes) => return Ok(bytes),
            Err(error) => error,
        };
        self.failed.set(Some(failed));
        Err(io::Error::other("the file ends here"))
    }

    fn consume(&mut self, amount: usize) {
        self.reader.consume(amount);
    }
}

impl Read for Source<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.reader.read(into)
    }
}
