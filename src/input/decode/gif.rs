//! The first frame of a GIF, placed on its canvas as Pillow places it.

use gif::{ColorOutput, DecodeOptions, DecodingError, Frame, MemoryLimit};

use super::{Failure, MAX_PIXELS, checked_size, picture};
use crate::input::Picture;

/// `image` would blend the frame with a transparent canvas; Pillow fills the canvas with the
/// transparent index where there is one, else with index 0, and looks all of it up in the palette.
pub(super) fn decode(bytes: &[u8]) -> Result<Picture, Failure> {
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    if let Ok(limit) = MAX_PIXELS.try_into() {
        options.set_memory_limit(MemoryLimit::Bytes(limit));
    }
    let mut decoder = options.read_info(bytes).map_err(failure)?;
    let canvas = (decoder.width(), decoder.height());
    let global = decoder.global_palette().map(<[u8]>::to_vec);
    // The frame's size is checked before its pixels are decoded.
    let frame = decoder.next_frame_info().map_err(failure)?;
    let frame = frame.ok_or(Failure::Truncated)?;
    let size = checked_size(
        covered(canvas.0, frame.left, frame.width),
        covered(canvas.1, frame.top, frame.height),
    )?;
    let mut frame = frame.clone();
    frame.buffer = vec![0; decoder.buffer_size()].into();
    decoder
        .read_into_buffer(frame.buffer.to_mut())
        .map_err(failure)?;
    // `gif` has refused a frame that has neither.
    let palette = frame.palette.as_deref().or(global.as_deref());
    let palette = palette.unwrap_or_default();
    let pixels = on_canvas(&frame, size)
        .into_iter()
        .flat_map(|index| colour(palette, index))
        .collect();
    picture(size, pixels)
}

/// Pillow widens a canvas that is smaller than its frame.
fn covered(canvas: u16, offset: u16, length: u16) -> u32 {
    u32::from(canvas).max(u32::from(offset) + u32::from(length))
}

fn on_canvas(frame: &Frame<'_>, (width, height): (usize, usize)) -> Vec<u8> {
    let mut canvas = vec![frame.transparent.unwrap_or(0); width * height];
    let length = usize::from(frame.width);
    if length == 0 {
        return canvas;
    }
    let rows = canvas.chunks_exact_mut(width).skip(frame.top.into());
    for (row, pixels) in rows.zip(frame.buffer.chunks_exact(length)) {
        let place = row.iter_mut().skip(frame.left.into());
        for (place, &index) in place.zip(pixels) {
            *place = index;
        }
    }
    canvas
}

/// Past a palette's end there is black.
fn colour(palette: &[u8], index: u8) -> [u8; 3] {
    let (colours, _) = palette.as_chunks::<3>();
    colours.get(usize::from(index)).copied().unwrap_or_default()
}

fn failure(error: DecodingError) -> Failure {
    match error {
        DecodingError::UnexpectedEof => Failure::Truncated,
        DecodingError::Io(source) => Failure::from_io(source.kind(), source),
        other => Failure::damaged(other),
    }
}
