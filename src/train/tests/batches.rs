//! Batches that are uploaded before they are asked for.

use std::num::{NonZeroU32, NonZeroUsize};

use burn::tensor::Device;

use crate::data::labeled::{Batching, Dataset, Position, Recipe, Split, Work};
use crate::data::notes::InputNotes;
use crate::data::on_error::OnError;
use crate::data::transform::{Crop, Preset};
use crate::train::batches::{Groups, Reading};
use crate::train::trainer::Uploaded;

use super::reference::fixture;

/// Two steps an epoch, of two batches and of one.
fn groups(spoil: impl FnOnce(&mut Dataset)) -> Groups {
    let split = Split {
        fraction: 0.1,
        seed: 0,
    };
    let mut data = Dataset::open(&fixture("crops"), split, &[]).unwrap();
    spoil(&mut data);
    let mut eval = Preset::Imagenet.preprocess();
    eval.resize = NonZeroU32::new(8);
    eval.crop = eval.resize.map(Crop::square);
    let reading = Reading {
        recipe: Recipe {
            augment: None,
            eval,
        },
        batching: Batching {
            batch: NonZeroUsize::new(data.train.len().div_ceil(3)).unwrap(),
            seed: 0,
            epochs: 2,
        },
        work: Work {
            threads: NonZeroUsize::MIN,
            on_error: OnError::Stop,
            notes: InputNotes::default(),
        },
        accumulate: 2,
    };
    reading.train(&data, Position::default()).unwrap()
}

fn upload_ahead(groups: &mut Groups) {
    while groups.ahead.is_none() {
        groups.upload_ahead(&Device::flex());
        std::thread::yield_now();
    }
}

#[test]
fn batches_uploaded_ahead_are_those_that_come_next() {
    let (mut plain, mut ahead) = (groups(|_| ()), groups(|_| ()));
    for batches in [2, 1, 2, 1] {
        upload_ahead(&mut ahead);
        let (expected, found) = (plain.next().unwrap(), ahead.next().unwrap());
        assert_eq!(found.batches.len(), batches);
        assert!(
            found.batches[0].batch.pixels.is_empty(),
            "they are on the device"
        );
        assert_eq!(found.position, expected.position);
        assert_eq!(found.images, expected.images);
        for (mut found, mut expected) in found.batches.into_iter().zip(expected.batches) {
            assert_eq!(found.batch.labels, expected.batch.labels);
            let [found, expected] = [&mut found, &mut expected].map(|samples| {
                let Uploaded { pixels, labels } = samples.take(&Device::flex());
                (pixels.into_data(), labels.into_data())
            });
            assert_eq!(found, expected);
        }
    }
}

#[test]
fn an_error_met_ahead_is_that_of_the_step_it_belongs_to() {
    let mut groups = groups(|data| {
        for sample in &mut data.train {
            sample.path = "absent.png".into();
        }
    });
    upload_ahead(&mut groups);
    groups.upload_ahead(&Device::flex());
    let error = groups.next().err().unwrap();
    assert!(error.to_string().contains("absent.png"), "{error}");
}
