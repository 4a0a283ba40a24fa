//! A validation that is interrupted.

use std::num::{NonZeroU32, NonZeroUsize};

use crate::data::labeled::{Batching, Dataset, Recipe, Split, Work};
use crate::data::notes::InputNotes;
use crate::data::on_error::OnError;
use crate::data::transform::Preset;
use crate::interrupt::Interrupt;
use crate::train::Reading;
use crate::train::validation::validate;

use super::reference::fixture;
use super::support::{devices, narrow};

#[test]
fn an_interrupt_ends_a_validation() {
    let split = Split {
        fraction: 0.1,
        seed: 0,
    };
    let dataset = Dataset::open(&fixture("crops"), split, &[]).unwrap();
    let mut eval = Preset::Imagenet.preprocess();
    eval.resize = NonZeroU32::new(32);
    eval.crop = NonZeroU32::new(32);
    let reading = Reading {
        recipe: Recipe {
            augment: None,
            eval,
        },
        batching: Batching {
            batch: NonZeroUsize::MIN,
            seed: 0,
            epochs: 1,
        },
        work: Work {
            threads: NonZeroUsize::MIN,
            on_error: OnError::Stop,
            notes: InputNotes::default(),
        },
        accumulate: 1,
    };
    let device = &devices()[0];
    let network = narrow("vgg16", device);
    let interrupt = Interrupt::default();
    let validated =
        || validate(&network, &dataset, &reading, &device.device, 0, &interrupt).unwrap();
    assert_eq!(validated().unwrap().score.samples, dataset.val.len());
    interrupt.request(15);
    assert!(validated().is_none());
}
