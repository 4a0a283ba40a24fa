//! PNG, WebP and BMP through the `image` crate, down to 8 bits the way Pillow goes.

use std::error::Error;
use std::io::{self, Cursor, ErrorKind};

use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use super::{Failure, MAX_PIXELS, checked_size, picture, pillow};
use crate::input::Picture;

/// Bytes of the largest pixel, RGBA with 16 bits a channel.
const LARGEST_PIXEL: u64 = 8;

/// Where a PNG says how its pixels are stored (in its first chunk, `IHDR`), and what it says of grey
/// without an alpha channel. `image` tells grey with a transparent value (`tRNS`) only as grey with
/// alpha.
const PNG_COLOUR_TYPE: usize = 25;
const PNG_GREY: u8 = 0;

pub(super) fn decode(bytes: &[u8], format: ImageFormat) -> Result<Picture, Failure> {
    let reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut decoder = reader.into_decoder().map_err(failure)?;
    let (width, height) = decoder.dimensions();
    let size = checked_size(width, height)?;
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_PIXELS * LARGEST_PIXEL);
    decoder.set_limits(limits).map_err(failure)?;
    let image = DynamicImage::from_decoder(decoder).map_err(failure)?;
    let stored_grey = bytes.get(PNG_COLOUR_TYPE) == Some(&PNG_GREY);
    picture(size, to_rgb(image, stored_grey)?)
}

/// Not `DynamicImage::to_rgb8`: that scales 16 bits with rounding and grey too, Pillow neither.
fn to_rgb(decoded: DynamicImage, stored_grey: bool) -> Result<Vec<u8>, Failure> {
    Ok(match decoded {
        DynamicImage::ImageRgb8(image) => image.into_raw(),
        DynamicImage::ImageRgba8(image) => image.pixels().flat_map(|p| first_three(p.0)).collect(),
        DynamicImage::ImageLuma8(image) => pillow::grey(image.into_raw()),
        DynamicImage::ImageLumaA8(image) => pillow::grey(image.pixels().map(|p| p.0[0])),
        DynamicImage::ImageLuma16(image) => pillow::grey(image.pixels().map(|p| cut16(p.0[0]))),
        // Grey with a transparent value (`tRNS`) is still Pillow's mode `I;16`, which is cut off; a
        // real alpha channel makes it a colour mode, of which the upper bits are kept.
        DynamicImage::ImageLumaA16(image) => pillow::grey(image.pixels().map(|p| {
            if stored_grey {
                cut16(p.0[0])
            } else {
                pillow::upper(p.0[0])
            }
        })),
        DynamicImage::ImageRgb16(image) => {
            image.into_raw().into_iter().map(pillow::upper).collect()
        }
        DynamicImage::ImageRgba16(image) => image
            .pixels()
            .flat_map(|p| first_three(p.0).map(pillow::upper))
            .collect(),
        other => {
            let kind = format!("the pixel type {:?}", other.color());
            return Err(Failure::Unsupported(kind));
        }
    })
}

fn first_three<T>([r, g, b, _]: [T; 4]) -> [T; 3] {
    [r, g, b]
}

fn cut16(value: u16) -> u8 {
    pillow::cut(i64::from(value))
}

fn failure(error: ImageError) -> Failure {
    match error {
        ImageError::Unsupported(what) => {
            Failure::Unsupported(format!("this kind of image ({what})"))
        }
        other => Failure::from_io(io_kind(&other), other),
    }
}

/// What the reader said, however deep a decoder wrapped it.
fn io_kind(error: &ImageError) -> ErrorKind {
    if let ImageError::IoError(io) = error {
        return io.kind();
    }
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return io.kind();
        }
        source = error.source();
    }
    ErrorKind::InvalidData
}
