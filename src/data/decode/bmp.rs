//! The kinds of BMP that `image` would show otherwise than Pillow does, or that Pillow refuses.
//!
//! Source: `BmpImagePlugin.py` in Pillow 13;
//! <https://learn.microsoft.com/windows/win32/api/wingdi/ns-wingdi-bitmapinfoheader>.

/// The file's header, after which that of the image begins.
const FILE_HEADER: usize = 14;

/// Where red, green and blue are in a pixel of 32 bits: the one place in which both look for them.
const MASKS: [u32; 3] = [0x00ff_0000, 0x0000_ff00, 0x0000_00ff];

/// Why this BMP is not read; a damaged one is left to the decoder, which says what is wrong.
pub(super) fn unsupported(bytes: &[u8]) -> Option<String> {
    let number = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    let size = |at: usize| usize::try_from(number(at)?).ok();
    let (pixels, header) = (size(10)?, size(FILE_HEADER)?);
    // The header of OS/2, which has neither compression nor a count of colors.
    let old = header == 12;
    // The upper half: the lower one is the number of planes.
    let bits = number(if old { 22 } else { 26 })? >> 16;
    let compression = if old { 0 } else { number(30)? };
    let kind = match (bits, compression) {
        (2, _) => "2-bit BMP".to_owned(),
        (16, _) => "16-bit BMP".to_owned(),
        (_, 1 | 2) if skips(bytes, pixels, bits) => "RLE BMP with pixels left out".to_owned(),
        (_, 3 | 6) if [54, 58, 62].map(number) != MASKS.map(Some) => {
            "BMP with an uncommon order of colors".to_owned()
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
            "BMP whose pixels begin inside its palette".to_owned()
        }
        _ => return None,
    };
    Some(kind)
}

/// Whether a run-length encoded image leaves out pixels, by moving on or by ending a row or itself early.
fn skips(bytes: &[u8], pixels: usize, bits: u32) -> bool {
    let number = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    let (Some(width), Some(height)) = (number(18), number(22)) else {
        return false;
    };
    let (mut x, mut y) = (0, 0);
    let mut codes = bytes.get(pixels..).unwrap_or_default();
    while let [first, second, rest @ ..] = codes {
        codes = rest;
        match (first, second) {
            (0, 0) => {
                if x < width {
                    return true;
                }
                (x, y) = (0, y + 1);
            }
            (0, 1) => return y + u32::from(x >= width) < height,
            (0, 2) => return true,
            (0, count) => {
                x += u32::from(*count);
                let length = (u32::from(*count) * bits).div_ceil(8).next_multiple_of(2);
                codes = codes.get(length as usize..).unwrap_or_default();
            }
            (count, _) => x += u32::from(*count),
        }
    }
    // Without an end it is truncated, which the decoder says.
    false
}
