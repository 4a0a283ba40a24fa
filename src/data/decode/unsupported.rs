//! The kinds of image that `image` would show differently from Pillow, or that Pillow refuses, recognized from
//! their headers: better no image than a wrong one.

use std::collections::HashMap;
use std::io::{BufRead, Read, Seek, SeekFrom};

use image::ImageFormat;
use image::codecs::pnm::{PnmDecoder, PnmSubtype};

use super::file::ImageFile;
use crate::data::error::ImageError;

/// TIFF's tags, with the values that matter here (TIFF 6.0, sections 3 to 22).
const BITS_PER_SAMPLE: u32 = 258;
const COMPRESSION: u32 = 259;
const PHOTOMETRIC: u32 = 262;
const FILL_ORDER: u32 = 266;
const ORIENTATION: u32 = 274;
const SAMPLES_PER_PIXEL: u32 = 277;
const PLANAR_CONFIGURATION: u32 = 284;
const TILE_WIDTH: u32 = 322;
const EXTRA_SAMPLES: u32 = 338;
const SAMPLE_FORMAT: u32 = 339;

/// Why this image is not read; a damaged one is left to the decoder, which says what is wrong.
pub(super) fn kind(file: &mut ImageFile) -> Option<ImageError> {
    let kind = match file.format {
        ImageFormat::Tiff => {
            let tags = tiff_tags(&mut file.reader)?;
            // The crate `tiff` makes room for as many values as a tag promises.
            if tags.values().any(|tag| u64::from(tag.count) > file.length) {
                return Some(ImageError::Truncated {
                    format: file.name,
                    bytes: file.length,
                });
            }
            tiff(&tags)
        }
        ImageFormat::Png => png(&file.head),
        ImageFormat::Gif => gif(&mut file.reader),
        ImageFormat::WebP => webp(&mut file.reader),
        ImageFormat::Bmp => bmp(&file.head),
        ImageFormat::Pnm => pnm(&mut file.reader),
        _ => None,
    };
    kind.map(ImageError::Unsupported)
}

fn next<const N: usize>(file: &mut impl Read) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    file.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

struct TiffTag {
    count: u32,
    value: u32,
}

fn tiff(tags: &HashMap<u32, TiffTag>) -> Option<String> {
    let tag = |name| tags.get(&name).map(|tag| tag.value);
    let has = |name, value| tag(name) == Some(value);
    let has_any = |name| tags.contains_key(&name);
    let photometric = tag(PHOTOMETRIC).unwrap_or(1);
    let bits = tag(BITS_PER_SAMPLE).unwrap_or(1);
    let is_gray = photometric <= 1;
    // Pillow turns it where it has a file, and not where it has a path, which it maps to memory.
    let turned_or_not = matches!(tag(ORIENTATION), Some(2..=8))
        && has(COMPRESSION, 1)
        && (is_gray && bits > 1 || has(SAMPLES_PER_PIXEL, 4));
    let of_bits = format!("{bits}-bit gray");
    let kind = match tag(COMPRESSION) {
        Some(6 | 7) => "JPEG compression",
        _ if has(FILL_ORDER, 2) => "reversed bit order",
        // The crate `tiff` panics at it.
        _ if has(PLANAR_CONFIGURATION, 2) && has_any(TILE_WIDTH) => {
            "tiles of separate color planes"
        }
        _ if photometric == 3 => "a palette",
        _ if photometric == 5 => "CMYK",
        _ if photometric > 2 => "a color space other than gray and RGB",
        _ if has(EXTRA_SAMPLES, 1) => "colors multiplied by alpha",
        _ if is_gray && !matches!(bits, 1 | 8 | 16) => &of_bits,
        _ if is_gray && has_any(EXTRA_SAMPLES) => "gray and alpha",
        // Pillow does not invert it.
        _ if photometric == 0 && bits == 16 => "16-bit gray where 0 is white",
        _ if is_gray && matches!(tag(SAMPLE_FORMAT), Some(2 | 3)) => {
            "signed or floating-point gray"
        }
        _ if turned_or_not => "uncompressed pixels that are to be turned",
        _ => return None,
    };
    Some(format!("TIFF with {kind}"))
}

/// The first page's tags, each with its first value as it stands in the entry: right for one or two
/// 16-bit values, which is what the tags above have for gray.
fn tiff_tags(file: &mut (impl BufRead + Seek)) -> Option<HashMap<u32, TiffTag>> {
    let [order, _, _, _, offset @ ..] = next::<8>(file)?;
    let number = |bytes: &[u8]| {
        let join = |number: u32, byte: &u8| number << 8 | u32::from(*byte);
        match order {
            b'I' => bytes.iter().rev().fold(0, join),
            _ => bytes.iter().fold(0, join),
        }
    };
    file.seek(SeekFrom::Start(number(&offset).into())).ok()?;
    let entries = number(&next::<2>(file)?);
    let mut entry = || {
        let [a, b, _, _, count @ .., c, d, _, _] = next::<12>(file)?;
        let tag = TiffTag {
            count: number(&count),
            value: number(&[c, d]),
        };
        Some((number(&[a, b]), tag))
    };
    Some((0..entries).map_while(|_| entry()).collect())
}

/// Why this PNG is not read: there is one compression, and `image` takes any number for it.
fn png(head: &[u8]) -> Option<String> {
    /// Its offset in the first chunk, `IHDR`.
    const COMPRESSION_METHOD: usize = 26;
    let method = *head.get(COMPRESSION_METHOD)?;
    (method != 0).then(|| format!("PNG with the unknown compression method {method}"))
}

/// Why this BMP is not read. Of pixels that a run-length encoding leaves out, `image` and Pillow make different
/// colors; Pillow takes one order of the colors in 32 bits.
///
/// Source: `BmpImagePlugin.py` in Pillow 13;
/// <https://learn.microsoft.com/windows/win32/api/wingdi/ns-wingdi-bitmapinfoheader>.
fn bmp(head: &[u8]) -> Option<String> {
    /// The file's header, after which that of the image begins.
    const FILE_HEADER: usize = 14;
    const MASKS: [u32; 3] = [0x00ff_0000, 0x0000_ff00, 0x0000_00ff];
    let number = |at: usize| Some(u32::from_le_bytes(*head.get(at..)?.first_chunk()?));
    let size = |at: usize| usize::try_from(number(at)?).ok();
    let (pixels, header) = (size(10)?, size(FILE_HEADER)?);
    // The header of OS/2, which has neither compression nor a count of colors.
    let old = header == 12;
    // The upper half: the lower one is the number of planes.
    let bits = number(if old { 22 } else { 26 })? >> 16;
    let kind = match (bits, if old { 0 } else { number(30)? }) {
        (2, _) => "2-bit BMP",
        (16, _) => "16-bit BMP",
        (_, 1 | 2) => "RLE BMP",
        (_, 3 | 6) if [54, 58, 62].map(number) != MASKS.map(Some) => {
            "BMP with an uncommon order of colors"
        }
        (1..=8, _) => {
            let colors = match if old { 0 } else { size(46)? } {
                0 => 1 << bits,
                colors => colors,
            };
            let palette = colors * if old { 3 } else { 4 };
            if pixels >= FILE_HEADER + header + palette {
                return None;
            }
            "BMP whose pixels begin inside its palette"
        }
        _ => return None,
    };
    Some(kind.to_owned())
}

/// Why this PBM, PGM or PPM is not read: `image` scales samples of an uncommon maximum with other rounding, and
/// 16-bit color to 16 bits.
///
/// Source: `PpmImagePlugin.py` in Pillow 13.
fn pnm(file: &mut impl BufRead) -> Option<String> {
    let (_, header) = PnmDecoder::new(file).ok()?.into_inner();
    match (header.subtype(), header.maximal_sample()) {
        (PnmSubtype::ArbitraryMap, _) => Some("Netpbm P7".to_owned()),
        (PnmSubtype::Bitmap(_), _) | (_, 255) | (PnmSubtype::Graymap(_), 65535) => None,
        (_, max) => Some(format!("PPM whose maximum is {max} instead of 255")),
    }
}

/// Why this GIF is not read: Pillow fills the rest of the canvas with a color of the palette, `image`
/// with transparent black.
fn gif(file: &mut impl BufRead) -> Option<String> {
    let mut decoder = gif::DecodeOptions::new().read_info(file).ok()?;
    let canvas = (0, 0, decoder.width(), decoder.height());
    let first = decoder.next_frame_info().ok()??;
    let fills = (first.left, first.top, first.width, first.height) == canvas;
    (!fills).then(|| "GIF whose first frame does not fill its canvas".to_owned())
}

/// Why this WebP is not read: `image` makes room for as much as a frame's bitstream claims, whatever its canvas.
///
/// Source: <https://developers.google.com/speed/webp/docs/riff_container>; RFC 6386, section 9.1.
fn webp(file: &mut (impl BufRead + Seek)) -> Option<String> {
    /// What stands before the chunks in that of an animation's frame.
    const FRAME_HEADER: u64 = 16;
    let [_, _, _, _, length @ .., _, _, _, _] = next::<12>(file)?;
    let mut canvas = None;
    while file.stream_position().ok()? < 8 + u64::from(u32::from_le_bytes(length)) {
        let [name @ .., a, b, c, d] = next::<8>(file)?;
        let size = u64::from(u32::from_le_bytes([a, b, c, d]));
        let start = file.stream_position().ok()?;
        let mut after = start + size.next_multiple_of(2);
        match &name {
            b"VP8X" => {
                let [_, _, _, _, w0, w1, w2, h0, h1, h2] = next(file)?;
                let sides = [[w0, w1, w2, 0], [h0, h1, h2, 0]];
                canvas = Some(sides.map(|side| u32::from_le_bytes(side) + 1));
            }
            b"ANMF" => after = start + FRAME_HEADER,
            b"VP8 " => {
                let [_, _, _, _, _, _, w0, w1, h0, h1] = next(file)?;
                // The upper two bits are not of the size.
                let sides = [[w0, w1], [h0, h1]].map(|side| u16::from_le_bytes(side) & 0x3fff);
                // Without a canvas, this is its size.
                let [width, height] = canvas?;
                if u32::from(sides[0]) > width || u32::from(sides[1]) > height {
                    return Some("WebP with a frame larger than its canvas".to_owned());
                }
            }
            _ => {}
        }
        file.seek(SeekFrom::Start(after)).ok()?;
    }
    None
}
