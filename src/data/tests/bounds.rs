//! Small files that claim or unpack to much: refused before there is room for it.

use std::fs;

use tempfile::TempDir;

use super::decoding::{fixture, with_sources, write};
use crate::data::decode::decode;
use crate::data::error::ImageError;

/// Found by `make fuzz TARGET=images`: 255 MB were asked for, for a file of 219 bytes.
#[test]
fn a_tiff_that_promises_more_values_than_it_has_bytes_is_truncated() {
    let folder = TempDir::new().unwrap();
    let mut tiff = fs::read(fixture("decode/rgb16.tif")).unwrap();
    let height = tiff.windows(4).position(|w| w == [1, 1, 3, 0]).unwrap();
    tiff[height + 4..height + 8].copy_from_slice(&[0x7a, 0, 0, 0x16]);
    let error = decode(&write(folder.path(), "a.tif", &tiff)).unwrap_err();
    let is_truncated = matches!(error.error, ImageError::Truncated { format: "TIFF", .. });
    assert!(is_truncated, "{}", with_sources(&error));
}

/// Found by `make fuzz TARGET=images`: 214 MB were asked for. The frame's bitstream, of an animation or of a picture
/// with a canvas, says how large it is; a chunk of another name behind it does not hide it.
#[test]
fn a_webp_with_a_frame_larger_than_its_canvas_is_refused() {
    let folder = TempDir::new().unwrap();
    let lossy = fs::read(fixture("decode/lossy.webp")).unwrap();
    // RIFF, its length, WEBP; then the only chunk.
    let mut frame = lossy[12..].to_vec();
    assert_eq!(frame[..4], *b"VP8 ");
    let side = |at: usize| u32::from(u16::from_le_bytes([frame[at], frame[at + 1]]));
    let (width, height) = (side(14), side(16));
    let chunk = |name: &[u8; 4], bytes: &[u8]| {
        let length = u32::try_from(bytes.len()).unwrap().to_le_bytes();
        [name, &length[..], bytes].concat()
    };
    let lessened = |side: u32| (side - 1).to_le_bytes()[..3].to_vec();
    let canvas = [lessened(width), lessened(height)].concat();
    let webp = |flags: u8, chunks: &[u8]| {
        let canvas = chunk(b"VP8X", &[&[flags, 0, 0, 0], &canvas[..]].concat());
        chunk(b"RIFF", &[b"WEBP", &canvas[..], chunks].concat())
    };
    let animation = |frame: &[u8]| {
        let place = [&[0; 6], &canvas[..], &[100, 0, 0, 0]].concat();
        let frame = chunk(b"ANMF", &[&place[..], frame].concat());
        webp(2, &[chunk(b"ANIM", &[0; 6]), frame].concat())
    };
    let picture = |frame: &[u8]| webp(0, &[chunk(b"JUNK", b"four"), frame.to_vec()].concat());
    let expected = decode(&fixture("decode/lossy.webp")).unwrap().picture;
    for (name, bytes) in [("a.webp", animation(&frame)), ("b.webp", picture(&frame))] {
        let found = decode(&write(folder.path(), name, &bytes)).unwrap();
        assert!(found.picture == expected, "{name}");
    }
    frame[14..18].copy_from_slice(&[0xff, 0x1f, 0xff, 0x1f]);
    for (name, bytes) in [("a.webp", animation(&frame)), ("b.webp", picture(&frame))] {
        let error = decode(&write(folder.path(), name, &bytes)).unwrap_err();
        let expected = "WebP with a frame larger than its canvas is not read";
        assert!(with_sources(&error).contains(expected), "{name}: {error}");
    }
}

/// Strips and tiles of which a small image needs little.
#[test]
fn a_tiff_that_promises_long_strips_is_refused() {
    let folder = TempDir::new().unwrap();
    let mut tiff = fs::read(fixture("decode/rgb16.tif")).unwrap();
    let entry = |tag: u16| {
        let name = tag.to_le_bytes();
        tiff.windows(2).rposition(|w| w == name).unwrap()
    };
    // StripByteCounts: a single value, of 32 bits.
    let at = entry(279);
    tiff[at + 2..at + 12].copy_from_slice(&[4, 0, 1, 0, 0, 0, 0, 0, 0, 0x40]);
    let error = decode(&write(folder.path(), "a.tif", &tiff)).unwrap_err();
    assert!(with_sources(&error).contains("limit"), "{error}");
}
