//! A picture as the bytes of a PNG file, small and fast.
//!
//! Written here because nothing on crates.io is both: of the encoders that come down to `OpenCV`'s
//! size on grids of feature maps the fastest needs four times as long, and the one that is as fast
//! writes up to an eighth more (`benches/render.rs` of this crate measures them). What makes the difference is
//! knowing the pictures: every row takes the Paeth filter, which is best or nearly best on maps and
//! costs one vectorised pass, and of all that deflate can do only its Huffman codes, made afresh
//! for every block, and its runs of zeros are used.
//!
//! Source: PNG, third edition, <https://www.w3.org/TR/png-3/>; zlib, RFC 1950; deflate, RFC 1951.

mod bits;
mod deflate;
mod filter;
mod huffman;

#[cfg(test)]
mod tests;

use crc32fast::Hasher;
use thiserror::Error;

use crate::picture::{Color, Picture};
use deflate::Blocks;
use filter::Rows;

const SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";

/// The largest side and the largest chunk that PNG allows.
const MOST: u32 = i32::MAX as u32;

/// A picture that cannot be written as PNG.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum PngError {
    /// A side of 0 pixels, or more than a PNG file takes.
    #[error(
        "a picture of {0} x {1} pixels does not fit into a PNG, which takes 1 to {MOST} a side and 1 GiB in all"
    )]
    Size(u32, u32),
    /// Another number of bytes than the size needs.
    #[error("a picture of {0} x {1} pixels needs {2} bytes and has {3}")]
    Length(u32, u32, u64, usize),
}

impl Picture {
    /// The picture as a PNG file.
    ///
    /// # Errors
    ///
    /// Its size does not fit into a PNG, or its pixels are not as many as its size says.
    pub fn to_png(&self) -> Result<Vec<u8>, PngError> {
        encode(self, Threads::One)
    }
}

/// Which threads encode a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    /// The one that is asked.
    One,
    /// Those of rayon's that are idle help with a large one: with two it takes 0.6 of the time. Looking out for work
    /// costs them a twentieth of a processor, which is lost where libtorch computes on the same cores.
    Idle,
}

/// So few blocks are coded by one thread.
const PIECE: usize = 4;

/// Encodes `picture`: gray as one channel, a colormap's as indices and a palette, anything else as
/// three channels; eight bits each, not interlaced.
///
/// # Errors
///
/// As [`Picture::to_png`].
pub fn encode(picture: &Picture, threads: Threads) -> Result<Vec<u8>, PngError> {
    check(picture)?;
    let (color_type, channels) = match picture.color {
        Color::Gray => (0, 1),
        Color::Indexed(_) => (3, 1),
        Color::Rgb => (2, 3),
    };
    // Feature maps take 0.45 to 0.75 of a byte a pixel.
    let mut out = Vec::with_capacity(picture.pixels.len() / 4 * 3 + 2048);
    out.extend_from_slice(&SIGNATURE);
    chunk(&mut out, *b"IHDR", |out| {
        out.extend_from_slice(&picture.width.to_be_bytes());
        out.extend_from_slice(&picture.height.to_be_bytes());
        out.extend_from_slice(&[8, color_type, 0, 0, 0]);
    });
    if let Color::Indexed(colormap) = picture.color {
        chunk(&mut out, *b"PLTE", |out| {
            out.extend_from_slice(colormap.palette().as_flattened());
        });
    }
    chunk(&mut out, *b"IDAT", |out| {
        let rows = Rows::new(picture, channels);
        let piece = match threads {
            Threads::One => usize::MAX,
            Threads::Idle => PIECE,
        };
        let blocks = Blocks {
            count: rows.blocks(),
            piece,
            fill: |block, bytes: &mut Vec<u8>| rows.filter(block, bytes),
        };
        blocks.zlib(out);
    });
    chunk(&mut out, *b"IEND", |_| {});
    // Files wait for being written, many at a time.
    out.shrink_to_fit();
    Ok(out)
}

fn check(picture: &Picture) -> Result<(), PngError> {
    let &Picture { width, height, .. } = picture;
    let sides = 1..=MOST;
    if !sides.contains(&width) || !sides.contains(&height) {
        return Err(PngError::Size(width, height));
    }
    let expected = u64::from(width) * u64::from(height) * picture.color.channels() as u64;
    // The length of a chunk has 31 bits, and the worst code spends 12 bits on a byte.
    if expected > 1 << 30 {
        return Err(PngError::Size(width, height));
    }
    let found = picture.pixels.len();
    if found as u64 != expected {
        return Err(PngError::Length(width, height, expected, found));
    }
    Ok(())
}

fn chunk(out: &mut Vec<u8>, name: [u8; 4], write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&name);
    write(out);
    let length = u32::try_from(out.len() - start - 8).unwrap_or(u32::MAX);
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    let mut crc = Hasher::new();
    crc.update(&out[start + 4..]);
    out.extend_from_slice(&crc.finalize().to_be_bytes());
}
