//! PBM, PGM and PPM, plain and binary, as Pillow reads them. Not through `image`: it scales samples of an
//! uncommon maximum with other rounding, and 16-bit color to 16 bits.
//!
//! Source: `PpmImagePlugin.py` in Pillow 13; <https://netpbm.sourceforge.net/doc/ppm.html>.

use super::decoded::Decoded;
use super::failure::{Failure, check_size, picture};

/// The longest number that Pillow takes.
const LONGEST_TOKEN: usize = 10;

pub(super) fn decode(bytes: &[u8]) -> Result<Decoded, Failure> {
    let kind = bytes.get(1).copied().unwrap_or_default();
    let (channels, bitonal, plain) = match kind {
        b'1' => (1, true, true),
        b'2' => (1, false, true),
        b'3' => (3, false, true),
        b'4' => (1, true, false),
        b'5' => (1, false, false),
        b'6' => (3, false, false),
        kind => {
            return Err(Failure::Unsupported(format!(
                "Netpbm P{}",
                char::from(kind)
            )));
        }
    };
    let mut rest = Tokens(&bytes[2..]);
    let [width, height] = [rest.number()?, rest.number()?];
    check_size(width, height)?;
    let max = if bitonal { 1 } else { rest.number()? };
    if !(1..=65535).contains(&max) {
        return Err(Failure::damaged(format!(
            "its maximum is {max}, expected 1 to 65535"
        )));
    }
    let samples = width as usize * height as usize * channels;
    let values = match (plain, bitonal) {
        (true, true) => rest.bits(samples)?,
        (true, false) => (0..samples)
            .map(|_| rest.number())
            .collect::<Result<_, _>>()?,
        // One whitespace stands between the header and the samples.
        (false, true) => packed_bits(rest.0.get(1..), width as usize, height as usize)?,
        (false, false) => binary(rest.0.get(1..), samples, max)?,
    };
    if let Some(value) = values.iter().find(|value| plain && **value > max) {
        return Err(Failure::damaged(format!(
            "it has the value {value}, above its maximum {max}"
        )));
    }
    let levels = values
        .into_iter()
        .map(|value| level(value, max, bitonal, channels));
    let pixels = match channels {
        1 => levels.flat_map(|level| [level; 3]).collect(),
        _ => levels.collect(),
    };
    let picture = picture(width, height, pixels)?;
    Ok(Decoded::new(picture, channels == 1 && max > 255, false))
}

/// A sample as a level of 8 bits: rounded half to even; gray above 8 bits becomes one of 16 and is clipped,
/// as for every 16-bit gray image.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 0 and 255"
)]
fn level(value: u32, max: u32, bitonal: bool, channels: usize) -> u8 {
    if bitonal {
        return if value == 0 { 255 } else { 0 };
    }
    let white = if max > 255 && channels == 1 {
        65535.0
    } else {
        255.0
    };
    let scaled = (f64::from(value) / f64::from(max) * white).round_ties_even();
    scaled.min(255.0) as u8
}

fn packed_bits(data: Option<&[u8]>, width: usize, height: usize) -> Result<Vec<u32>, Failure> {
    let row = width.div_ceil(8);
    let data = data
        .and_then(|data| data.get(..row * height))
        .ok_or(Failure::Truncated)?;
    let bits = |row: &[u8]| -> Vec<u32> {
        let bit = |at: usize| u32::from(row[at / 8] >> (7 - at % 8) & 1);
        (0..width).map(bit).collect()
    };
    Ok(data.chunks_exact(row).flat_map(bits).collect())
}

fn binary(data: Option<&[u8]>, samples: usize, max: u32) -> Result<Vec<u32>, Failure> {
    let size = if max < 256 { 1 } else { 2 };
    let data = data
        .and_then(|data| data.get(..samples * size))
        .ok_or(Failure::Truncated)?;
    Ok(data
        .chunks_exact(size)
        .map(|sample| {
            sample
                .iter()
                .fold(0, |value, byte| value << 8 | u32::from(*byte))
        })
        .collect())
}

/// Words between whitespace; a `#` begins a comment to the end of its line.
struct Tokens<'a>(&'a [u8]);

impl Tokens<'_> {
    fn skip_space(&mut self) {
        loop {
            self.0 = self.0.trim_ascii_start();
            let Some(comment) = self.0.strip_prefix(b"#") else {
                return;
            };
            let end = comment.iter().position(|byte| b"\r\n".contains(byte));
            self.0 = end.map_or(&[], |end| &comment[end..]);
        }
    }

    fn number(&mut self) -> Result<u32, Failure> {
        self.skip_space();
        let end = self
            .0
            .iter()
            .position(|byte| byte.is_ascii_whitespace() || *byte == b'#');
        let (word, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
        if word.is_empty() {
            return Err(Failure::Truncated);
        }
        self.0 = rest;
        let number = str::from_utf8(word)
            .ok()
            .filter(|word| word.len() <= LONGEST_TOKEN);
        number
            .and_then(|word| word.parse().ok())
            .ok_or_else(|| Failure::damaged(format!("\"{}\" is no number", word.escape_ascii())))
    }

    /// Zeros and ones, with or without space between them.
    fn bits(&mut self, count: usize) -> Result<Vec<u32>, Failure> {
        let mut bits = Vec::with_capacity(count);
        while bits.len() < count {
            self.skip_space();
            let (first, rest) = self.0.split_first().ok_or(Failure::Truncated)?;
            self.0 = rest;
            match first {
                b'0' => bits.push(0),
                b'1' => bits.push(1),
                other => {
                    let found = other.escape_ascii();
                    return Err(Failure::damaged(format!("\"{found}\" is neither 0 nor 1")));
                }
            }
        }
        Ok(bits)
    }
}
