use proptest::prelude::*;

use super::*;
use feature_grid::{Color, Colormap, Picture};

#[test]
fn the_first_and_the_last_are_kept() {
    assert_eq!(evenly(0, 24), Vec::<usize>::new());
    assert_eq!(evenly(1, 24), [0]);
    assert_eq!(evenly(5, 24), [0, 1, 2, 3, 4]);
    assert_eq!(evenly(10, 4), [0, 3, 6, 9]);
    assert_eq!(evenly(9, 1), [0]);
    for count in 25..500 {
        let columns = evenly(count, 24);
        assert_eq!((columns.len(), columns[0], columns[23]), (24, 0, count - 1));
        assert!(columns.is_sorted_by(|a, b| a < b));
    }
}

fn heat_map(rows: usize, columns: usize, value: impl Fn(usize) -> f32) -> HeatMap {
    HeatMap {
        title: "13_relu3_2".to_owned(),
        rows: (0..rows).map(|row| format!("row {row}")).collect(),
        columns: (0..columns)
            .map(|column| (500 * column).to_string())
            .collect(),
        values: (0..rows * columns).map(value).collect(),
        range: (0.0, 1.0),
        colormap: Colormap::Viridis,
        numbers: false,
    }
}

fn pixels(picture: &Picture) -> Vec<[u8; 3]> {
    let (pixels, _) = picture.pixels.as_chunks::<3>();
    pixels.to_vec()
}

fn count(picture: &Picture, color: [u8; 3]) -> usize {
    pixels(picture)
        .into_iter()
        .filter(|pixel| *pixel == color)
        .count()
}

#[test]
fn cells_have_the_colors_of_their_values() {
    let palette = Colormap::Viridis.palette();
    let map = heat_map(2, 2, |at| [0.0, 1.0, 0.5, f32::NAN][at]);
    let picture = map.picture();
    // 64 pixels a cell at most; the middle value only in its cell and in one line of the scale.
    let middle = count(&picture, palette[128]);
    assert!((64 * 64..64 * 64 + 64).contains(&middle), "{middle}");
    // Without a value: hatched.
    assert!(count(&picture, [80; 3]) > 300 && count(&picture, [30; 3]) > 3000);
    // Values beyond the ends have the colors of the ends.
    let beyond = heat_map(1, 2, |at| [-7.0, 7.0][at]).picture();
    assert!(count(&beyond, palette[1]) >= 64 * 64 && count(&beyond, palette[255]) >= 64 * 64);
}

#[test]
fn text_can_be_read_at_170_pixels() {
    for (rows, columns) in [
        (12, 12),
        (24, 24),
        (31, 31),
        (512, 12),
        (10, 10),
        (1000, 1000),
    ] {
        let picture = heat_map(rows, columns, |_| 0.5).picture();
        // The title's letters are 7 of 10 pixels high, enlarged; nothing else stands in its rows.
        let width = picture.width as usize;
        let white: Vec<usize> = pixels(&picture)
            .chunks(width)
            .enumerate()
            .filter(|(_, row)| row.contains(&[235; 3]))
            .map(|(y, _)| y)
            .collect();
        let gap = white
            .windows(2)
            .position(|pair| pair[1] > pair[0] + 1)
            .unwrap();
        let letters = white[gap] - white[0] + 1;
        let shown = letters * 170 / picture.height as usize;
        assert!(shown >= 5, "{rows} x {columns}: {shown}");
        assert!(picture.width < 4096 && picture.height < 4096);
    }
}

fn tile(level: u8) -> Picture {
    Picture {
        width: 14,
        height: 14,
        color: Color::Gray,
        pixels: vec![level; 14 * 14],
    }
}

#[test]
fn a_strip_has_its_tiles_in_rows_and_columns() {
    let strip = Strip {
        title: "evolution".to_owned(),
        rows: (0..16).map(|row| (row * 31).to_string()).collect(),
        columns: (0..24).map(|step| (step * 500).to_string()).collect(),
        tiles: (0..16 * 24)
            .map(|at| (at != 5).then(|| tile(if at == 0 { 90 } else { 40 })))
            .collect(),
    };
    let picture = strip.picture();
    // Enlarged four times.
    assert_eq!(count(&picture, [90; 3]), 56 * 56);
    assert_eq!(count(&picture, [40; 3]), (16 * 24 - 2) * 56 * 56);
    let first = pixels(&picture)
        .iter()
        .position(|pixel| *pixel == [90; 3])
        .unwrap();
    let (x, y) = (
        first % picture.width as usize,
        first / picture.width as usize,
    );
    assert!(x > 30 && y > 30, "labels stand left and above: {x}, {y}");
}

#[test]
fn bars_are_as_long_as_cosines_are_large() {
    let tiles = vec![Picture::rgb(24, 24, vec![7; 3 * 24 * 24]); 3];
    let picture = kernel_bars(&tiles, &[1.0, 0.5, -1.0]);
    assert_eq!(count(&picture, [7; 3]), 3 * 24 * 24);
    // Four rows of each.
    assert_eq!(count(&picture, [30, 230, 40]), 4 * 24);
    assert_eq!(count(&picture, [130, 130, 40]), 4 * 12);
    assert_eq!(count(&picture, [230, 30, 40]), 4 * 2);
    // Two columns and two rows, the kernels' numbers in a line below the bars.
    assert_eq!((picture.width, picture.height), (2 * 26 + 2, 2 * 42 + 2));
    let bright = |picture: &Picture| count(picture, [235; 3]);
    assert!(bright(&picture) > 15);
    let narrow = vec![Picture::rgb(4, 4, vec![7; 3 * 4 * 4]); 3];
    assert_eq!(bright(&kernel_bars(&narrow, &[1.0; 3])), 0);
}

proptest! {
    #[test]
    fn nothing_is_too_small_or_too_large(rows in 0_usize..80, columns in 0_usize..80, values in 0_usize..100, label in "\\PC{0,40}") {
        let mut map = heat_map(rows, columns, |_| 0.3);
        map.values.truncate(values);
        map.title.clone_from(&label);
        map.numbers = true;
        map.rows = map.rows.iter().map(|_| label.clone()).collect();
        map.columns = map.columns.iter().map(|_| label.clone()).collect();
        let picture = map.picture();
        prop_assert_eq!(picture.pixels.len(), 3 * picture.width as usize * picture.height as usize);
        let tiles = (0..rows * columns).map(|at| (at % 3 > 0).then(|| tile(9))).take(values);
        let strip = Strip { title: label.clone(), rows: map.rows, columns: map.columns, tiles: tiles.collect() };
        let picture = strip.picture();
        prop_assert_eq!(picture.pixels.len(), 3 * picture.width as usize * picture.height as usize);
    }
}
