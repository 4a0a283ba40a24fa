use std::io::Cursor;

use proptest::collection::vec;
use proptest::prelude::*;

use super::huffman::{MAX_BITS, codes, lengths};
use super::*;
use crate::Colormap;

/// What another decoder reads: width, height, color type, palette, pixels.
fn decode(bytes: &[u8]) -> (u32, u32, ::png::ColorType, Option<Vec<u8>>, Vec<u8>) {
    let mut reader = ::png::Decoder::new(Cursor::new(bytes)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    reader.finish().unwrap();
    let palette = reader
        .info()
        .palette
        .as_ref()
        .map(|palette| palette.to_vec());
    (info.width, info.height, info.color_type, palette, pixels)
}

fn assert_decodes(picture: &Picture) {
    let bytes = encode(picture, Threads::One).unwrap();
    let (width, height, color, palette, pixels) = decode(&bytes);
    assert_eq!((width, height), (picture.width, picture.height));
    assert!(pixels == picture.pixels, "{width} x {height} {color:?}");
    match picture.color {
        Color::Gray => assert_eq!(color, ::png::ColorType::Grayscale),
        Color::Rgb => assert_eq!(color, ::png::ColorType::Rgb),
        Color::Indexed(colormap) => {
            assert_eq!(color, ::png::ColorType::Indexed);
            assert_eq!(palette.as_deref(), Some(colormap.palette().as_flattened()));
        }
    }
    // At worst noise: one byte a row for the filter, a Huffman table a block, and the palette.
    let raw = pixels.len() + height as usize;
    assert!(
        bytes.len() <= raw + raw / 256 + 1024,
        "{} for {raw}",
        bytes.len()
    );
}

/// How the bytes of a random picture are made from random bytes.
#[derive(Debug, Clone, Copy)]
enum Texture {
    Noise,
    /// Mostly zeros, in runs of any length.
    Sparse,
    /// The rarer the larger: code lengths beyond the limit.
    Skewed,
    Flat,
}

fn picture() -> impl Strategy<Value = Picture> {
    let color = prop::sample::select(vec![
        Color::Gray,
        Color::Rgb,
        Color::Indexed(Colormap::Viridis),
    ]);
    let texture = prop::sample::select(vec![
        Texture::Noise,
        Texture::Sparse,
        Texture::Skewed,
        Texture::Flat,
    ]);
    let side = || prop_oneof![4 => 1_u32..40, 1 => 1_u32..700];
    (side(), side(), color, texture, any::<u64>()).prop_map(
        |(width, height, color, texture, seed)| {
            let length = width as usize * height as usize * color.channels();
            Picture {
                width,
                height,
                color,
                pixels: fill(texture, seed, length),
            }
        },
    )
}

fn fill(texture: Texture, seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = move || {
        // Xorshift; proptest would take seconds to make so many bytes.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut pixels = Vec::with_capacity(length);
    while pixels.len() < length {
        let word = next();
        match texture {
            Texture::Noise => pixels.extend(word.to_le_bytes()),
            Texture::Flat => pixels.push(seed.to_le_bytes()[7]),
            Texture::Skewed => pixels.push(word.trailing_zeros().to_le_bytes()[0].wrapping_mul(3)),
            Texture::Sparse => {
                let zeros = usize::from(word.to_le_bytes()[0]) << (word >> 62);
                pixels.extend(std::iter::repeat_n(0, zeros));
                pixels.push(word.to_le_bytes()[1]);
            }
        }
    }
    pixels.truncate(length);
    pixels
}

proptest! {
    #[test]
    fn another_decoder_reads_the_picture(picture in picture()) {
        assert_decodes(&picture);
    }

    #[test]
    fn codes_are_full_and_limited(mut counts in vec(0_u32..2000, 20), exponential in any::<bool>()) {
        counts[0] += 1;
        counts[1] += 1;
        if exponential {
            for (i, count) in counts.iter_mut().enumerate() {
                *count = (*count).min(1) << i;
            }
        }
        let counts: [u32; 20] = counts.try_into().unwrap();
        for limit in [5, 7, MAX_BITS] {
            let lengths = lengths(&counts, limit);
            let mut full = 0_u32;
            for (&len, &count) in lengths.iter().zip(&counts) {
                prop_assert_eq!(len > 0, count > 0);
                prop_assert!(len <= limit);
                if len > 0 {
                    full += 1 << (limit - len);
                }
            }
            prop_assert_eq!(full, 1 << limit, "{:?}", lengths);
            // A commoner symbol never has the longer code.
            for (a, len_a) in counts.iter().zip(lengths) {
                for (b, len_b) in counts.iter().zip(lengths) {
                    prop_assert!(a <= b || len_a == 0 || len_b == 0 || len_a <= len_b);
                }
            }
            // No code is the beginning of another.
            let codes = codes(&lengths);
            for (i, a) in codes.iter().enumerate().filter(|(_, code)| code.len > 0) {
                for b in codes[..i].iter().filter(|code| code.len > 0) {
                    let mask = (1 << a.len.min(b.len)) - 1;
                    prop_assert_ne!(a.bits & mask, b.bits & mask);
                }
            }
        }
    }
}

/// The checksums are those of the encoder that coded one block after the other.
#[test]
fn pictures_of_many_blocks_decode_and_are_as_ever() {
    for (texture, checksums) in [
        (Texture::Noise, [0x604f_66a0, 0x7904_e095, 0xe7bf_6517]),
        (Texture::Sparse, [0x6786_b2e9, 0xb58c_70cf, 0x98df_1fa1]),
        (Texture::Skewed, [0x04a6_6245, 0x8afc_89ab, 0x1bee_9955]),
        (Texture::Flat, [0x93d4_6cb9, 0xd7f6_a6ad, 0x484b_bdf2]),
    ] {
        for ((width, height, color), checksum) in [
            (1810, 500, Color::Gray),
            (600, 400, Color::Rgb),
            (300_000, 2, Color::Gray),
        ]
        .into_iter()
        .zip(checksums)
        {
            let length = width as usize * height as usize * color.channels();
            let picture = Picture {
                width,
                height,
                color,
                pixels: fill(texture, 7, length),
            };
            assert_decodes(&picture);
            for threads in [Threads::One, Threads::Idle] {
                let bytes = encode(&picture, threads).unwrap();
                assert_eq!(crc32fast::hash(&bytes), checksum);
            }
        }
    }
}

/// Rows whose filtered bytes are the pixels themselves, so that runs of every length are written.
#[test]
fn zero_runs_of_every_length_decode() {
    for run in 1..600 {
        let mut pixels = vec![0; run + 2];
        pixels[0] = 1;
        pixels[run + 1] = 200;
        // Above a row of zeros Paeth predicts the pixel to the left: only changes remain.
        assert_decodes(&Picture {
            width: u32::try_from(run + 2).unwrap(),
            height: 1,
            color: Color::Gray,
            pixels,
        });
    }
}

#[test]
fn a_flat_picture_is_tiny() {
    let picture = Picture {
        width: 1000,
        height: 1000,
        color: Color::Gray,
        pixels: vec![9; 1_000_000],
    };
    assert!(encode(&picture, Threads::One).unwrap().len() < 3500);
}

#[test]
fn sizes_that_do_not_fit_are_refused() {
    let picture = |width, height, bytes| Picture {
        width,
        height,
        color: Color::Rgb,
        pixels: vec![0; bytes],
    };
    assert_eq!(
        encode(&picture(0, 4, 0), Threads::One),
        Err(PngError::Size(0, 4))
    );
    assert_eq!(
        encode(&picture(u32::MAX, u32::MAX, 3), Threads::One),
        Err(PngError::Size(u32::MAX, u32::MAX))
    );
    assert_eq!(
        encode(&picture(1 << 15, 1 << 14, 3), Threads::One),
        Err(PngError::Size(1 << 15, 1 << 14))
    );
    assert_eq!(
        encode(&picture(2, 2, 11), Threads::One),
        Err(PngError::Length(2, 2, 12, 11))
    );
}
