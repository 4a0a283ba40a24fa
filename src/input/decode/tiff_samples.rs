//! Raw TIFF samples -> RGB, kind by kind as Pillow does it.

use tiff::decoder::DecodingResult;

use super::tiff::Kind;
use super::{Failure, pillow};

pub(super) const WHITE_IS_ZERO: u16 = 0;
pub(super) const BLACK_IS_ZERO: u16 = 1;
pub(super) const RGB: u16 = 2;
pub(super) const PALETTE: u16 = 3;
pub(super) const CMYK: u16 = 5;
pub(super) const YCBCR: u16 = 6;

const MULTIPLIED_ALPHA: u16 = 1;

/// What the samples are, beside their values.
pub(super) struct Samples {
    pub(super) size: (usize, usize),
    pub(super) kind: Kind,
    /// All of the first sample, then all of the second …
    pub(super) planar: bool,
    /// The lowest bit of a byte is its first.
    pub(super) reversed: bool,
    /// All reds, all greens, all blues; empty where there is no palette.
    pub(super) colour_map: Vec<u16>,
}

pub(super) fn to_rgb(samples: &Samples, values: DecodingResult) -> Result<Vec<u8>, Failure> {
    let kind = samples.kind;
    match values {
        DecodingResult::U8(bytes) => from_bytes(samples, bytes),
        DecodingResult::U16(words) => from_words(samples, &words),
        // From here on only grey, which is cut off at 255.
        _ if !matches!(kind.photometric, WHITE_IS_ZERO | BLACK_IS_ZERO) || kind.samples != 1 => {
            Err(kind.unsupported())
        }
        DecodingResult::I8(bytes) => Ok(pillow::grey(bytes.iter().map(|v| v.cast_unsigned()))),
        DecodingResult::I16(words) => {
            Ok(pillow::grey(words.iter().map(|&v| pillow::cut(v.into()))))
        }
        DecodingResult::I32(words) => {
            Ok(pillow::grey(words.iter().map(|&v| pillow::cut(v.into()))))
        }
        // Pillow reads unsigned 32-bit samples as signed ones.
        DecodingResult::U32(words) => Ok(pillow::grey(
            words.iter().map(|&v| pillow::cut(v.cast_signed().into())),
        )),
        DecodingResult::F32(values) => {
            Ok(pillow::grey(values.iter().map(|&v| pillow::cut_float(v))))
        }
        _ => Err(kind.unsupported()),
    }
}

fn from_bytes(samples: &Samples, mut bytes: Vec<u8>) -> Result<Vec<u8>, Failure> {
    let kind = samples.kind;
    if samples.reversed {
        for byte in &mut bytes {
            *byte = byte.reverse_bits();
        }
    }
    if kind.bits != 8 {
        if kind.samples != 1 || !matches!(kind.bits, 1 | 2 | 4) {
            return Err(kind.unsupported());
        }
        bytes = unpacked(&bytes, samples.size.0, kind.bits);
    } else if samples.planar {
        bytes = interleaved(&bytes, kind.samples);
    }
    let pixels = bytes.chunks_exact(kind.samples.into());
    let first = pixels.clone().filter_map(|pixel| pixel.first().copied());
    match (kind.photometric, kind.samples, kind.extra) {
        (BLACK_IS_ZERO | YCBCR, 1, _) | (BLACK_IS_ZERO, 2, Some(0 | 2)) => {
            Ok(pillow::grey(first.map(|v| spread(v, kind.bits))))
        }
        (WHITE_IS_ZERO, 1, _) => Ok(pillow::grey(first.map(|v| 255 - spread(v, kind.bits)))),
        (PALETTE, 1, _) | (PALETTE, 2, Some(0 | 2)) => Ok(first
            .flat_map(|index| looked_up(&samples.colour_map, index))
            .collect()),
        (RGB, 4..=6, Some(MULTIPLIED_ALPHA)) => Ok(pixels
            .filter_map(|pixel| pixel.first_chunk().copied())
            .flat_map(pillow::unmultiplied)
            .collect()),
        (RGB, 3..=6, _) => Ok(pixels
            .filter_map(|pixel| pixel.first_chunk::<3>().copied())
            .flatten()
            .collect()),
        (CMYK, 4..=6, _) => Ok(pixels
            .filter_map(|pixel| pixel.first_chunk().copied())
            .flat_map(pillow::cmyk)
            .collect()),
        _ => Err(kind.unsupported()),
    }
}

fn from_words(samples: &Samples, words: &[u16]) -> Result<Vec<u8>, Failure> {
    let kind = samples.kind;
    if samples.reversed {
        return Err(kind.unsupported());
    }
    match (kind.photometric, kind.samples) {
        // Pillow does not turn 16-bit grey round where white is zero.
        (WHITE_IS_ZERO | BLACK_IS_ZERO, 1) => {
            Ok(pillow::grey(words.iter().map(|&v| pillow::cut(v.into()))))
        }
        (RGB, 3 | 4) | (CMYK, 4) => {
            let upper = words.iter().copied().map(pillow::upper).collect();
            let kind = Kind { bits: 8, ..kind };
            let samples = Samples {
                kind,
                colour_map: Vec::new(),
                ..*samples
            };
            from_bytes(&samples, upper)
        }
        _ => Err(kind.unsupported()),
    }
}

/// One byte a value of rows whose values are packed, each row beginning with a new byte.
fn unpacked(bytes: &[u8], width: usize, bits: u16) -> Vec<u8> {
    let bits = usize::from(bits);
    let per_byte = 8 / bits;
    let mask = u8::MAX >> (8 - bits);
    bytes
        .chunks(width.div_ceil(per_byte))
        .flat_map(|row| {
            row.iter()
                .flat_map(|&byte| (1..=per_byte).map(move |nth| (byte >> (8 - nth * bits)) & mask))
                .take(width)
        })
        .collect()
}

/// A grey level of fewer bits, spread over 0..=255.
fn spread(value: u8, bits: u16) -> u8 {
    match bits {
        1 => value * 255,
        2 => value * 85,
        4 => value * 17,
        _ => value,
    }
}

fn interleaved(bytes: &[u8], samples: u16) -> Vec<u8> {
    let pixels = bytes.len() / usize::from(samples.max(1));
    (0..pixels)
        .flat_map(|pixel| bytes.iter().skip(pixel).step_by(pixels.max(1)).copied())
        .collect()
}

/// The upper 8 bits of the palette's 16; black past its end.
fn looked_up(colour_map: &[u16], index: u8) -> [u8; 3] {
    let colours = colour_map.len() / 3;
    [0, 1, 2].map(|channel| {
        let place = channel * colours + usize::from(index);
        let inside = usize::from(index) < colours;
        let value = colour_map.get(place).filter(|_| inside);
        value.map_or(0, |&value| pillow::upper(value))
    })
}
