//! What one layer costs: floats to a grid, and the grid to a PNG, beside the `png` crate's encoder.
//!
//! The maps are waves with noise on them, and their ReLU: about as hard to compress as the maps of
//! an untrained network.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use vggscope::png;
use vggscope::render::{Layout, Maps, Picture, Style, feature_maps};

/// `[channels, height, width]` of one layer a block of VGG16 at 224 x 224.
const LAYERS: [[usize; 3]; 4] = [
    [64, 224, 224],
    [128, 112, 112],
    [256, 56, 56],
    [512, 28, 28],
];

/// `[channels, height, width]` or `[height, width, channels]`, which look alike to the eye and are
/// different work.
fn floats(channels: usize, height: usize, width: usize, layout: Layout, relu: bool) -> Vec<f32> {
    let mut noise = 1_u32;
    let value = |channel: usize, y: usize, x: usize, noise: &mut u32| {
        *noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let wave =
            |t: usize, length: usize| ((t * (channel % 7 + 1)) as f32 / length as f32 * 4.0).sin();
        let value = wave(y, height) + wave(x, width) + (*noise >> 8) as f32 * 1.2e-8;
        if relu { value.max(0.0) } else { value }
    };
    let mut values = Vec::with_capacity(channels * height * width);
    match layout {
        Layout::Planar => {
            for at in 0..channels * height * width {
                let (channel, pixel) = (at / (height * width), at % (height * width));
                values.push(value(channel, pixel / width, pixel % width, &mut noise));
            }
        }
        Layout::Interleaved => {
            for at in 0..channels * height * width {
                let (pixel, channel) = (at / channels, at % channels);
                values.push(value(channel, pixel / width, pixel % width, &mut noise));
            }
        }
    }
    values
}

fn render(c: &mut Criterion) {
    let mut group = c.benchmark_group("render");
    for [channels, height, width] in LAYERS {
        for layout in [Layout::Interleaved, Layout::Planar] {
            let values = floats(channels, height, width, layout, false);
            let maps = Maps::new(&values, channels, height, width, layout).unwrap();
            group.throughput(Throughput::Bytes(4 * values.len() as u64));
            let id = BenchmarkId::new(
                format!("{layout:?}"),
                format!("{channels}x{height}x{width}"),
            );
            group.bench_function(id, |b| {
                b.iter(|| feature_maps(black_box(&maps), &Style::default()).unwrap());
            });
        }
    }
}

/// The `png` crate's encoder on a grey picture.
fn other_encoder(picture: &Picture, compression: ::png::Compression) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = ::png::Encoder::new(&mut bytes, picture.width, picture.height);
    encoder.set_color(::png::ColorType::Grayscale);
    encoder.set_compression(compression);
    encoder.set_filter(::png::Filter::Paeth);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&picture.pixels).unwrap();
    writer.finish().unwrap();
    bytes
}

fn encode(c: &mut Criterion) {
    let mut group = c.benchmark_group("png");
    for relu in [false, true] {
        let values = floats(64, 224, 224, Layout::Planar, relu);
        let maps = Maps::new(&values, 64, 224, 224, Layout::Planar).unwrap();
        let picture = feature_maps(&maps, &Style::default()).unwrap().picture;
        let name = if relu { "relu" } else { "conv" };
        group.throughput(Throughput::Bytes(picture.pixels.len() as u64));
        let size = png::encode(&picture).unwrap().len();
        group.bench_function(
            BenchmarkId::new(format!("vggscope, {size} bytes"), name),
            |b| {
                b.iter(|| png::encode(black_box(&picture)).unwrap());
            },
        );
        for compression in [::png::Compression::Fast, ::png::Compression::Balanced] {
            let size = other_encoder(&picture, compression).len();
            let id = BenchmarkId::new(format!("png {compression:?}, {size} bytes"), name);
            group.bench_function(id, |b| {
                b.iter(|| other_encoder(black_box(&picture), compression));
            });
        }
    }
}

criterion_group!(benches, render, encode);
criterion_main!(benches);
