//! Saving and restoring a trainer.

use std::collections::BTreeMap;
use std::path::Path;

use crate::device::OpenDevice;
use crate::train::score::Score;
use crate::train::{
    CheckpointError, SavedCheckpoint, Trainer, TrainingProgress, newest_checkpoint,
};
use safetensors::{Dtype, SafeTensors};

use super::parity::distance;
use super::reference::{Reference, fixture, floats};
use super::support::{alone, devices, load, narrow, parameters, trainer};

/// A trainer with the settings of PyTorch's loop `case`.
pub(super) fn begin(
    reference: &Reference,
    case: &str,
    device: &OpenDevice,
    dropout: f64,
) -> Trainer {
    let case = &reference.text.cases[case];
    let vgg = narrow(&case.arch, device).with_dropout(dropout);
    trainer(vgg, case.settings(), device)
}

/// The same, from a checkpoint.
pub(super) fn restored(
    reference: &Reference,
    case: &str,
    device: &OpenDevice,
    dropout: f64,
    from: &SavedCheckpoint,
) -> Trainer {
    let case = &reference.text.cases[case];
    let vgg = load(&from.network, &case.arch, device).with_dropout(dropout);
    let mut trainer = trainer(vgg, case.settings(), device);
    trainer.restore(from).unwrap();
    trainer
}

/// Takes a case's steps from the trainer's own on, up to `end`.
pub(super) fn steps(
    trainer: &mut Trainer,
    reference: &Reference,
    case: &str,
    end: usize,
) -> Vec<Score> {
    let order = &reference.text.cases[case].order;
    let from = usize::try_from(trainer.steps()).unwrap();
    order[from..end]
        .iter()
        .map(|batches| {
            let samples = batches.iter().map(|batch| reference.samples(batch));
            let outcome = trainer.step(samples.collect(), |_, _| ()).unwrap();
            outcome.score
        })
        .collect()
}

pub(super) fn newest(folder: &Path) -> Result<SavedCheckpoint, CheckpointError> {
    newest_checkpoint(folder, |error| panic!("{error}"))
}

pub(super) fn progress(trainer: &Trainer) -> TrainingProgress {
    TrainingProgress {
        step: trainer.steps(),
        classes: ["a", "b", "c", "d", "e"].map(str::to_owned).into(),
        ..TrainingProgress::default()
    }
}

#[test]
fn a_restored_trainer_goes_on_with_equal_losses() {
    let _alone = alone();
    let reference = Reference::read();
    for case in [
        "momentum",
        "plain",
        "adam",
        "adamw",
        "schedule",
        "batch_norm",
    ] {
        for device in devices() {
            let folder = tempfile::tempdir().unwrap();
            let mut whole = begin(&reference, case, &device, 0.5);
            steps(&mut whole, &reference, case, 4);
            let saved = whole.save(folder.path(), &progress(&whole)).unwrap();
            assert_eq!(newest(folder.path()).unwrap(), saved);
            let read = saved.read_progress().unwrap();
            let checksums = read.checksums;
            let written = progress(&whole);
            assert_eq!(
                read,
                TrainingProgress {
                    checksums,
                    ..written
                }
            );
            let uninterrupted = steps(&mut whole, &reference, case, 8);

            let what = format!("{case} on {}", device.kind);
            let mut restored = restored(&reference, case, &device, 0.5, &saved);
            assert_eq!(restored.steps(), 4);
            assert_eq!(
                steps(&mut restored, &reference, case, 8),
                uninterrupted,
                "{what}"
            );
            let [restored, whole] = [restored, whole].map(|trainer| parameters(&trainer.network()));
            assert!(restored == whole, "{what}");
        }
    }
}

#[test]
fn dropout_draws_anew_at_every_step_and_seed() {
    let _alone = alone();
    let reference = Reference::read();
    for device in devices() {
        let losses = |seed| {
            let mut settings = reference.text.cases["plain"].settings();
            settings.schedule.learning_rate = f64::MIN_POSITIVE;
            settings.seed = seed;
            let vgg = narrow("vgg16", &device).with_dropout(0.5);
            let mut trainer = trainer(vgg, settings, &device);
            [(); 2].map(|()| {
                let samples = vec![reference.samples(&[0, 1, 2, 3])];
                trainer.step(samples, |_, _| ()).unwrap().score.loss()
            })
        };
        let ([a, b], [c, d]) = (losses(0), losses(1));
        let apart = |x: f64, y: f64| (x - y).abs() > 1e-6;
        assert!(
            apart(a, b) && apart(c, d) && apart(a, c) && apart(b, c),
            "{a} {b} {c} {d}"
        );
    }
}

/// The names, shapes and dtypes that `load_state_dict(strict=True)` asks for, as torchvision's own
/// state dicts have them.
// Verified: torchvision | names, shapes and types in a checkpoint, for `load_state_dict(strict=True)` | equal
#[test]
fn a_checkpoint_is_a_state_dict_of_torchvisions() {
    let _alone = alone();
    let reference = Reference::read();
    for (case, arch) in [("plain", "vgg16"), ("batch_norm", "vgg11_bn")] {
        for device in devices() {
            let folder = tempfile::tempdir().unwrap();
            let mut trainer = begin(&reference, case, &device, 0.0);
            steps(&mut trainer, &reference, case, 3);
            let saved = trainer.save(folder.path(), &progress(&trainer)).unwrap();
            let bytes = std::fs::read(&saved.network).unwrap();
            let file = SafeTensors::deserialize(&bytes).unwrap();
            let mut found: BTreeMap<String, (Vec<usize>, &str)> = file
                .iter()
                .map(|(name, view)| {
                    let dtype = match view.dtype() {
                        Dtype::F32 => "torch.float32",
                        Dtype::I64 => "torch.int64",
                        _ => "another",
                    };
                    (name.to_owned(), (view.shape().to_vec(), dtype))
                })
                .collect();
            for (name, shape, dtype) in &reference.text.state_dicts[arch] {
                let found = found.remove(name);
                assert_eq!(found, Some((shape.clone(), dtype.as_str())), "{name}");
            }
            assert!(found.is_empty(), "{found:?}");
            for (name, values) in parameters(&trainer.network()) {
                assert_eq!(floats(file.tensor(&name).unwrap().data()), values, "{name}");
            }
            if arch == "vgg11_bn" {
                let seen = file.tensor("features.1.num_batches_tracked").unwrap();
                assert_eq!(seen.data(), 3i64.to_le_bytes());
            }
            // The word by which libraries know PyTorch's files.
            let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
            let about = metadata.metadata().as_ref().unwrap();
            assert_eq!(about.get("format").map(String::as_str), Some("pt"));
            // Files of equal networks are equal.
            let again = tempfile::tempdir().unwrap();
            let again = trainer.save(again.path(), &progress(&trainer)).unwrap();
            assert!(std::fs::read(again.network).unwrap() == bytes);
        }
    }
}

/// From `no_affine.pth`, with an interruption: what PyTorch's state dict has after the same steps, and nothing
/// else. A weight of batch norm in a checkpoint would be trained when the training is resumed.
#[test]
fn batch_norm_without_weight_and_bias_is_trained_as_pytorch_does() {
    let _alone = alone();
    let reference = Reference::read();
    let bytes = std::fs::read(fixture("train/no_affine.safetensors")).unwrap();
    let expected = SafeTensors::deserialize(&bytes).unwrap();
    for device in devices() {
        let folder = tempfile::tempdir().unwrap();
        let start = fixture("train/no_affine.pth");
        let vgg = load(&start, "vgg11_bn", &device).with_dropout(0.0);
        let settings = reference.text.cases["batch_norm"].settings();
        let mut trainer = trainer(vgg, settings, &device);
        steps(&mut trainer, &reference, "batch_norm", 2);
        let saved = trainer.save(folder.path(), &progress(&trainer)).unwrap();
        let mut trainer = restored(&reference, "batch_norm", &device, 0.0, &saved);
        steps(&mut trainer, &reference, "batch_norm", 3);
        let saved = trainer.save(folder.path(), &progress(&trainer)).unwrap();
        let bytes = std::fs::read(&saved.network).unwrap();
        let found = SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(found.len(), expected.len());
        for (name, expected) in expected.iter() {
            let found = found.tensor(name).unwrap();
            assert_eq!(found.shape(), expected.shape(), "{name}");
            if found.dtype() == Dtype::I64 {
                assert_eq!(found.data(), i64::to_le_bytes(10), "{name}");
                assert_eq!(found.data(), expected.data(), "{name}");
                continue;
            }
            let far = distance(&floats(found.data()), &floats(expected.data()));
            assert!(far < 1e-5, "{name} on {}: {far}", device.kind);
        }
    }
}

/// Frozen batch normalization keeps its statistics, and with them their count.
#[test]
fn only_batches_that_a_layer_learned_from_are_counted() {
    let _alone = alone();
    let reference = Reference::read();
    let device = devices().remove(0);
    let folder = tempfile::tempdir().unwrap();
    let mut trainer = begin(&reference, "batch_norm_frozen", &device, 0.0);
    steps(&mut trainer, &reference, "batch_norm_frozen", 2);
    let saved = trainer.save(folder.path(), &progress(&trainer)).unwrap();
    let bytes = std::fs::read(&saved.network).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    // The case freezes everything up to features.7.
    for (index, seen) in [(1, 0), (5, 0), (9, 2), (26, 2)] {
        let name = format!("features.{index}.num_batches_tracked");
        let count = file.tensor(&name).unwrap();
        assert_eq!(count.data(), i64::to_le_bytes(seen), "{name}");
    }
}

#[test]
fn a_place_is_found_again_in_batches_of_another_size() {
    let place = |epoch, batch, batch_size, samples| TrainingProgress {
        step: 9,
        epoch,
        batch,
        batch_size,
        samples,
        ..TrainingProgress::default()
    };
    for (before, batch_size, samples, after) in [
        ((3, 5, 12, 72), 12, 72, (3, 5)),
        ((3, 5, 12, 72), 6, 72, (3, 10)),
        ((3, 5, 12, 72), 8, 72, (3, 7)),
        ((3, 1, 12, 72), 64, 72, (3, 0)),
        ((3, 5, 12, 72), 12, 60, (4, 0)),
        ((3, 5, 12, 72), 12, 61, (3, 5)),
        ((0, 0, 12, 72), 5, 10, (0, 0)),
    ] {
        let (epoch, batch, size, count) = before;
        let found = place(epoch, batch, size, count).with_batch_size(batch_size, samples);
        let (epoch, batch) = after;
        assert_eq!(
            found,
            place(epoch, batch, batch_size, samples),
            "{before:?}"
        );
    }
}
