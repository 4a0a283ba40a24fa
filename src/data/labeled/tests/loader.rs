//! Batches of ten small pictures.

use std::fs;
use std::num::NonZeroUsize;

use crate::data::decode::decode;
use crate::data::labeled::augment::ColorJitter;
use crate::data::labeled::open::Sample;
use crate::data::labeled::{Augment, Batch, Batching, Loader, LoaderError, Position, Recipe, Work};
use crate::data::notes::InputNotes;
use crate::data::on_error::OnError;
use crate::data::transform::{Crop, Preprocess, Preset};
use feature_grid::Picture;
use tempfile::TempDir;

use super::{n, write};

/// Ten pictures in three classes, of different sizes and colors, as PNG files.
struct Pictures {
    folder: TempDir,
    samples: Vec<Sample>,
}

fn pictures() -> Pictures {
    let folder = TempDir::new().unwrap();
    let samples = (0..10_u8)
        .map(|number| {
            let path = folder.path().join(format!("{number}.png"));
            let (width, height) = (12 + u32::from(number), 20 - u32::from(number));
            let pixels: Vec<u8> = (0..width * height * 3)
                .map(|at| (at * (7 + u32::from(number)) % 256).to_le_bytes()[0])
                .collect();
            let mut encoder = png::Encoder::new(fs::File::create(&path).unwrap(), width, height);
            encoder.set_color(png::ColorType::Rgb);
            let mut writer = encoder.write_header().unwrap();
            writer.write_image_data(&pixels).unwrap();
            writer.finish().unwrap();
            Sample {
                path,
                class: usize::from(number) % 3,
            }
        })
        .collect();
    Pictures { folder, samples }
}

fn eval() -> Preprocess {
    Preprocess {
        resize: Some(n(10)),
        crop: Some(Crop::square(n(8))),
        ..Preset::Imagenet.preprocess()
    }
}

fn recipe() -> Recipe {
    let jitter = ColorJitter {
        brightness: 0.4,
        contrast: 0.4,
        saturation: 0.4,
        hue: 0.1,
    };
    Recipe {
        augment: Some(Augment {
            jitter,
            ..Augment::torchvision(n(8))
        }),
        eval: eval(),
    }
}

fn plan() -> Batching {
    Batching {
        batch: NonZeroUsize::new(4).unwrap(),
        seed: 3,
        epochs: 4,
    }
}

fn work(threads: usize, on_error: OnError) -> Work {
    Work {
        threads: NonZeroUsize::new(threads).unwrap(),
        on_error,
        notes: InputNotes::default(),
    }
}

fn trained(samples: &[Sample], plan: Batching, from: Position, threads: usize) -> Vec<Batch> {
    let work = work(threads, OnError::Stop);
    Loader::train(samples, &recipe(), plan, from, &work)
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

#[test]
fn training_is_the_same_with_any_number_of_threads() {
    let pictures = pictures();
    let batches = trained(&pictures.samples, plan(), Position::default(), 1);
    let sizes: Vec<usize> = batches.iter().map(|batch| batch.labels.len()).collect();
    assert_eq!(sizes, [4, 4, 2].repeat(4));
    for threads in [2, 5] {
        let others = trained(&pictures.samples, plan(), Position::default(), threads);
        assert!(batches == others, "{threads} threads");
    }
    for epoch in batches.chunks(3) {
        let mut seen: Vec<usize> = epoch.iter().flat_map(|b| b.samples.clone()).collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..10).collect::<Vec<_>>());
    }
    for batch in &batches {
        assert_eq!((batch.height, batch.width), (8, 8));
        assert_eq!(batch.pixels.len(), batch.labels.len() * 8 * 8 * 3);
        let normalize = eval().normalize;
        let pixels: Vec<f32> = batch
            .pictures
            .iter()
            .flat_map(|p| normalize.apply(p))
            .collect();
        assert_eq!(batch.pixels, pixels);
        let labels: Vec<usize> = batch.samples.iter().map(|sample| sample % 3).collect();
        assert_eq!(batch.labels, labels);
    }
}

#[test]
fn each_epoch_augments_anew_and_as_the_recipe_says() {
    let pictures = pictures();
    let batches = trained(&pictures.samples, plan(), Position::default(), 2);
    let mut of_first = Vec::new();
    for batch in &batches {
        for (picture, &sample) in batch.pictures.iter().zip(&batch.samples) {
            let decoded = decode(&pictures.samples[sample].path).unwrap().picture;
            let expected = recipe().train_picture(&decoded, 3, batch.at.epoch, sample);
            assert!(*picture == expected.unwrap());
            if sample == 0 {
                of_first.push(picture.clone());
            }
        }
    }
    assert_eq!(of_first.len(), 4);
    for (place, picture) in of_first.iter().enumerate() {
        assert!(!of_first[..place].contains(picture), "epoch {place}");
    }
}

#[test]
fn a_run_goes_on_where_it_stopped() {
    let pictures = pictures();
    let plan = plan();
    let whole = trained(&pictures.samples, plan, Position::default(), 2);
    assert_eq!(whole.len(), 12);
    for stopped in 0..whole.len() {
        // What was prepared ahead of the stop is lost with the loader.
        let work = work(3, OnError::Stop);
        let from = Position::default();
        let mut first = Loader::train(&pictures.samples, &recipe(), plan, from, &work).unwrap();
        let begun: Vec<Batch> = first.by_ref().take(stopped).map(Result::unwrap).collect();
        drop(first);
        let position = begun.last().map_or(from, |batch| batch.position);
        let rest = trained(&pictures.samples, plan, position, 1);
        assert!([begun, rest].concat() == whole, "stopped after {stopped}");
    }
    let end = whole.last().unwrap().position;
    assert_eq!(end, Position { epoch: 4, batch: 0 });
    assert!(trained(&pictures.samples, plan, end, 1).is_empty());
}

#[test]
fn without_augmentation_training_sees_what_evaluation_sees() {
    let pictures = pictures();
    let recipe = Recipe {
        augment: None,
        eval: eval(),
    };
    let work = work(2, OnError::Stop);
    let from = Position::default();
    let train = Loader::train(&pictures.samples, &recipe, plan(), from, &work).unwrap();
    for batch in train.map(Result::unwrap) {
        for (picture, &sample) in batch.pictures.iter().zip(&batch.samples) {
            let decoded = decode(&pictures.samples[sample].path).unwrap().picture;
            assert!(*picture == eval().picture(&decoded).unwrap());
        }
    }
}

fn evaluated(samples: &[Sample], batch: usize, work: &Work) -> Loader {
    Loader::eval(samples, &eval(), NonZeroUsize::new(batch).unwrap(), work).unwrap()
}

#[test]
fn evaluation_is_once_through_in_order_whatever_the_batch() {
    let pictures = pictures();
    let expected: Vec<Picture> = pictures
        .samples
        .iter()
        .map(|sample| {
            eval()
                .picture(&decode(&sample.path).unwrap().picture)
                .unwrap()
        })
        .collect();
    for (batch, threads) in [(1, 1), (4, 2), (10, 5), (100, 2)] {
        let loader = evaluated(&pictures.samples, batch, &work(threads, OnError::Stop));
        let batches: Vec<Batch> = loader.map(Result::unwrap).collect();
        assert_eq!(batches.len(), 10_usize.div_ceil(batch));
        let seen: Vec<Picture> = batches.iter().flat_map(|b| b.pictures.clone()).collect();
        assert!(seen == expected, "batches of {batch}");
        let order: Vec<usize> = batches.iter().flat_map(|b| b.samples.clone()).collect();
        assert_eq!(order, (0..10).collect::<Vec<_>>());
        let pixels: Vec<f32> = batches.iter().flat_map(|b| b.pixels.clone()).collect();
        let normalize = eval().normalize;
        assert!(
            pixels
                == expected
                    .iter()
                    .flat_map(|p| normalize.apply(p))
                    .collect::<Vec<_>>()
        );
    }
}

#[test]
fn an_unreadable_image_stops_or_is_left_out() {
    let pictures = pictures();
    for broken in [4, 5, 9] {
        write(
            pictures.folder.path(),
            &format!("{broken}.png"),
            b"no picture",
        );
    }
    let mut stopping = evaluated(&pictures.samples, 2, &work(2, OnError::Stop));
    assert_eq!(stopping.next().unwrap().unwrap().samples, [0, 1]);
    assert_eq!(stopping.next().unwrap().unwrap().samples, [2, 3]);
    let error = stopping.next().unwrap().unwrap_err();
    assert!(matches!(error, LoaderError::Image(_)), "{error:?}");
    assert!(
        error.to_string().contains("4.png: this is not an image"),
        "{error}"
    );
    assert!(stopping.next().is_none());

    // 4 and 5 are a batch of which nothing is left: it comes all the same, so that no later one takes its
    // place in the epoch.
    let skipping = evaluated(&pictures.samples[..10], 2, &work(2, OnError::Skip));
    let batches: Vec<Batch> = skipping.map(Result::unwrap).collect();
    let samples: Vec<&[usize]> = batches.iter().map(|b| b.samples.as_slice()).collect();
    assert_eq!(samples, [&[0, 1][..], &[2, 3], &[], &[6, 7], &[8]]);
    let reports: Vec<usize> = batches.iter().map(|batch| batch.skipped.len()).collect();
    assert_eq!(reports, [0, 0, 2, 0, 1]);
    assert!(batches[2].skipped[0].contains("4.png: this is not an image"));
    assert_eq!(batches[2].position, Position { epoch: 0, batch: 3 });
    assert_eq!(batches[4].position, Position { epoch: 1, batch: 0 });
}

#[test]
fn every_unreadable_image_is_reported_once_in_training() {
    let pictures = pictures();
    write(pictures.folder.path(), "7.png", b"no picture");
    let (from, work) = (Position::default(), work(2, OnError::Skip));
    let loader = Loader::train(&pictures.samples, &recipe(), plan(), from, &work).unwrap();
    let batches: Vec<Batch> = loader.map(Result::unwrap).collect();
    let seen: usize = batches.iter().map(|batch| batch.samples.len()).sum();
    assert_eq!(seen, 4 * 9);
    assert!(batches.iter().all(|batch| !batch.samples.contains(&7)));
    let reports: Vec<&String> = batches.iter().flat_map(|batch| &batch.skipped).collect();
    assert_eq!(reports.len(), 1, "{reports:?}");
}

#[test]
fn a_data_set_without_any_readable_image_is_an_error_and_no_endless_search() {
    let pictures = pictures();
    for number in 0..10 {
        write(pictures.folder.path(), &format!("{number}.png"), b"");
    }
    let forever = Batching {
        epochs: u64::MAX,
        ..plan()
    };
    let (from, work) = (Position { epoch: 1, batch: 2 }, work(2, OnError::Skip));
    let mut loader = Loader::train(&pictures.samples, &recipe(), forever, from, &work).unwrap();
    let error = loader.find_map(Result::err).unwrap();
    let LoaderError::NothingReadable { first } = &error else {
        panic!("{error:?}");
    };
    assert!(
        first.contains(".png: this is not an image: it is empty"),
        "{first}"
    );
    let error = evaluated(&pictures.samples, 3, &work)
        .find_map(Result::err)
        .unwrap();
    assert!(matches!(error, LoaderError::NothingReadable { .. }));
}

#[test]
fn pictures_of_different_sizes_make_no_batch() {
    let pictures = pictures();
    let preprocess = Preprocess {
        resize: None,
        crop: None,
        ..eval()
    };
    let (batch, work) = (NonZeroUsize::new(2).unwrap(), work(2, OnError::Skip));
    let mut loader = Loader::eval(&pictures.samples, &preprocess, batch, &work).unwrap();
    let error = loader.next().unwrap().unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("1.png: 13 x 19 pixels") && text.contains("12 x 20 for"),
        "{text}"
    );
    // One at a time they may have any size.
    let one = Loader::eval(&pictures.samples, &preprocess, NonZeroUsize::MIN, &work).unwrap();
    assert!(one.map(Result::unwrap).map(|batch| batch.width).eq(12..22));
}
