//! JPEG through mozjpeg, whose decoder is libjpeg-turbo's.

use std::any::Any;
use std::cell::Cell;
use std::io::{self, BufRead, Read};
use std::panic::{self, AssertUnwindSafe};

use mozjpeg::{ColorSpace, Decompress};

use super::{Failure, checked_size, picture, pillow};
use crate::input::Picture;

/// Decodes a JPEG file as Pillow does: grey and colour to RGB; CMYK and YCCK taken as inverted, which
/// is how Adobe's programs write them.
pub(super) fn decode(bytes: &[u8]) -> Result<Picture, Failure> {
    decode_with(bytes, |header| match header.components().len() {
        1 | 3 => Ok(ColorSpace::JCS_RGB),
        4 => Ok(ColorSpace::JCS_CMYK),
        n => Err(Failure::Unsupported(format!("a JPEG of {n} colours"))),
    })
    .and_then(|decoded| {
        let pixels = match decoded.channels {
            3 => decoded.samples,
            _ => decoded
                .samples
                .as_chunks::<4>()
                .0
                .iter()
                .flat_map(|inks| pillow::cmyk(inks.map(|ink| 255 - ink)))
                .collect(),
        };
        picture(decoded.size, pixels)
    })
}

/// Samples as libjpeg gives them, `[height, width, channels]`.
pub(super) struct Decoded {
    pub(super) size: (usize, usize),
    pub(super) channels: usize,
    pub(super) samples: Vec<u8>,
}

/// A JPEG header, before its picture is decoded.
pub(super) type Header<'a> = Decompress<Source<'a>>;

/// Decodes a JPEG stream to the colour space that `choose` picks from its header.
///
/// libjpeg leaves by its error exit where a file is damaged. The binding makes a panic of that
/// which runs no panic hook and prints nothing; it is caught here and nowhere else.
pub(super) fn decode_with(
    bytes: &[u8],
    choose: impl FnOnce(&Header<'_>) -> Result<ColorSpace, Failure>,
) -> Result<Decoded, Failure> {
    let met_end = Cell::new(false);
    let source = Source {
        rest: bytes,
        met_end: &met_end,
    };
    let decoded = panic::catch_unwind(AssertUnwindSafe(|| decode_source(source, choose)));
    match decoded {
        Ok(Ok(decoded)) => Ok(decoded),
        Ok(Err(Failure::Damaged(_))) | Err(_) if met_end.get() => Err(Failure::Truncated),
        Ok(Err(failure)) => Err(failure),
        Err(exit) => Err(Failure::damaged(exit_message(exit.as_ref()))),
    }
}

fn decode_source<'a>(
    source: Source<'a>,
    choose: impl FnOnce(&Header<'a>) -> Result<ColorSpace, Failure>,
) -> Result<Decoded, Failure> {
    let header = Decompress::new_reader(source).map_err(Failure::damaged)?;
    let size = checked_size(side(header.width()), side(header.height()))?;
    let space = choose(&header)?;
    let mut lines = header.to_colorspace(space).map_err(Failure::damaged)?;
    let samples: Vec<u8> = lines.read_scanlines().map_err(Failure::damaged)?;
    let channels = samples.len() / (size.0 * size.1);
    Ok(Decoded {
        size,
        channels,
        samples,
    })
}

fn side(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn exit_message(exit: &(dyn Any + Send)) -> String {
    exit.downcast_ref::<String>()
        .map_or("libjpeg gave up", String::as_str)
        .to_owned()
}

/// The file's bytes, with an error at their end. Told that a file simply ends, libjpeg would make
/// up an end marker and leave the rest of the picture grey.
pub(super) struct Source<'a> {
    rest: &'a [u8],
    met_end: &'a Cell<bool>,
}

impl BufRead for Source<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.rest.is_empty() {
            self.met_end.set(true);
            return Err(io::Error::other("the file ends here"));
        }
        Ok(self.rest)
    }

    fn consume(&mut self, amount: usize) {
        self.rest = self.rest.get(amount..).unwrap_or_default();
    }
}

impl Read for Source<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let amount = self.fill_buf()?.read(into)?;
        self.consume(amount);
        Ok(amount)
    }
}
