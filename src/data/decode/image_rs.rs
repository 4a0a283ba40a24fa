//! All formats but JPEG through the `image` crate, converted to 8 bits as Pillow does
//! (`src/libImaging/Convert.c`).

use std::error::Error;
use std::io::{self, ErrorKind, Seek};
use std::iter::successors;

use feature_grid::Picture;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use super::file::{Decoded, ImageFile, Oddities};
use super::unsupported;
use crate::data::error::{ImageError, check_decoded};

/// Bytes of the largest pixel, RGBA with 16 bits a channel.
const LARGEST_PIXEL: u64 = 8;

/// Bytes that a decoder may take beside the image and the file's own: a color profile that is unpacked, the rest of a
/// tile that reaches beyond the image.
const BESIDE: u64 = 32 << 20;

/// The offset of a PNG's color type (in its first chunk, `IHDR`), and the one of gray without an
/// alpha channel. `image` reports gray with a transparent value (`tRNS`) only as gray with alpha.
const PNG_COLOR_TYPE: usize = 25;
const PNG_GRAY: u8 = 0;

pub(super) fn decode(mut file: ImageFile) -> Result<Decoded, ImageError> {
    let mut refused = unsupported::kind(&mut file);
    let ImageFile {
        mut reader,
        head,
        format,
        name,
        length,
    } = file;
    reader.rewind()?;
    // Their decoders do not get as far as the size of some that are refused.
    let is_early = matches!(format, ImageFormat::Tiff | ImageFormat::Png);
    if let Some(refused) = refused.take_if(|_| is_early) {
        return Err(refused);
    }
    let failure = |error| failure(error, name, length);
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(BESIDE + length);
    let mut reader = ImageReader::with_format(reader, format);
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder().map_err(failure)?;
    let (width, height) = decoder.dimensions();
    // Before the others are refused, so that a decompression bomb is reported as one.
    check_decoded(width, height)?;
    if let Some(refused) = refused {
        return Err(refused);
    }
    let pixels = u64::from(width) * u64::from(height);
    limits.max_alloc = Some(BESIDE + length + 2 * pixels * LARGEST_PIXEL);
    decoder.set_limits(limits).map_err(failure)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).map_err(failure)?;
    // Pillow turns TIFFs when it loads them, and nothing else.
    let turns = format == ImageFormat::Tiff;
    if turns {
        image.apply_orientation(orientation);
    }
    let (width, height) = (image.width(), image.height());
    let stored_gray = head.get(PNG_COLOR_TYPE) == Some(&PNG_GRAY);
    let is_wide = match &image {
        DynamicImage::ImageLuma16(_) => true,
        DynamicImage::ImageLumaA16(_) => stored_gray,
        _ => false,
    };
    let pixels = to_rgb(image, stored_gray)?;
    let is_extreme = |level: &u8| [0, 255].contains(level);
    let oddities = Oddities {
        is_clipped: is_wide && pixels.iter().all(is_extreme),
        is_turned: !turns && orientation != Orientation::NoTransforms,
    };
    let picture = Picture::rgb(width, height, pixels);
    Ok(Decoded { picture, oddities })
}

/// Not `DynamicImage::to_rgb8`: that scales 16 bits with rounding and gray too, Pillow neither.
fn to_rgb(decoded: DynamicImage, stored_gray: bool) -> Result<Vec<u8>, ImageError> {
    Ok(match decoded {
        DynamicImage::ImageRgb8(image) => image.into_raw(),
        DynamicImage::ImageRgba8(image) => image.pixels().flat_map(|p| first_three(p.0)).collect(),
        DynamicImage::ImageLuma8(image) => gray(image.into_raw()),
        DynamicImage::ImageLumaA8(image) => gray(image.pixels().map(|p| p.0[0])),
        DynamicImage::ImageLuma16(image) => gray(image.into_raw().into_iter().map(clipped)),
        // Gray with a transparent value (`tRNS`) is still Pillow's mode `I;16`, which is clipped; a
        // real alpha channel makes it a color mode, of which the upper bits are kept.
        DynamicImage::ImageLumaA16(image) => {
            let to_8_bits = if stored_gray { clipped } else { upper };
            gray(image.pixels().map(|p| to_8_bits(p.0[0])))
        }
        DynamicImage::ImageRgb16(image) => image.into_raw().into_iter().map(upper).collect(),
        DynamicImage::ImageRgba16(image) => image
            .pixels()
            .flat_map(|p| first_three(p.0).map(upper))
            .collect(),
        other => {
            let kind = format!("the pixel type {:?}", other.color());
            return Err(ImageError::Unsupported(kind));
        }
    })
}

fn gray(values: impl IntoIterator<Item = u8>) -> Vec<u8> {
    values.into_iter().flat_map(|v| [v; 3]).collect()
}

fn first_three<T>([r, g, b, _]: [T; 4]) -> [T; 3] {
    [r, g, b]
}

/// Mode `I;16` -> `L`.
fn clipped(value: u16) -> u8 {
    u8::try_from(value).unwrap_or(u8::MAX)
}

/// A 16-bit color sample -> its upper 8 bits.
fn upper(value: u16) -> u8 {
    value.to_be_bytes()[0]
}

/// Damage, or truncation where the decoder met the end of the file, however deep it wrapped that.
fn failure(error: image::ImageError, format: &'static str, bytes: u64) -> ImageError {
    if let image::ImageError::Unsupported(what) = error {
        return ImageError::Unsupported(format!("this kind of image ({what})"));
    }
    let io = match &error {
        image::ImageError::IoError(io) => Some(io),
        other => successors(other.source(), |&error| error.source())
            .find_map(|error| error.downcast_ref::<io::Error>()),
    };
    match io.map(|io| (io.kind(), io.raw_os_error())) {
        Some((ErrorKind::UnexpectedEof, _)) => ImageError::Truncated { format, bytes },
        Some((_, Some(code))) => ImageError::Read(io::Error::from_raw_os_error(code)),
        _ => ImageError::damaged(format, &error),
    }
}
