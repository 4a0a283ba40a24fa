//! The cost of one layer: floats to a grid, and the grid to a PNG, compared with the `png` crate.
//!
//! The maps are noisy waves, with and without ReLU: about as hard to compress as the maps of an untrained
//! network.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark fails by panicking"
)]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use feature_grid::{Layout, Maps, Picture, Style, feature_maps};
use png::DeflateCompression;

/// `[channels, height, width]` of one layer per block of VGG16 at 224 x 224.
const LAYERS: [[usize; 3]; 4] = [
    [64, 224, 224],
    [128, 112, 112],
    [256, 56, 56],
    [512, 28, 28],
];

/// The values of a layer in the memory order of `layout`.
fn floats([channels, height, width]: [usize; 3], layout: Layout, relu: bool) -> Vec<f32> {
    let mut noise = 1_u32;
    let mut value = |channel: usize, pixel: usize| {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let wave = |at: usize, side: usize| {
            let turns = at * (channel % 7 + 1) * 256 / side;
            (u16::try_from(turns).map_or(0.0, f32::from) / 64.0).sin()
        };
        let [.., high, low] = (noise >> 16).to_be_bytes();
        let noise = f32::from(u16::from_be_bytes([high, low])) * 3e-6;
        let value = wave(pixel / width, height) + wave(pixel % width, width) + noise;
        if relu { value.max(0.0) } else { value }
    };
    let area = height * width;
    (0..channels * area)
        .map(|at| match layout {
            Layout::Planar => value(at / area, at % area),
            Layout::Interleaved => value(at % channels, at / channels),
        })
        .collect()
}

fn render(c: &mut Criterion) {
    let mut group = c.benchmark_group("render");
    for [channels, height, width] in LAYERS {
        for layout in [Layout::Interleaved, Layout::Planar] {
            let values = floats([channels, height, width], layout, false);
            let maps = Maps::new(&values, [channels, height, width], layout).unwrap();
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

/// The `png` crate's encoder on a gray image.
fn other_encoder(picture: &Picture, compression: DeflateCompression) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, picture.width, picture.height);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_deflate_compression(compression);
    encoder.set_filter(png::Filter::Paeth);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&picture.pixels).unwrap();
    writer.finish().unwrap();
    bytes
}

type Encoder = fn(&Picture) -> Vec<u8>;

fn encode(c: &mut Criterion) {
    let mut group = c.benchmark_group("png");
    let encoders: [(&str, Encoder); 3] = [
        ("feature-grid", |picture| picture.to_png().unwrap()),
        ("png, fastest", |picture| {
            other_encoder(picture, DeflateCompression::FdeflateUltraFast)
        }),
        ("png, level 1", |picture| {
            other_encoder(picture, DeflateCompression::Level(1))
        }),
    ];
    for (layer, relu) in [("conv", false), ("relu", true)] {
        let values = floats([64, 224, 224], Layout::Planar, relu);
        let maps = Maps::new(&values, [64, 224, 224], Layout::Planar).unwrap();
        let picture = feature_maps(&maps, &Style::default()).unwrap().picture;
        group.throughput(Throughput::Bytes(picture.pixels.len() as u64));
        for (name, encoder) in encoders {
            println!("{name}, {layer}: {} bytes", encoder(&picture).len());
            group.bench_function(BenchmarkId::new(name, layer), |b| {
                b.iter(|| encoder(black_box(&picture)));
            });
        }
    }
}

criterion_group!(benches, render, encode);
criterion_main!(benches);
