//! The kinds of TIFF, PNG and GIF that `image` would show otherwise than Pillow does, recognized from
//! their headers: better no image than a wrong one.

use std::collections::HashMap;

/// TIFF's tags, with the values that matter here (TIFF 6.0, sections 3 to 22).
const BITS_PER_SAMPLE: u16 = 258;
const COMPRESSION: u16 = 259;
const PHOTOMETRIC: u16 = 262;
const FILL_ORDER: u16 = 266;
const ORIENTATION: u16 = 274;
const SAMPLES_PER_PIXEL: u16 = 277;
const PLANAR_CONFIGURATION: u16 = 284;
const TILE_WIDTH: u16 = 322;
const EXTRA_SAMPLES: u16 = 338;
const SAMPLE_FORMAT: u16 = 339;

/// Why this TIFF is not read; a damaged one is left to the decoder, which says what is wrong.
pub(super) fn tiff(bytes: &[u8]) -> Option<String> {
    let tags = tiff_tags(bytes)?;
    let tag = |name| tags.get(&name).copied();
    let has = |name, value| tag(name) == Some(value);
    let photometric = tag(PHOTOMETRIC).unwrap_or(1);
    let bits = tag(BITS_PER_SAMPLE).unwrap_or(1);
    let is_gray = photometric <= 1;
    let kind = if matches!(tag(COMPRESSION), Some(6 | 7)) {
        "JPEG compression".to_owned()
    } else if has(FILL_ORDER, 2) {
        "reversed bit order".to_owned()
    } else if has(PLANAR_CONFIGURATION, 2) && tags.contains_key(&TILE_WIDTH) {
        // The crate `tiff` panics at it.
        "tiles of separate color planes".to_owned()
    } else if photometric == 3 {
        "a palette".to_owned()
    } else if photometric == 5 {
        "CMYK".to_owned()
    } else if photometric > 2 {
        format!("a color space other than gray and RGB (photometric {photometric})")
    } else if has(EXTRA_SAMPLES, 1) {
        "colors multiplied by alpha".to_owned()
    } else if is_gray && !matches!(bits, 1 | 8 | 16) {
        format!("{bits}-bit gray")
    } else if is_gray && tags.contains_key(&EXTRA_SAMPLES) {
        "gray and alpha".to_owned()
    } else if photometric == 0 && bits == 16 {
        // Pillow does not invert it.
        "16-bit gray where 0 is white".to_owned()
    } else if is_gray && matches!(tag(SAMPLE_FORMAT), Some(2 | 3)) {
        "signed or floating-point gray".to_owned()
    } else if matches!(tag(ORIENTATION), Some(2..=8))
        && has(COMPRESSION, 1)
        && (is_gray && bits > 1 || has(SAMPLES_PER_PIXEL, 4))
    {
        // Pillow turns it where it has a file, and not where it has a path, which it maps to memory.
        "uncompressed pixels that are to be turned".to_owned()
    } else {
        return None;
    };
    Some(format!("TIFF with {kind}"))
}

/// The first page's tags, each with its first value as it stands in the entry: right for one or two
/// 16-bit values, which is what the tags above have for gray.
fn tiff_tags(bytes: &[u8]) -> Option<HashMap<u16, u16>> {
    let little = bytes.starts_with(b"II");
    let short = |at: usize| {
        let value = *bytes.get(at..)?.first_chunk()?;
        Some(if little {
            u16::from_le_bytes(value)
        } else {
            u16::from_be_bytes(value)
        })
    };
    let offset = *bytes.get(4..)?.first_chunk()?;
    let directory = usize::try_from(if little {
        u32::from_le_bytes(offset)
    } else {
        u32::from_be_bytes(offset)
    });
    let directory = directory.ok()?;
    let entries = usize::from(short(directory)?);
    let entry = |n: usize| {
        let at = directory.checked_add(2 + 12 * n)?;
        Some((short(at)?, short(at.checked_add(8)?)?))
    };
    Some((0..entries).map_while(entry).collect())
}

/// Why this PNG is not read: there is one compression, and `image` takes any number for it.
pub(super) fn png(bytes: &[u8]) -> Option<String> {
    /// Its offset in the first chunk, `IHDR`.
    const COMPRESSION_METHOD: usize = 26;
    let method = *bytes.get(COMPRESSION_METHOD)?;
    (method != 0).then(|| format!("PNG with the unknown compression method {method}"))
}

/// Why this GIF is not read: Pillow fills the rest of the canvas with a color of the palette, `image`
/// with transparent black.
pub(super) fn gif(bytes: &[u8]) -> Option<String> {
    let canvas = bytes.get(6..10)?;
    let flags = *bytes.get(10)?;
    let palette = if flags & 0x80 == 0 {
        0
    } else {
        6 << (flags & 7)
    };
    let mut at = 13 + palette;
    while *bytes.get(at)? == b'!' {
        at += 2;
        loop {
            let length = usize::from(*bytes.get(at)?);
            at += 1 + length;
            if length == 0 {
                break;
            }
        }
    }
    let frame = bytes.get(at..at + 9)?;
    let fills = frame[1..5] == [0; 4] && frame[5..] == *canvas;
    (frame[0] == b',' && !fills)
        .then(|| "GIF whose first frame does not fill its canvas".to_owned())
}
