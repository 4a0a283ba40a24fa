use proptest::prelude::*;

use super::*;

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

fn labels(count: usize, label: impl Fn(usize) -> String) -> Vec<String> {
    (0..count).map(label).collect()
}

fn heat_map(rows: usize, columns: usize, value: impl Fn(usize) -> f32) -> Figure {
    Figure {
        title: "13_relu3_2".to_owned(),
        row_axis: "row".to_owned(),
        column_axis: "step".to_owned(),
        rows: labels(rows, |row| format!("row {row}")),
        columns: labels(columns, |column| (500 * column).to_string()),
        cells: Cells::Matrix(Matrix {
            values: (0..rows * columns).map(value).collect(),
            measure: "fraction".to_owned(),
            colormap: Colormap::Viridis,
            ..Matrix::default()
        }),
        ..Figure::default()
    }
}

fn matrix(figure: &mut Figure) -> &mut Matrix {
    match &mut figure.cells {
        Cells::Matrix(matrix) => matrix,
        Cells::Tiles(_) => unreachable!(),
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
    let picture = heat_map(2, 2, |at| [0.0, 1.0, 0.5, f32::NAN][at]).picture(700, 420);
    // Four cells share about two thirds of the picture.
    let cell = 700 * 420 / 7;
    for color in [palette[0], palette[255], palette[127], [205; 3]] {
        let found = count(&picture, color);
        assert!((cell..2 * cell).contains(&found), "{color:?}: {found}");
    }
    // Values beyond the ends have the colors of the ends.
    let beyond = heat_map(1, 2, |at| [-7.0, 7.0][at]).picture(700, 420);
    assert!(count(&beyond, palette[0]) > 2 * cell && count(&beyond, palette[255]) > 2 * cell);
    // Each decade of a log scale has as much of it.
    let mut log = heat_map(1, 3, |at| [1e-4, 1e-2, 1.0][at]);
    matrix(&mut log).scale = Scale::Log {
        low: 1e-4,
        high: 1.0,
    };
    let log = log.picture(700, 420);
    assert!(count(&log, palette[127]) > cell && count(&log, palette[0]) > cell);
}

#[test]
fn lines_without_room_are_counted() {
    let mut figure = heat_map(4, 4, |_| 0.5);
    figure.all_lines = "Overview/summary".to_owned();
    for count in [1, 4, 9, 30] {
        figure.lines = (0..count).map(|at| format!("line-{at}")).collect();
        let text = figure.svg(700, 420);
        let shown = text.matches("line-").count();
        let more = match count - shown {
            0 => None,
            more => Some(format!("… and {more} more lines in Overview/summary")),
        };
        assert!(shown >= 4.min(count), "{shown} of {count}");
        assert!(more.is_none_or(|more| text.contains(&more)), "{text}");
        assert_eq!(text.contains("… and "), count > 8, "{text}");
    }
    // A line that is too long for itself.
    figure.lines = vec!["word ".repeat(500)];
    let text = figure.svg(700, 420);
    assert!(text.contains('…') && !text.contains("more lines"), "{text}");
}

#[test]
fn text_can_be_read_at_half_the_size() {
    for (rows, columns) in [(12, 12), (31, 31), (512, 12), (1000, 1000)] {
        let mut figure = heat_map(rows, columns, |_| 0.5);
        figure.lines = vec!["word ".repeat(500)];
        let picture = figure.picture(700, 420);
        // The title's letters; nothing else stands in its rows.
        let dark: Vec<usize> = pixels(&picture)
            .chunks(700)
            .enumerate()
            .filter(|(_, row)| row[300..].iter().any(|pixel| pixel[0] < 90))
            .map(|(y, _)| y)
            .collect();
        let gap = dark.windows(2).position(|pair| pair[1] > pair[0] + 1);
        let letters = dark[gap.unwrap()] - dark[0] + 1;
        assert!((12..20).contains(&letters), "{rows} x {columns}: {letters}");
    }
}

#[test]
fn what_stands_out_is_framed_and_carries_its_number() {
    let mut figure = heat_map(4, 6, |_| 0.0);
    let plain = figure.picture(700, 420);
    let white = |picture: &Picture| {
        let pixels = pixels(picture).into_iter();
        pixels
            .filter(|pixel| pixel.iter().min() > Some(&200))
            .count()
    };
    matrix(&mut figure).notes.insert(8, "dead".to_owned());
    let noted = figure.picture(700, 420);
    assert!(white(&noted) > white(&plain) + 20);
    figure.framed.insert(8);
    let framed = figure.picture(700, 420);
    assert!(count(&framed, [230, 0, 0]) > 300);
    matrix(&mut figure).notes.clear();
    matrix(&mut figure).has_numbers = true;
    assert!(white(&figure.picture(700, 420)) > white(&framed) + 100);
}

#[test]
fn where_not_all_names_fit_those_of_what_stands_out_are_written() {
    let mut figure = heat_map(60, 200, |_| 0.0);
    let named = |figure: &Figure, name: &str| figure.svg(700, 420).contains(&format!("\n{name}\n"));
    assert!(!named(&figure, "row 41") && !named(&figure, "56500"));
    figure.framed.insert(41 * 200 + 113);
    assert!(named(&figure, "row 41") && named(&figure, "56500"));
    assert!(named(&figure, "row 0") && !named(&figure, "row 42"));
}

#[test]
fn numbers_have_the_digits_that_their_scale_asks_for() {
    let scale = |low, high| Scale::Linear { low, high };
    for (scale, value, text) in [
        (scale(0.0, 1.0), 0.97312, "0.973"),
        (scale(0.0, 1.0), 1.0, "1"),
        (scale(0.0, 1.0), -0.0001, "0"),
        (scale(0.9999, 1.0), 0.999_93, "0.99993"),
        (scale(0.0, 5000.0), 1200.0, "1200"),
        (
            Scale::Log {
                low: 1e-3,
                high: 2.0,
            },
            0.0123,
            "0.0123",
        ),
        (
            Scale::Log {
                low: 1e-3,
                high: 2.0,
            },
            100.0,
            "100",
        ),
    ] {
        assert_eq!(scale.number(value), text);
    }
    assert_eq!(scale(0.0, 1.0).ticks(), [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]);
    let ticks = Scale::Log {
        low: 1e-3,
        high: 2.0,
    }
    .ticks();
    assert_eq!(ticks, [1e-3, 1e-2, 1e-1, 1.0]);
}

fn tile(level: u8) -> Picture {
    Picture::rgb(14, 14, [level, 7, 99].repeat(14 * 14))
}

#[test]
fn tiles_stand_apart_in_rows_and_columns() {
    let tiles: Vec<Picture> = (0..6 * 12)
        .map(|at| tile(if at == 13 { 90 } else { 40 }))
        .collect();
    let mut figure = Figure {
        title: "evolution".to_owned(),
        rows: labels(6, |row| (row * 31).to_string()),
        columns: labels(12, |step| (step * 500).to_string()),
        cells: Cells::Tiles(Tiles::new(&tiles)),
        ..Figure::default()
    };
    let picture = figure.picture(700, 420);
    let one = count(&picture, [90, 7, 99]);
    assert!((40 * 40..54 * 54).contains(&one), "{one}");
    assert!(count(&picture, [40, 7, 99]).abs_diff(71 * one) < 71 * 60);
    // All around it is white.
    let rows = pixels(&picture);
    let first = rows.iter().position(|pixel| *pixel == [90, 7, 99]).unwrap();
    assert_eq!([rows[first - 1], rows[first - 700]], [[255; 3]; 2]);
    assert!(first % 700 > 60 && first / 700 > 60);
    figure.framed.insert(13);
    assert!(count(&figure.picture(700, 420), [230, 0, 0]) > 4 * 40);
}

#[test]
fn bars_are_as_long_as_cosines_are_large() {
    let tiles = vec![tile(7); 3];
    let figure = Figure {
        rows: labels(1, |row| row.to_string()),
        columns: labels(3, |column| column.to_string()),
        cells: Cells::Tiles(Tiles {
            bars: vec![1.0, 0.5, -1.0],
            ..Tiles::new(&tiles)
        }),
        ..Figure::default()
    };
    let picture = figure.picture(700, 420);
    let [full, half, none] =
        [[30, 200, 40], [130, 100, 40], [230, 0, 40]].map(|color| count(&picture, color));
    assert!(
        full.abs_diff(2 * half) <= 10 && full > 400,
        "{full}, {half}"
    );
    assert!(none > 0 && none < 20, "{none}");
}

#[test]
fn svg_has_its_text_as_text() {
    let figure = heat_map(3, 3, |_| 0.5);
    let svg = figure.svg(700, 420);
    for text in ["13_relu3_2", "row 2", "1000", "fraction"] {
        assert!(svg.contains(text), "{text}");
    }
    assert!(svg.ends_with("</svg>\n") && svg.len() < 30_000);
}

#[test]
fn a_figure_is_drawn_again_from_its_data() {
    let mut figure = heat_map(2, 3, |at| [0.1, f32::NAN, 1e-9, 7.0, -1.0, 0.5][at]);
    matrix(&mut figure).notes.insert(3, "7".to_owned());
    figure.framed.insert(3);
    let mut tiles = figure.clone();
    let pictures: Vec<Picture> = (0..6).map(tile).collect();
    tiles.cells = Cells::Tiles(Tiles {
        bars: vec![1.0, 0.0, 0.3],
        ..Tiles::new(&pictures)
    });
    for figure in [figure, tiles] {
        let data = figure.to_data();
        let again = Figure::from_data(&data).unwrap();
        assert_eq!(again.picture(700, 420), figure.picture(700, 420));
        assert_eq!(again.svg(700, 420), figure.svg(700, 420));
        assert!(Figure::from_data(&data[1..]).is_none());
        assert!(Figure::from_data(&[data[0].clone(), vec![1, 2, 3]]).is_none());
    }
}

proptest! {
    #[test]
    fn no_figure_is_too_small_or_too_large(
        rows in 0_usize..80, columns in 0_usize..80, values in 0_usize..100, label in "\\PC{0,40}",
        width in 0_u32..900, height in 0_u32..900,
    ) {
        let mut figure = heat_map(rows, columns, |_| 0.3);
        matrix(&mut figure).values.truncate(values);
        matrix(&mut figure).has_numbers = true;
        matrix(&mut figure).notes.insert(values, label.clone());
        figure.framed.insert(values);
        figure.title.clone_from(&label);
        figure.rows = figure.rows.iter().map(|_| label.clone()).collect();
        figure.lines = figure.rows.clone();
        let size = |picture: &Picture| (picture.width, picture.height, picture.pixels.len());
        let expected = (width.max(1), height.max(1), 3 * width.max(1) as usize * height.max(1) as usize);
        prop_assert_eq!(size(&figure.picture(width, height)), expected);
        let tiles: Vec<Picture> = (0..values).map(|_| tile(9)).collect();
        figure.cells = Cells::Tiles(Tiles::new(&tiles));
        prop_assert_eq!(size(&figure.picture(width, height)), expected);
        prop_assert!(figure.svg(width, height).ends_with("</svg>\n"));
    }
}
