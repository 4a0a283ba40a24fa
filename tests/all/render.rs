//! Pictures against the ones that torchvision and `SummaryWriter` make of the same values, and PNG
//! files against another decoder.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use proptest::collection::vec;
use proptest::prelude::*;
use vggscope::png;
use vggscope::render::{
    Colormap, Colour, Layout, Maps, Picture, Range, RenderError, Rendered, Style, feature_maps,
    kernels,
};

/// One line of `cases.txt`.
struct Case {
    name: String,
    kind: String,
    /// `[maps, channels, height, width]`.
    shape: [usize; 4],
    style: Style,
    values: Vec<f32>,
}

fn fixture(name: &str) -> PathBuf {
    Path::new("tests/fixtures/render").join(name)
}

fn cases() -> Vec<Case> {
    // Cargo runs tests in the package's folder.
    let text = fs::read_to_string(fixture("cases.txt")).unwrap();
    let cases: Vec<Case> = text.lines().map(case).collect();
    assert_eq!(cases.len(), 20);
    cases
}

fn case(line: &str) -> Case {
    let words: Vec<&str> = line.split(' ').collect();
    let [name, kind, shape, range, min_tile] = words[..] else {
        panic!("{line}");
    };
    let shape: Vec<usize> = shape.split('x').map(|n| n.parse().unwrap()).collect();
    let range = match range {
        "map" => Range::Map,
        "layer" => Range::Layer,
        ends => {
            let (low, high) = ends.split_once(',').unwrap();
            Range::Fixed(low.parse().unwrap(), high.parse().unwrap())
        }
    };
    let bytes = fs::read(fixture(&format!("{name}.f32"))).unwrap();
    Case {
        name: name.to_owned(),
        kind: kind.to_owned(),
        shape: shape.try_into().unwrap(),
        style: Style {
            range,
            min_tile: Some(min_tile.parse().unwrap()),
            ..Style::default()
        },
        values: bytes
            .as_chunks()
            .0
            .iter()
            .map(|&b| f32::from_le_bytes(b))
            .collect(),
    }
}

/// Decodes a PNG to RGB with the `png` crate: width, height, pixels.
fn decode(bytes: &[u8]) -> (u32, u32, Vec<u8>) {
    let mut decoder = ::png::Decoder::new(Cursor::new(bytes));
    decoder.set_transformations(::png::Transformations::EXPAND);
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    let pixels = match info.color_type {
        ::png::ColorType::Rgb => pixels,
        ::png::ColorType::Grayscale => pixels.iter().flat_map(|&grey| [grey; 3]).collect(),
        other => panic!("{other:?}"),
    };
    (info.width, info.height, pixels)
}

/// The colours of a picture, without the encoder.
fn rgb(picture: &Picture) -> (u32, u32, Vec<u8>) {
    let pixels = match picture.colour {
        Colour::Grey => picture.pixels.iter().flat_map(|&grey| [grey; 3]).collect(),
        Colour::Indexed(colormap) => picture
            .pixels
            .iter()
            .flat_map(|&index| colormap.palette()[usize::from(index)])
            .collect(),
        Colour::Rgb => picture.pixels.clone(),
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
    let [channels, height, width] = shape;
    let values = match layout {
        Layout::Planar => values.to_vec(),
        Layout::Interleaved => interleave(values, channels),
    };
    let maps = Maps::new(&values, channels, height, width, layout).unwrap();
    feature_maps(&maps, style).unwrap()
}

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
                assert_eq!(planar.picture.colour, Colour::Grey);
                planar
            }
            kind => kernels(&case.values, case.shape, kind == "kernels_bgr", &case.style).unwrap(),
        };
        assert_eq!(rgb(&rendered.picture), expected, "{}", case.name);
        assert_eq!(decode(&png::encode(&rendered.picture).unwrap()), expected);
        assert_eq!(rendered.non_finite, 0);
    }
}

#[test]
fn colours_are_matplotlibs() {
    let tables = fs::read(fixture("colormaps.rgb")).unwrap();
    let (tables, rest) = tables.as_chunks::<{ 256 * 3 }>();
    assert!(rest.is_empty());
    // ColorBrewer gives eleven colours; matplotlib joins them by lines, d3 by a smooth curve.
    let colormaps = [
        (Colormap::Viridis, 1),
        (Colormap::Magma, 1),
        (Colormap::Diverging, 9),
    ];
    for ((colormap, tolerance), table) in colormaps.into_iter().zip(tables) {
        let palette = colormap.palette();
        assert_eq!(palette[0], [0; 3], "the padding is black");
        for (level, (ours, theirs)) in palette
            .iter()
            .zip(table.as_chunks::<3>().0)
            .enumerate()
            .skip(1)
        {
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
fn a_colormap_paints_the_levels_of_the_grey_grid() {
    let values: Vec<f32> = (0..3_u8)
        .flat_map(|map| (0..=255_u8).map(move |x| f32::from(x) * f32::from(map + 1)))
        .collect();
    let grey = render(&values, [3, 16, 16], Layout::Planar, &Style::default()).picture;
    for colormap in [Colormap::Viridis, Colormap::Magma] {
        let style = Style {
            colormap,
            ..Style::default()
        };
        let picture = render(&values, [3, 16, 16], Layout::Interleaved, &style).picture;
        assert_eq!((picture.width, picture.height), (grey.width, grey.height));
        let palette = colormap.palette();
        let (_, _, pixels) = decode(&png::encode(&picture).unwrap());
        for (at, pixel) in pixels.as_chunks::<3>().0.iter().enumerate() {
            let (x, y) = (at % 38, at / 38);
            let in_tile = x % 18 >= 2 && y % 18 >= 2 && (y / 18, x / 18) != (1, 1);
            let level = usize::from(grey.pixels[at]);
            let expected = if in_tile {
                palette[level.max(1)]
            } else {
                [0; 3]
            };
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
        let row = 2 + map / 2 * 3;
        let start = 3 * (row * width as usize + 2 + map % 2 * 5 + x);
        [pixels[start], pixels[start + 1], pixels[start + 2]]
    };
    let palette = Colormap::Diverging.palette();
    assert!(palette[127].iter().all(|&part| part > 235), "near white");
    assert!(palette[1][2] > palette[1][0], "blue below");
    assert!(palette[255][0] > palette[255][2], "red above");

    let by_map = render(&values, [3, 1, 3], Layout::Planar, &style(Range::Map));
    assert_eq!(by_map.range, (-4.0, 4.0));
    assert_eq!(at(&by_map.picture, 0, 0), palette[1]);
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
fn what_has_no_level_gets_a_colour_of_its_own_and_is_counted() {
    let (nan, inf) = (f32::NAN, f32::INFINITY);
    // Without the four the first map goes from 0 to 2; the second has no number at all.
    let values = [0.0, nan, 1.0, inf, 2.0, -inf, nan, nan, nan, nan, inf, nan];
    for layout in [Layout::Planar, Layout::Interleaved] {
        let rendered = render(&values, [2, 2, 3], layout, &Style::default());
        assert_eq!(rendered.non_finite, 9);
        assert_eq!(rendered.range, (0.0, 2.0));
        assert_eq!(rendered.picture.colour, Colour::Rgb);
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
    let colours = [[255, 0, 255], [0, 255, 255], [0, 255, 0]];
    for colormap in [
        Colormap::Grey,
        Colormap::Viridis,
        Colormap::Magma,
        Colormap::Diverging,
    ] {
        for colour in colormap.palette() {
            for special in colours {
                let apart: u32 = colour
                    .iter()
                    .zip(special)
                    .map(|(a, b)| u32::from(a.abs_diff(b)))
                    .sum();
                assert!(apart > 100, "{colormap:?} {colour:?} {special:?}");
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
fn grey_kernels_are_maps() {
    let weights: Vec<f32> = (0..18_u8).map(f32::from).collect();
    let style = Style {
        min_tile: Some(24),
        ..Style::default()
    };
    let rendered = kernels(&weights, [2, 1, 3, 3], false, &style).unwrap();
    let maps = render(&weights, [2, 3, 3], Layout::Planar, &style);
    assert_eq!(rendered.picture, maps.picture);
    assert_eq!(rendered.picture.width, 2 * (24 + 2) + 2);
}

#[test]
fn what_cannot_be_shown_is_refused_with_the_way_out() {
    let values = [0.0; 12];
    let shape = |result: Result<Maps<'_>, RenderError>| result.unwrap_err().to_string();
    assert_eq!(
        shape(Maps::new(&values, 3, 2, 3, Layout::Planar)),
        "shape [3, 2, 3] needs 18 values, found 12"
    );
    assert!(shape(Maps::new(&[], 0, 2, 3, Layout::Planar)).contains("[0, 2, 3]"));
    assert!(shape(Maps::new(&values, usize::MAX, 2, 3, Layout::Planar)).contains("at least 1"));

    let maps = Maps::new(&values, 3, 2, 2, Layout::Planar).unwrap();
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
    assert!(error.contains("--min-tile"), "{error}");

    let error = kernels(&values, [1, 4, 3, 1], false, &Style::default()).unwrap_err();
    assert!(error.to_string().contains("4 input channels"), "{error}");
    let error = kernels(&values, [1, 3, 3, 3], false, &Style::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "shape [1, 3, 3, 3] needs 27 values, found 12"
    );
}

/// A value of any kind; small ones of few levels more often.
fn value() -> impl Strategy<Value = f32> {
    prop_oneof![
        6 => (-8_i8..8).prop_map(f32::from),
        6 => -1e3_f32..1e3,
        1 => any::<f32>(),
        1 => prop::sample::select(vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, f32::MAX]),
    ]
}

fn style() -> impl Strategy<Value = Style> {
    let range = prop_oneof![
        Just(Range::Map),
        Just(Range::Layer),
        (-10.0_f32..0.0, 0.1_f32..10.0).prop_map(|(low, high)| Range::Fixed(low, high)),
    ];
    let colormap =
        prop::sample::select(vec![Colormap::Grey, Colormap::Viridis, Colormap::Diverging]);
    (
        range,
        colormap,
        proptest::option::of(0_usize..20),
        proptest::option::of(0_u32..20),
    )
        .prop_map(|(range, colormap, max_maps, min_tile)| Style {
            range,
            max_maps,
            min_tile,
            colormap,
        })
}

/// `[channels, height, width]` and as many values.
fn layer() -> impl Strategy<Value = ([usize; 3], Vec<f32>)> {
    (1_usize..70, 1_usize..7, 1_usize..20)
        .prop_flat_map(|(c, h, w)| (Just([c, h, w]), vec(value(), c * h * w)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn both_layouts_make_the_same_picture((shape, values) in layer(), style in style()) {
        let planar = render(&values, shape, Layout::Planar, &style);
        let interleaved = render(&values, shape, Layout::Interleaved, &style);
        prop_assert_eq!(&planar.picture, &interleaved.picture);
        prop_assert_eq!(planar.range, interleaved.range);
        prop_assert_eq!(planar.non_finite, interleaved.non_finite);
        prop_assert_eq!(rgb(&planar.picture), decode(&png::encode(&planar.picture).unwrap()));
    }

    /// Every pixel of the grid is either black padding or the value it must be.
    #[test]
    fn every_pixel_is_accounted_for(
        (shape, values) in (1_usize..40, 1_usize..6, 1_usize..9).prop_flat_map(|(c, h, w)| {
            (Just([c, h, w]), vec(1_u8..=255, c * h * w))
        }),
        max_maps in proptest::option::of(1_usize..50),
        min_tile in proptest::option::of(1_u32..30),
    ) {
        let [channels, height, width] = shape;
        let floats: Vec<f32> = values.iter().copied().map(f32::from).collect();
        let style = Style { range: Range::Fixed(0.0, 255.0), max_maps, min_tile, ..Style::default() };
        let picture = render(&floats, shape, Layout::Interleaved, &style).picture;

        let count = max_maps.unwrap_or(channels).min(channels);
        let columns = (1..=40).find(|n| n * n >= count).unwrap();
        let side = u32::try_from(width.min(height)).unwrap();
        let factor = (1..=30).find(|n| n * side >= min_tile.unwrap_or(0)).unwrap() as usize;
        let (padding, tile_width, tile_height) = (if count == 1 { 0 } else { 2 }, width * factor, height * factor);
        let rows = count.div_ceil(columns);
        prop_assert_eq!(picture.width as usize, columns * (tile_width + padding) + padding);
        prop_assert_eq!(picture.height as usize, rows * (tile_height + padding) + padding);
        for (at, &pixel) in picture.pixels.iter().enumerate() {
            let (x, y) = (at % picture.width as usize, at / picture.width as usize);
            let (column, row) = (x / (tile_width + padding), y / (tile_height + padding));
            let (left, top) = (x % (tile_width + padding), y % (tile_height + padding));
            let map = row * columns + column;
            let expected = if left < padding || top < padding || column >= columns || map >= count {
                0
            } else {
                let (x, y) = ((left - padding) / factor, (top - padding) / factor);
                values[(map * height + y) * width + x]
            };
            prop_assert_eq!(pixel, expected, "{} {}", x, y);
        }
    }

    #[test]
    fn singles_are_the_tiles((shape, values) in layer(), style in style()) {
        let rendered = render(&values, shape, Layout::Planar, &style);
        let [_, height, width] = shape;
        for (map, single) in rendered.singles().enumerate() {
            let own = &values[map * height * width..(map + 1) * height * width];
            let alone = Style { range: match style.range {
                // A layer's range is not a map's; the layer's ends stand in for it.
                Range::Layer if rendered.range.0 < rendered.range.1 => Range::Fixed(rendered.range.0, rendered.range.1),
                range => range,
            }, ..style };
            let alone = render(own, [1, height, width], Layout::Planar, &alone).picture;
            prop_assert_eq!(rgb(&single), rgb(&alone));
        }
    }

    /// torchvision's and `add_image`'s arithmetic, a value at a time.
    #[test]
    fn levels_are_torchvisions(values in vec(prop_oneof![any::<f32>(), -1e3_f32..1e3], 1..40)) {
        let values: Vec<f32> = values.iter().map(|v| if v.abs() < 1e38 { *v } else { 0.5 }).collect();
        let picture = render(&values, [1, 1, values.len()], Layout::Planar, &Style::default()).picture;
        let low = values.iter().copied().fold(f32::INFINITY, f32::min);
        let high = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        #[expect(clippy::cast_possible_truncation, reason = "torch takes Python's double as f32")]
        let span = (f64::from(high) - f64::from(low)).max(1e-5) as f32;
        for (value, pixel) in values.iter().zip(picture.pixels) {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "as NumPy's astype(uint8)")]
            let expected = ((value - low) / span * 255.0).clamp(0.0, 255.0) as u8;
            prop_assert_eq!(pixel, expected, "{}", value);
        }
    }
}
