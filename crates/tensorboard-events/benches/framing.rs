//! Framing a step of 31 images, 17 MB in all, without a disk; compared with the writer of `tensorboard-rs`.

use std::hint::black_box;
use std::io::{self, Write};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use protobuf::Message as _;
use tensorboard_events::{EventFile, EventSink, Summary, Value};
use tensorboard_proto::event::Event;
use tensorboard_proto::summary::{Summary as SummaryMessage, Summary_Image, Summary_Value};
use tensorboard_rs::record_writer::RecordWriter;

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

/// The same step, framed by `tensorboard-rs`.
fn other_step(writer: &mut RecordWriter<Nowhere>, number: i64, summaries: Vec<Summary>) {
    for summary in summaries {
        let Value::Image {
            width,
            height,
            pngs,
        } = summary.value
        else {
            continue;
        };
        let mut image = Summary_Image::new();
        image.set_width(width.try_into().unwrap());
        image.set_height(height.try_into().unwrap());
        image.set_encoded_image_string(pngs.into_iter().next().unwrap());
        let mut value = Summary_Value::new();
        value.set_tag(summary.tag);
        value.set_image(image);
        let mut message = SummaryMessage::new();
        message.mut_value().push(value);
        let mut event = Event::new();
        event.set_step(number);
        event.set_summary(message);
        writer.write(&event.write_to_bytes().unwrap()).unwrap();
    }
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
    let mut writer = RecordWriter::new(Nowhere);
    group.bench_function("the same by tensorboard-rs", |bencher| {
        bencher.iter_batched(
            step,
            |summaries| other_step(&mut writer, 1, summaries),
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

criterion_group!(benches, framing);
criterion_main!(benches);
