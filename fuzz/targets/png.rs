//! What the PNG encoder writes, read by the decoder of the crate `png`.
#![no_main]

use std::io::Cursor;

use feature_grid::png::{Threads, encode};
use feature_grid::{Color, Colormap, Picture};
use libfuzzer_sys::fuzz_target;
use png::{ColorType, Decoder};
use vggscope_fuzz::bounded;

fuzz_target!(|input: &[u8]| bounded(input, || check(input)));

/// The first bytes say the kind of picture, how wide it is, and how often its pixels repeat: blocks of the encoder
/// are longer than inputs.
fn check(input: &[u8]) {
    let Some((&[kind, wide, narrow, repeat], bytes)) = input.split_first_chunk() else {
        return;
    };
    let color = match kind % 3 {
        0 => Color::Gray,
        1 => Color::Rgb,
        _ => Color::Indexed(Colormap::Viridis),
    };
    let width = u32::from(u16::from_le_bytes([narrow, wide])) + 1;
    let stride = width as usize * color.channels();
    let mut pixels = bytes.repeat(1 + usize::from(repeat % 64)).to_vec();
    pixels.truncate(4 << 20);
    pixels.resize(pixels.len().max(1).next_multiple_of(stride), 0);
    let height = (pixels.len() / stride) as u32;
    let picture = Picture {
        width,
        height,
        color,
        pixels,
    };
    let one = encode(&picture, Threads::One).expect("it fits");
    assert!(
        one == encode(&picture, Threads::Idle).expect("it fits"),
        "threads change the bytes"
    );

    let mut reader = Decoder::new(Cursor::new(&one))
        .read_info()
        .expect("a header");
    let mut pixels = vec![0; reader.output_buffer_size().expect("a size")];
    let info = reader.next_frame(&mut pixels).expect("pixels");
    reader.finish().expect("an end");
    let expected = match color {
        Color::Gray => ColorType::Grayscale,
        Color::Rgb => ColorType::Rgb,
        Color::Indexed(_) => ColorType::Indexed,
    };
    assert_eq!(
        (info.width, info.height, info.color_type),
        (width, height, expected)
    );
    assert!(pixels == picture.pixels, "other pixels");
}
