//! Framing a step of 31 images, 17 MB in all, without a disk.

use std::hint::black_box;
use std::io::{self, Write};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use tensorboard_events::{EventFile, EventSink, Summary};

const PICTURES: usize = 31;
const BYTES: usize = 17_000_000;

/// Discards everything, so that no disk is measured.
struct Nowhere;

impl Write for Nowhere {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(black_box(bytes).len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl EventSink for Nowhere {
    fn truncate(&mut self, _length: u64) -> io::Result<()> {
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn step() -> Vec<Summary> {
    (0..PICTURES)
        .map(|at| {
            let png = vec![0x5a; BYTES / PICTURES];
            Summary::image(format!("feature_maps/{at:02}"), "", 1810, 1810, vec![png])
        })
        .collect()
}

fn framing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("events");
    group
        .throughput(Throughput::Bytes(BYTES as u64))
        .sample_size(20);
    let mut file = EventFile::begin(Nowhere, "nowhere").unwrap();
    let mut number = 0;
    group.bench_function("frame 31 images of 17 MB", |bencher| {
        bencher.iter_batched(
            step,
            |summaries| {
                number += 1;
                file.write_step(number, summaries).unwrap()
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

criterion_group!(benches, framing);
criterion_main!(benches);
