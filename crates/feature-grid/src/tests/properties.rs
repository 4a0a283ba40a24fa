//! What holds for every layer and style.

use proptest::collection::vec;
use proptest::prelude::*;

use super::{decode, render, rgb};
use crate::{Colormap, Layout, Range, Style};

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
        prop::sample::select(vec![Colormap::Gray, Colormap::Viridis, Colormap::Diverging]);
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
        prop_assert_eq!(rgb(&planar.picture), decode(&planar.picture.to_png().unwrap()));
    }

    /// Every pixel of the grid is either of the ground or the value it must be.
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
        let (padding, tile_width, tile_height) = (usize::from(count > 1), width * factor, height * factor);
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
