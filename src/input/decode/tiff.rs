//! The first page of a TIFF, in the kinds that Pillow reads.
//!
//! The `tiff` crate hands out raw samples of any kind only for grey pictures: palettes it refuses,
//! 16-bit `WhiteIsZero` it inverts where Pillow does not. So the page is relabelled as grey in
//! memory, and the samples are made colours here, by Pillow's table of kinds
//! (`OPEN_INFO` in `TiffImagePlugin.py`).

use std::io::Cursor;

use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::tags::Tag;
use tiff::{TiffError, TiffResult};

use super::tiff_samples::{self, BLACK_IS_ZERO, Samples};
use super::{Failure, MAX_PIXELS, checked_size, picture, tiff_jpeg};
use crate::input::Picture;

const PHOTOMETRIC_TAG: u16 = 262;
const SHORT: u16 = 3;
const UNCOMPRESSED: u16 = 1;
const JPEG: u16 = 7;
const PLANAR: u16 = 2;
const LOWEST_BIT_FIRST: u16 = 2;

/// Bytes of the largest pixel that is read, six samples of 8 bits or four of 16.
const LARGEST_PIXEL: u64 = 8;

/// What the page's tags say of its samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    /// `PhotometricInterpretation`: 0 white is zero, 1 black is zero, 2 RGB, 3 palette, 5 CMYK,
    /// 6 YCbCr.
    pub(super) photometric: u16,
    pub(super) bits: u16,
    /// Samples a pixel.
    pub(super) samples: u16,
    /// The first of `ExtraSamples`: 0 unknown, 1 multiplied alpha, 2 alpha.
    pub(super) extra: Option<u16>,
    /// `SampleFormat`: 1 unsigned, 2 signed, 3 float.
    pub(super) format: u16,
}

impl Kind {
    pub(super) fn unsupported(&self) -> Failure {
        Failure::Unsupported(format!(
            "a TIFF of this kind (photometric interpretation {}, {} samples of {} bits, sample \
             format {}, extra samples {:?})",
            self.photometric, self.samples, self.bits, self.format, self.extra
        ))
    }
}

pub(super) fn decode(bytes: &mut [u8]) -> Result<Picture, Failure> {
    let photometric = relabel_as_grey(bytes);
    let bytes = &*bytes;
    let mut page = Decoder::new(Cursor::new(bytes))
        .map_err(failure)?
        .with_limits(limits());
    let (width, height) = page.dimensions().map_err(failure)?;
    let size = checked_size(width, height)?;
    let mut number = |tag| find(&mut page, tag).map_err(failure);
    let kind = Kind {
        photometric: photometric.unwrap_or(BLACK_IS_ZERO),
        bits: number(Tag::BitsPerSample)?.unwrap_or(1),
        samples: number(Tag::SamplesPerPixel)?.unwrap_or(1),
        extra: number(Tag::ExtraSamples)?,
        format: number(Tag::SampleFormat)?.unwrap_or(1),
    };
    let compression = number(Tag::Compression)?.unwrap_or(UNCOMPRESSED);
    let planar = number(Tag::PlanarConfiguration)? == Some(PLANAR) && kind.samples > 1;
    let reversed = number(Tag::FillOrder)? == Some(LOWEST_BIT_FIRST);
    if compression == JPEG {
        if planar {
            return Err(Failure::Unsupported(
                "a JPEG in TIFF with separate planes".to_owned(),
            ));
        }
        return tiff_jpeg::decode(&mut page, bytes, size, &kind);
    }
    if reversed && compression != UNCOMPRESSED {
        return Err(Failure::Unsupported(
            "a compressed TIFF with FillOrder 2".to_owned(),
        ));
    }
    let samples = Samples {
        size,
        kind,
        planar,
        reversed,
        colour_map: colour_map(&mut page, &kind)?,
    };
    let mut values = DecodingResult::U8(Vec::new());
    page.read_image_to_buffer(&mut values).map_err(failure)?;
    picture(size, tiff_samples::to_rgb(&samples, values)?)
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    let most = usize::try_from(MAX_PIXELS * LARGEST_PIXEL).unwrap_or(usize::MAX);
    limits.decoding_buffer_size = most;
    limits.intermediate_buffer_size = most;
    limits
}

/// The first value of a tag that may hold several.
fn find(page: &mut Decoder<Cursor<&[u8]>>, tag: Tag) -> TiffResult<Option<u16>> {
    let values = page.find_tag_unsigned_vec::<u16>(tag)?;
    Ok(values.and_then(|values| values.first().copied()))
}

fn colour_map(page: &mut Decoder<Cursor<&[u8]>>, kind: &Kind) -> Result<Vec<u16>, Failure> {
    if kind.photometric == tiff_samples::PALETTE {
        page.get_tag_u16_vec(Tag::ColorMap).map_err(failure)
    } else {
        Ok(Vec::new())
    }
}

pub(super) fn failure(error: TiffError) -> Failure {
    match error {
        TiffError::UnsupportedError(what) => {
            Failure::Unsupported(format!("a TIFF of this kind ({what})"))
        }
        TiffError::IoError(source) => Failure::from_io(source.kind(), source),
        other => Failure::damaged(other),
    }
}

/// Makes the first page's `PhotometricInterpretation` say grey, and gives what it said; does nothing
/// to a file where the tag is not found, which the decoder will refuse.
fn relabel_as_grey(bytes: &mut [u8]) -> Option<u16> {
    let file = Layout::of(bytes)?;
    let directory = file.offset(bytes, file.header)?;
    let count = file.count(bytes, directory)?;
    let entries = directory.checked_add(file.count_length)?;
    for index in 0..count {
        let entry = index
            .checked_mul(file.entry_length)
            .and_then(|offset| entries.checked_add(offset))?;
        if file.short(bytes, entry)? == PHOTOMETRIC_TAG && file.short(bytes, entry + 2)? == SHORT {
            let value = entry + file.entry_length - file.offset_length;
            let photometric = file.short(bytes, value)?;
            let grey = file.grey();
            bytes.get_mut(value..value + 2)?.copy_from_slice(&grey);
            return Some(photometric);
        }
    }
    None
}

/// Where things are in TIFF (32-bit offsets) and `BigTIFF` (64-bit offsets).
///
/// # Source
/// TIFF 6.0, section 2; <https://www.awaresystems.be/imaging/tiff/bigtiff.html>.
struct Layout {
    big_endian: bool,
    /// Where the offset of the first page is.
    header: usize,
    offset_length: usize,
    count_length: usize,
    entry_length: usize,
}

impl Layout {
    fn of(bytes: &[u8]) -> Option<Self> {
        let big_endian = bytes.first()? == &b'M';
        let version = usize::from(big_endian) + 2;
        Some(if bytes.get(version)? == &43 {
            Self {
                big_endian,
                header: 8,
                offset_length: 8,
                count_length: 8,
                entry_length: 20,
            }
        } else {
            Self {
                big_endian,
                header: 4,
                offset_length: 4,
                count_length: 2,
                entry_length: 12,
            }
        })
    }

    fn number(&self, bytes: &[u8], at: usize, length: usize) -> Option<usize> {
        let digits = bytes.get(at..at.checked_add(length)?)?;
        let append = |number: u64, &digit: &u8| number << 8 | u64::from(digit);
        let number = if self.big_endian {
            digits.iter().fold(0, append)
        } else {
            digits.iter().rev().fold(0, append)
        };
        usize::try_from(number).ok()
    }

    fn offset(&self, bytes: &[u8], at: usize) -> Option<usize> {
        self.number(bytes, at, self.offset_length)
    }

    fn count(&self, bytes: &[u8], at: usize) -> Option<usize> {
        self.number(bytes, at, self.count_length)
    }

    fn short(&self, bytes: &[u8], at: usize) -> Option<u16> {
        self.number(bytes, at, 2)?.try_into().ok()
    }

    fn grey(&self) -> [u8; 2] {
        if self.big_endian {
            BLACK_IS_ZERO.to_be_bytes()
        } else {
            BLACK_IS_ZERO.to_le_bytes()
        }
    }
}
