//! What is drawn into a grid of feature maps.

use super::text::{dots, width_of};
use feature_grid::{Color, Colormap, Picture};

/// The height of a number. Units: pixels.
const LINE: u16 = 12;

/// Smaller tiles get no number: it would hide too much. Units: pixels.
const SMALLEST: usize = 40;

/// The width of a card. Units: pixels.
const CARD: usize = 350;

/// Orange, as no feature map is.
const FRAME: [u8; 3] = [255, 140, 0];

/// Into the upper left corner, where tiles are large enough. `tiles` are left, top, width and height, in pixels.
pub(super) fn number_tiles(picture: &mut Picture, tiles: &[[usize; 4]], numbers: &[usize]) {
    for ([left, top, width, height], number) in tiles.iter().zip(numbers) {
        let text = number.to_string();
        let length = width_of(&text, LINE.into()) as usize + 1;
        if *width.min(height) < SMALLEST || length > *width {
            continue;
        }
        for (x, y) in (0..length).flat_map(|x| (0..LINE.into()).map(move |y| (x, y))) {
            set(picture, left + x, top + y, 0, [0; 3]);
        }
        for dot in dots(&text, LINE.into()) {
            let (x, y) = (left + 1 + dot.x as usize, top + dot.y as usize);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "0 to 255"
            )]
            let level = (dot.cover * 255.0) as u8;
            set(picture, x, y, level, [level; 3]);
        }
    }
}

/// Draws a dashed frame into the padding around tiles: white, blue where 0 is white, or orange in a picture of colors.
/// Where the picture is wider than a card it is drawn over their edges too, else a card would leave it out.
pub(super) fn frame_tiles(picture: &mut Picture, tiles: &[[usize; 4]], framed: &[usize]) {
    let thick = (picture.width as usize).div_ceil(CARD);
    let level = match picture.color {
        Color::Indexed(Colormap::Diverging) => 0,
        _ => 255,
    };
    let tiles = framed.iter().filter_map(|tile| tiles.get(*tile));
    for [left, top, width, height] in tiles {
        let (Some(left), Some(top)) = (left.checked_sub(1), top.checked_sub(1)) else {
            continue;
        };
        let (across, down) = (width + 2, height + 2);
        let is_edge = |at: usize, length: usize| at.min(length - 1 - at) < thick;
        for (x, y) in (0..down).flat_map(|y| (0..across).map(move |x| (x, y))) {
            let dash = (left + x + top + y) / thick % 4 < 3;
            if dash && (is_edge(x, across) || is_edge(y, down)) {
                set(picture, left + x, top + y, level, FRAME);
            }
        }
    }
}

fn set(picture: &mut Picture, x: usize, y: usize, level: u8, color: [u8; 3]) {
    let width = picture.width as usize;
    if x >= width {
        return;
    }
    let at = y * width + x;
    match picture.color {
        Color::Gray | Color::Indexed(_) => {
            if let Some(pixel) = picture.pixels.get_mut(at) {
                // The brightest color of a diverging map is in its middle.
                let is_diverging = picture.color == Color::Indexed(Colormap::Diverging);
                *pixel = if is_diverging { level.min(128) } else { level };
            }
        }
        Color::Rgb => {
            if let Some(pixel) = picture.pixels.get_mut(3 * at..3 * at + 3) {
                pixel.copy_from_slice(&color);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_frames_stay_in_their_places() {
        let blank = |color: Color| Picture {
            width: 88,
            height: 46,
            color,
            pixels: vec![100; 88 * 46 * color.channels()],
        };
        let tiles = [[2, 2, 41, 42], [45, 2, 41, 42]];
        for color in [Color::Gray, Color::Indexed(Colormap::Magma), Color::Rgb] {
            let mut picture = blank(color);
            number_tiles(&mut picture, &tiles, &[7, 511]);
            let changed = |picture: &Picture| {
                let pixels = picture.pixels.chunks(color.channels()).enumerate();
                let changed = pixels.filter(|(_, pixel)| pixel.iter().any(|level| *level != 100));
                changed
                    .map(|(at, _)| (at % 88, at / 88))
                    .collect::<Vec<_>>()
            };
            let numbered = changed(&picture);
            assert!(
                numbered
                    .iter()
                    .all(|(x, y)| ((2..12).contains(x) || (45..68).contains(x))
                        && (2..14).contains(y))
            );
            // White letters, smooth at their edges, on black.
            assert!(picture.pixels.iter().max() > Some(&240) && picture.pixels.contains(&0));
            let mut picture = blank(color);
            frame_tiles(&mut picture, &tiles, &[1, 9]);
            let framed = changed(&picture);
            assert!(
                framed.len() > 100
                    && framed
                        .iter()
                        .all(|(x, y)| [44, 86].contains(x) || [1, 44].contains(y))
            );
        }
        // As a card shows it, every sixth pixel of a picture that is six times as wide, a frame is still there.
        let mut wide = Picture {
            width: 2100,
            height: 200,
            color: Color::Indexed(Colormap::Diverging),
            pixels: vec![127; 2100 * 200],
        };
        frame_tiles(&mut wide, &[[1, 1, 150, 198]], &[0]);
        for offset in 0..6 {
            let rows = wide.pixels.chunks(2100).skip(offset).step_by(6);
            let seen = rows.flat_map(|row| row[offset..152].iter().step_by(6));
            assert!(seen.filter(|level| **level == 0).count() > 60, "{offset}");
        }
        assert_eq!(wide.pixels[100 * 2100 + 75], 127);
        // Too small for a number.
        let mut picture = blank(Color::Gray);
        number_tiles(&mut picture, &[[2, 2, 14, 14]], &[3]);
        assert_eq!(picture, blank(Color::Gray));
    }
}
