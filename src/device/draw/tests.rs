#[path = "../../../crates/feature-grid/src/tests/cases.rs"]
mod cases;

use super::*;
use crate::device::OpenDevice;
use burn::tensor::TensorData;
use cases::{Case, cases};
use feature_grid::{Colormap, Layout, Maps, Style, feature_maps};
use proptest::collection::vec;
use proptest::prelude::*;

fn value() -> impl Strategy<Value = f32> {
    prop_oneof![
        6 => (-8_i8..8).prop_map(f32::from),
        6 => -1e3_f32..1e3,
        1 => prop::sample::select(vec![0.0, -0.0, 1e-6, 3e38, -3e38, 1e-40]),
    ]
}

fn style() -> impl Strategy<Value = Style> {
    let range = prop_oneof![
        Just(Range::Map),
        Just(Range::Layer),
        (-10.0_f32..0.0, 0.1_f32..10.0).prop_map(|(low, high)| Range::Fixed(low, high)),
    ];
    let colors = vec![Colormap::Gray, Colormap::Magma, Colormap::Diverging];
    (range, prop::sample::select(colors), 0_usize..40, 0_u32..20).prop_map(
        |(range, colormap, most, tile)| Style {
            range,
            max_maps: (most > 0).then_some(most),
            min_tile: (tile > 0).then_some(tile),
            colormap,
        },
    )
}

/// The levels that the device of these tests draws of all images.
fn drawn(values: &[f32], shape: [usize; 4], layout: Layout, drawing: &Drawing) -> Vec<Vec<u8>> {
    let name = std::env::var("VGGSCOPE_TEST_DEVICE").unwrap_or("libtorch:cpu".to_owned());
    let device = OpenDevice::open(name.parse().unwrap()).unwrap().device;
    let maps = TensorData::new(values.to_vec(), shape);
    let mut maps = Tensor::<4>::from_data(maps, &device);
    if layout == Layout::Interleaved {
        let by_pixel = maps.permute([0, 2, 3, 1]).into_data();
        maps = Tensor::from_data(by_pixel, &device).permute([0, 3, 1, 2]);
    }
    let drawn = Drawn::new(maps, *drawing, None);
    let mut read_back = ReadBack::new(device).unwrap();
    let images: Vec<_> = (0..shape[0])
        .map(|at| drawn.read(at, &mut read_back))
        .collect();
    let arrived = read_back.start().unwrap();
    let read = |image: &Drawn<Place<usize>>| arrived.levels(&image.levels).unwrap();
    images.iter().map(read).collect()
}

/// Shows the same levels as `feature_maps`, in both layouts.
fn is_as_on_host(values: &[f32], shape: [usize; 4], style: &Style, name: &str) {
    let [_, channels, height, width] = shape;
    let drawing = Drawing::new([channels, height, width], style).unwrap();
    for layout in [Layout::Planar, Layout::Interleaved] {
        let drawn = drawn(values, shape, layout, &drawing);
        let images = values.chunks_exact(channels * height * width);
        for (image, levels) in images.zip(drawn) {
            let maps = Maps::new(&image, [channels, height, width], Layout::Planar).unwrap();
            let expected = feature_maps(&maps, style).unwrap().picture;
            assert!(
                levels == expected.pixels,
                "{name}, {layout:?}, {shape:?}, {style:?}"
            );
        }
    }
}

/// What torchvision makes of these is what the host makes of them.
#[test]
fn levels_of_the_fixtures_are_those_of_the_host() {
    let cases = cases();
    let finite = |case: &&Case| case.values.iter().all(|value| value.is_finite());
    let maps = cases
        .iter()
        .filter(|case| case.kind == "maps")
        .filter(finite);
    let mut seen = 0;
    for case in maps {
        let [channels, _, height, width] = case.shape;
        is_as_on_host(
            &case.values,
            [1, channels, height, width],
            &case.style,
            &case.name,
        );
        seen += 1;
    }
    assert!(seen > 5, "{seen}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn levels_are_those_of_the_host(
        (shape, values) in (1_usize..3, 1_usize..40, 1_usize..7, 1_usize..12).prop_flat_map(
            |(n, c, h, w)| (Just([n, c, h, w]), vec(value(), n * c * h * w))
        ),
        style in style(),
    ) {
        is_as_on_host(&values, shape, &style, "random");
    }
}
