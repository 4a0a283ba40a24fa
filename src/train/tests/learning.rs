//! It learns.

use std::num::{NonZeroU32, NonZeroUsize};

use crate::data::labeled::{Batching, Dataset, Loader, Position, Recipe, Split, Work};
use crate::data::notes::InputNotes;
use crate::data::on_error::OnError;
use crate::data::transform::{Crop, Preset};
use crate::device::OpenDevice;
use crate::network::vgg::{Arch, Extent, RandomParameters, Sizes, Variant, build};
use crate::network::{Kernels, Placement};
use crate::schedule::Decay;
use crate::train::score::Score;
use crate::train::{Optimizer, Schedule, TrainingSettings};

use super::reference::fixture;
use super::support::{alone, devices, learning, trainer};

const SIDE: NonZeroU32 = NonZeroU32::new(32).unwrap();
const BATCH: NonZeroUsize = NonZeroUsize::new(24).unwrap();
const EPOCHS: u64 = 24;

/// Which photo is this crop from? A narrow VGG11 with batch normalization from random parameters. All
/// crops are learned from any of the seeds 0 to 3, so other rounding elsewhere will not matter.
fn learn(device: &OpenDevice) -> Vec<Score> {
    let split = Split {
        fraction: 0.1,
        seed: 0,
    };
    let dataset = Dataset::open(&fixture("crops"), split, &[]).unwrap();
    let mut eval = Preset::Imagenet.preprocess();
    eval.resize = Some(SIDE);
    eval.crop = Some(Crop::square(SIDE));
    let recipe = Recipe {
        augment: None,
        eval,
    };
    let plan = Batching {
        batch: BATCH,
        seed: 0,
        epochs: EPOCHS,
    };
    let work = Work {
        threads: NonZeroUsize::MIN,
        on_error: OnError::Stop,
        notes: InputNotes::default(),
    };
    let arch: Arch = "vgg11_bn".parse().unwrap();
    let sizes = Sizes {
        widths: [6, 12, 16, 24, 24],
        hidden: 32,
        classes: dataset.classes.len(),
    };
    let place = Placement {
        device: &learning(device),
        kernels: Kernels::Interleaved,
    };
    let random = RandomParameters::new(arch, sizes, 1);
    let vgg = build(
        &random,
        &Variant::whole(arch, sizes.widths),
        Extent::Whole,
        place,
    )
    .unwrap()
    .with_dropout(0.0);
    let settings = TrainingSettings {
        optimizer: Optimizer::AdamW,
        weight_decay: 0.01,
        schedule: Schedule {
            learning_rate: 2e-3,
            decay: Decay::Cosine,
            warm_up: 6,
            steps: usize::try_from(EPOCHS * plan.batches(dataset.train.len())).unwrap(),
        },
        max_gradient_norm: Some(1.0),
        label_smoothing: 0.0,
        frozen: None,
        max_loss: 1000.0,
        seed: 0,
    };
    let mut trainer = trainer(vgg, settings, device);
    let mut epochs = vec![Score::default(); usize::try_from(EPOCHS).unwrap()];
    for batch in Loader::train(&dataset.train, &recipe, plan, Position::default(), &work).unwrap() {
        let batch = batch.unwrap();
        let epoch = usize::try_from(batch.at.epoch).unwrap();
        let outcome = trainer.step(vec![batch.into()], |_, _| ()).unwrap();
        epochs[epoch].add(&outcome.score);
    }
    epochs
}

#[test]
fn it_learns_which_photo_a_crop_is_from() {
    let _alone = alone();
    for device in devices() {
        let epochs = learn(&device);
        let (first, last) = (epochs[0], epochs[epochs.len() - 1]);
        assert_eq!(last.samples, 72);
        assert!(last.accuracy() > 0.95, "{last:?} on {}", device.kind);
        assert!(
            last.loss() < first.loss() / 3.0,
            "{last:?} on {}",
            device.kind
        );
    }
}
