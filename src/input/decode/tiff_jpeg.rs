//! JPEG strips and tiles of a TIFF, through the same decoder as JPEG files.

use std::io::Cursor;

use mozjpeg::ColorSpace;
use tiff::decoder::{ChunkType, Decoder};
use tiff::tags::Tag;

use super::tiff::{Kind, failure};
use super::tiff_samples::{BLACK_IS_ZERO, CMYK, RGB, WHITE_IS_ZERO, YCBCR};
use super::{Failure, jpeg, picture, pillow};
use crate::input::Picture;

const END_MARKER: usize = 2;

/// Decodes the strips or tiles one by one and puts them in their places.
pub(super) fn decode(
    page: &mut Decoder<Cursor<&[u8]>>,
    file: &[u8],
    size: (usize, usize),
    kind: &Kind,
) -> Result<Picture, Failure> {
    if kind.bits != 8 || kind.format != 1 {
        return Err(kind.unsupported());
    }
    let (offsets, lengths) = match page.get_chunk_type() {
        ChunkType::Strip => (Tag::StripOffsets, Tag::StripByteCounts),
        ChunkType::Tile => (Tag::TileOffsets, Tag::TileByteCounts),
    };
    let offsets = page.get_tag_u64_vec(offsets).map_err(failure)?;
    let lengths = page.get_tag_u64_vec(lengths).map_err(failure)?;
    let tables = match page.find_tag(Tag::JPEGTables).map_err(failure)? {
        Some(tables) => tables.into_u8_vec().map_err(failure)?,
        None => Vec::new(),
    };
    let (chunk_width, chunk_height) = page.chunk_dimensions();
    let across = size.0.div_ceil(chunk_width as usize);
    let mut pixels = vec![0; size.0 * size.1 * 3];
    for (index, (offset, length)) in offsets.into_iter().zip(lengths).enumerate() {
        let data = slice(file, offset, length).ok_or(Failure::Truncated)?;
        let chunk = decode_chunk(&stream(&tables, data), kind)?;
        let left = index % across * chunk_width as usize;
        let top = index / across * chunk_height as usize;
        let place = (
            size.0.min(left + chunk_width as usize),
            size.1.min(top + chunk_height as usize),
        );
        if chunk.width() < place.0.saturating_sub(left)
            || chunk.height() < place.1.saturating_sub(top)
        {
            return Err(Failure::damaged("a JPEG strip smaller than its place"));
        }
        copy(&chunk, &mut pixels, size.0, (left, top), place);
    }
    picture(size, pixels)
}

fn slice(file: &[u8], offset: u64, length: u64) -> Option<&[u8]> {
    let start = usize::try_from(offset).ok()?;
    let end = start.checked_add(usize::try_from(length).ok()?)?;
    file.get(start..end)
}

/// The tables without their end marker, then the strip without its start marker.
fn stream(tables: &[u8], data: &[u8]) -> Vec<u8> {
    if tables.len() < END_MARKER {
        return data.to_vec();
    }
    let tables = tables.get(..tables.len() - END_MARKER).unwrap_or_default();
    [tables, data.get(END_MARKER..).unwrap_or_default()].concat()
}

/// What a sample means is said by the TIFF, not by the JPEG in it: only YCbCr is made RGB by libjpeg,
/// everything else is taken as it is stored.
fn decode_chunk(stream: &[u8], kind: &Kind) -> Result<Picture, Failure> {
    use ColorSpace::{JCS_CMYK, JCS_GRAYSCALE, JCS_RGB, JCS_YCCK, JCS_YCbCr};
    let decoded = jpeg::decode_with(stream, |header| {
        let stored = header.color_space();
        match (kind.photometric, header.components().len(), stored) {
            (WHITE_IS_ZERO | BLACK_IS_ZERO, 1, _) => Ok(JCS_GRAYSCALE),
            (RGB, 3, JCS_RGB | JCS_YCbCr) | (CMYK, 4, JCS_CMYK | JCS_YCCK) => Ok(stored),
            (YCBCR, 3, _) => Ok(JCS_RGB),
            _ => Err(kind.unsupported()),
        }
    })?;
    let size = decoded.size;
    match (kind.photometric, decoded.channels) {
        (WHITE_IS_ZERO, _) => picture(
            size,
            pillow::grey(decoded.samples.into_iter().map(|v| 255 - v)),
        ),
        (BLACK_IS_ZERO, _) => picture(size, pillow::grey(decoded.samples)),
        (_, 3) => picture(size, decoded.samples),
        _ => {
            let (inks, _) = decoded.samples.as_chunks::<4>();
            picture(size, inks.iter().copied().flat_map(pillow::cmyk).collect())
        }
    }
}

fn copy(
    chunk: &Picture,
    pixels: &mut [u8],
    width: usize,
    (left, top): (usize, usize),
    (right, bottom): (usize, usize),
) {
    let rows = pixels.chunks_exact_mut(width * 3).take(bottom).skip(top);
    for (row, from) in rows.zip(chunk.pixels().chunks_exact(chunk.width() * 3)) {
        let into = row.iter_mut().take(right * 3).skip(left * 3);
        into.zip(from).for_each(|(into, &from)| *into = from);
    }
}
