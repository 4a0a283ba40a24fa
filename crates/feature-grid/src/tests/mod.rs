//! Pictures against the ones that torchvision and `SummaryWriter` make of the same values, and PNG
//! files against another decoder.

mod cases;
mod properties;
mod statistics;

use std::fs;
use std::io::Cursor;

use cases::{cases, fixture};

use crate::{
    Color, Colormap, Layout, Maps, Picture, Range, RenderError, Rendered, Style, feature_maps,
    kernels,
};

/// Decodes a PNG to RGB with the `png` crate: width, height, pixels.
fn decode(bytes: &[u8]) -> (u32, u32, Vec<u8>) {
    let mut decoder = ::png::Decoder::new(Cursor::new(bytes));
    decoder.set_transformations(::png::Transformations::EXPAND);
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    let pixels = match info.color_type {
        ::png::ColorType::Rgb => pixels,
        ::png::ColorType::Grayscale => pixels.iter().flat_map(|&gray| [gray; 3]).collect(),
        other => panic!("{other:?}"),
    };
    (info.width, info.height, pixels)
}

/// The colors of a picture, without the encoder.
fn rgb(picture: &Picture) -> (u32, u32, Vec<u8>) {
    let pixels = match picture.color {
        Color::Gray => picture.pixels.iter().flat_map(|&gray| [gray; 3]).collect(),
        Color::Indexed(colormap) => picture
            .pixels
            .iter()
            .flat_map(|&index| colormap.palette()[usize::from(index)])
            .collect(),
        Color::Rgb => picture.pixels.clone(),
    };
    (picture.width, picture.height, pixels)
}

/// `[channels, height, width]` to `[height, width, channels]`.
fn interleave(planar: &[f32], channels: usize) -> Vec<f32> {
    let area = planar.len() / channels;
    (0..planar.len())
        .map(|at| planar[at % channels * area + at / channels])
        .collect()
}

fn render(values: &[f32], shape: [usize; 3], layout: Layout, style: &Style) -> Rendered {
    let values = match layout {
        Layout::Planar => values.to_vec(),
        Layout::Interleaved => interleave(values, shape[0]),
    };
    let maps = Maps::new(&values, shape, layout).unwrap();
    feature_maps(&maps, style).unwrap()
}

// Verified: torchvision | `make_grid(padding=1, normalize, scale_each)` stored by `SummaryWriter.add_image`; kernels | to the bit
#[test]
fn every_picture_is_the_one_that_summary_writer_stores() {
    for case in cases() {
        let expected = decode(&fs::read(fixture(&format!("{}.png", case.name))).unwrap());
        let [count, _, height, width] = case.shape;
        let rendered = match case.kind.as_str() {
            "maps" => {
                let shape = [count, height, width];
                let planar = render(&case.values, shape, Layout::Planar, &case.style);
                let interleaved = render(&case.values, shape, Layout::Interleaved, &case.style);
                assert_eq!(interleaved.picture, planar.picture, "{}", case.name);
                assert_eq!(planar.picture.color, Color::Gray);
                planar
            }
            kind => kernels(&case.values, case.shape, kind == "kernels_bgr", &case.style).unwrap(),
        };
        assert_eq!(rgb(&rendered.picture), expected, "{}", case.name);
        assert_eq!(decode(&rendered.picture.to_png().unwrap()), expected);
        assert_eq!(rendered.non_finite, 0);
    }
}

// Verified: Matplotlib | the colormaps viridis and magma; `RdBu` | 1 level; 9 levels
#[test]
fn colors_are_matplotlibs() {
    let tables = fs::read(fixture("colormaps.rgb")).unwrap();
    let (tables, rest) = tables.as_chunks::<{ 256 * 3 }>();
    assert!(rest.is_empty());
    // ColorBrewer gives eleven colors; matplotlib joins them by lines, d3 by a smooth curve.
    let colormaps = [
        (Colormap::Viridis, 1),
        (Colormap::Magma, 1),
        (Colormap::Diverging, 9),
    ];
    for ((colormap, tolerance), table) in colormaps.into_iter().zip(tables) {
        let palette = colormap.palette();
        for (level, (ours, theirs)) in palette.iter().zip(table.as_chunks::<3>().0).enumerate() {
            for (a, b) in ours.iter().zip(theirs) {
                assert!(
                    a.abs_diff(*b) <= tolerance,
                    "{colormap:?} {level}: {ours:?} {theirs:?}"
                );
            }
        }
    }
}

#[test]
fn a_colormap_paints_the_levels_of_the_gray_grid() {
    let values: Vec<f32> = (0..3_u8)
        .flat_map(|map| (0..=255_u8).map(move |x| f32::from(x) * f32::from(map + 1)))
        .collect();
    let gray = render(&values, [3, 16, 16], Layout::Planar, &Style::default()).picture;
    for colormap in [Colormap::Viridis, Colormap::Magma] {
        let style = Style {
            colormap,
            ..Style::default()
        };
        let picture = render(&values, [3, 16, 16], Layout::Interleaved, &style).picture;
        assert_eq!((picture.width, picture.height), (gray.width, gray.height));
        let palette = colormap.palette();
        let (_, _, pixels) = decode(&picture.to_png().unwrap());
        for (at, pixel) in pixels.as_chunks::<3>().0.iter().enumerate() {
            let (x, y) = (at % 35, at / 35);
            let in_tile = x % 17 >= 1 && y % 17 >= 1 && (y / 17, x / 17) != (1, 1);
            let level = usize::from(gray.pixels[at]);
            let expected = palette[if in_tile { level } else { 0 }];
            assert_eq!(*pixel, expected, "{colormap:?} {x} {y}");
        }
    }
}

#[test]
fn the_middle_of_the_diverging_colormap_is_zero() {
    let style = |range| Style {
        colormap: Colormap::Diverging,
        range,
        ..Style::default()
    };
    // One map is negative, one all zeros, one positive and larger.
    let values = [-1.0, -0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 4.0, 2.0];
    let at = |picture: &Picture, map: usize, x: usize| {
        let (width, _, pixels) = rgb(picture);
        let row = 1 + map / 2 * 2;
        let start = 3 * (row * width as usize + 1 + map % 2 * 4 + x);
        [pixels[start], pixels[start + 1], pixels[start + 2]]
    };
    let palette = Colormap::Diverging.palette();
    assert!(palette[127].iter().all(|&part| part > 235), "near white");
    assert!(palette[0][2] > palette[0][0], "blue below");
    assert!(palette[255][0] > palette[255][2], "red above");

    let by_map = render(&values, [3, 1, 3], Layout::Planar, &style(Range::Map));
    assert_eq!(by_map.range, (-4.0, 4.0));
    // The ground around three tiles of 3 x 1 and where a fourth would be, enlarged or not, in one color.
    let large = Style {
        min_tile: Some(2),
        ..style(Range::Map)
    };
    let large = render(&values, [3, 1, 3], Layout::Planar, &large).picture;
    let marked = [&values[..8], &[f32::NAN]].concat();
    let marked = render(&marked, [3, 1, 3], Layout::Planar, &style(Range::Map)).picture;
    for (picture, factor) in [(&by_map.picture, 1), (&marked, 1), (&large, 2)] {
        let (width, height, pixels) = rgb(picture);
        let (column, row) = (3 * factor + 1, factor + 1);
        assert_eq!((width, height), (2 * column + 1, 2 * row + 1));
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        let ground = places
            .zip(pixels.as_chunks::<3>().0)
            .filter(|((x, y), _)| x % column == 0 || y % row == 0 || (*x > column && *y > row));
        assert!(ground.clone().count() > 2 * width as usize);
        assert!(ground.clone().all(|(_, pixel)| *pixel == palette[127]));
    }
    assert_eq!(at(&by_map.picture, 0, 0), palette[0]);
    assert_eq!(at(&by_map.picture, 0, 2), palette[127]);
    assert_eq!(at(&by_map.picture, 1, 1), palette[127], "a map of zeros");
    assert_eq!(at(&by_map.picture, 2, 0), palette[127]);
    assert_eq!(at(&by_map.picture, 2, 1), palette[255]);

    let by_layer = render(
        &values,
        [3, 1, 3],
        Layout::Interleaved,
        &style(Range::Layer),
    );
    assert_eq!(at(&by_layer.picture, 0, 0), palette[95], "-1 of -4 to 4");
    assert_eq!(at(&by_layer.picture, 2, 2), palette[191], "2 of -4 to 4");

    let fixed = render(
        &values,
        [3, 1, 3],
        Layout::Planar,
        &style(Range::Fixed(0.0, 4.0)),
    );
    assert_eq!(at(&fixed.picture, 2, 2), palette[127], "2 of 0 to 4");
}

#[test]
fn what_has_no_level_gets_a_color_of_its_own_and_is_counted() {
    let (nan, inf) = (f32::NAN, f32::INFINITY);
    // Without the four the first map goes from 0 to 2; the second has no number at all.
    let values = [0.0, nan, 1.0, inf, 2.0, -inf, nan, nan, nan, nan, inf, nan];
    for layout in [Layout::Planar, Layout::Interleaved] {
        let rendered = render(&values, [2, 2, 3], layout, &Style::default());
        assert_eq!(rendered.non_finite, 9);
        assert_eq!(rendered.range, (0.0, 2.0));
        assert_eq!(rendered.picture.color, Color::Rgb);
        let tiles: Vec<Picture> = rendered.singles().collect();
        let (magenta, cyan, green) = ([255, 0, 255], [0, 255, 255], [0, 255, 0]);
        let first = [[0; 3], magenta, [127; 3], cyan, [255; 3], green];
        assert_eq!(tiles[0].pixels.as_chunks::<3>().0, first);
        let second = [magenta, magenta, magenta, magenta, cyan, magenta];
        assert_eq!(tiles[1].pixels.as_chunks::<3>().0, second);

        let layer = Style {
            range: Range::Layer,
            ..Style::default()
        };
        let alone = render(&values[6..], [1, 2, 3], layout, &layer);
        assert_eq!((alone.range, alone.non_finite), ((0.0, 0.0), 6));

        // Maps that are not shown are not looked at.
        let few = Style {
            max_maps: Some(1),
            ..Style::default()
        };
        assert_eq!(render(&values, [2, 2, 3], layout, &few).non_finite, 3);
    }
    let colors = [[255, 0, 255], [0, 255, 255], [0, 255, 0]];
    for colormap in [
        Colormap::Gray,
        Colormap::Viridis,
        Colormap::Magma,
        Colormap::Diverging,
    ] {
        for color in colormap.palette() {
            for special in colors {
                let apart: u32 = color
                    .iter()
                    .zip(special)
                    .map(|(a, b)| u32::from(a.abs_diff(b)))
                    .sum();
                assert!(apart > 100, "{colormap:?} {color:?} {special:?}");
            }
        }
    }
}

#[test]
fn a_kernel_with_nan_keeps_its_other_pixels() {
    let mut weights: Vec<f32> = (0..2 * 3 * 2 * 2_u8).map(f32::from).collect();
    let style = Style::default();
    let whole = kernels(&weights, [2, 3, 2, 2], false, &style).unwrap();
    // Green of the second kernel's third pixel.
    weights[12 + 4 + 2] = f32::NAN;
    let rendered = kernels(&weights, [2, 3, 2, 2], false, &style).unwrap();
    assert_eq!(rendered.non_finite, 1);
    let expected: Vec<Picture> = whole.singles().collect();
    let tiles: Vec<Picture> = rendered.singles().collect();
    assert_eq!(tiles[0], expected[0]);
    assert_eq!(tiles[1].pixels[..6], expected[1].pixels[..6]);
    assert_eq!(tiles[1].pixels[6..9], [255, 0, 255]);
    assert_eq!(tiles[1].pixels[9..], expected[1].pixels[9..]);
}

#[test]
fn a_range_wider_than_f32_still_orders_values() {
    let values = [f32::MIN, 0.0, f32::MAX / 2.0, f32::MAX];
    let rendered = render(&values, [1, 1, 4], Layout::Planar, &Style::default());
    assert_eq!(rendered.picture.pixels, [0, 127, 191, 255]);
    assert_eq!(rendered.range, (f32::MIN, f32::MAX));
}

#[test]
fn gray_kernels_are_maps() {
    let weights: Vec<f32> = (0..18_u8).map(f32::from).collect();
    let style = Style {
        min_tile: Some(24),
        ..Style::default()
    };
    let rendered = kernels(&weights, [2, 1, 3, 3], false, &style).unwrap();
    let maps = render(&weights, [2, 3, 3], Layout::Planar, &style);
    assert_eq!(rendered.picture, maps.picture);
    assert_eq!(rendered.picture.width, 2 * (24 + 1) + 1);
}

#[test]
fn what_cannot_be_shown_is_refused() {
    let values = [0.0; 12];
    let shape = |result: Result<Maps<'_>, RenderError>| result.err().unwrap().to_string();
    assert_eq!(
        shape(Maps::new(&values, [3, 2, 3], Layout::Planar)),
        "shape [3, 2, 3] needs 18 values, found 12"
    );
    assert!(shape(Maps::new(&[], [0, 2, 3], Layout::Planar)).contains("[0, 2, 3]"));
    assert!(shape(Maps::new(&values, [usize::MAX, 2, 3], Layout::Planar)).contains("at least 1"));

    let maps = Maps::new(&values, [3, 2, 2], Layout::Planar).unwrap();
    let refused = |style: Style| feature_maps(&maps, &style).unwrap_err().to_string();
    for (low, high) in [
        (1.0, 1.0),
        (2.0, 1.0),
        (f32::NAN, 1.0),
        (0.0, f32::INFINITY),
    ] {
        let error = refused(Style {
            range: Range::Fixed(low, high),
            ..Style::default()
        });
        assert!(error.contains("fixed range"), "{error}");
    }
    let error = refused(Style {
        min_tile: Some(u32::MAX),
        ..Style::default()
    });
    assert_eq!(
        error,
        format!(
            "a grid of 3 tiles of {0} x {0} pixels is too large",
            2 * (u64::from(u32::MAX).div_ceil(2))
        )
    );

    let error = kernels(&values, [1, 4, 3, 1], false, &Style::default()).unwrap_err();
    assert!(error.to_string().contains("4 input channels"), "{error}");
    let error = kernels(&values, [1, 3, 3, 3], false, &Style::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "shape [1, 3, 3, 3] needs 27 values, found 12"
    );
}
