//! Saving and restoring a trainer.

use std::collections::BTreeMap;
use std::path::Path;

use crate::commands::remedy::explain;
use crate::device::OpenDevice;
use crate::train::score::Score;
use crate::train::{
    CheckpointError, SavedCheckpoint, TrainError, Trainer, TrainingProgress, newest_checkpoint,
};
use safetensors::{Dtype, SafeTensors};

use super::reference::{Reference, floats};
use super::support::{alone, devices, load, narrow, parameters, trainer};

/// A trainer with the settings of PyTorch's loop `case`.
fn begin(reference: &Reference, case: &str, device: &OpenDevice, dropout: f64) -> Trainer {
    let case = &reference.text.cases[case];
    let vgg = narrow(&case.arch, device).with_dropout(dropout);
    trainer(vgg, case.settings(), device)
}

/// The same, from a checkpoint.
fn restored(
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
fn steps(trainer: &mut Trainer, reference: &Reference, case: &str, end: usize) -> Vec<Score> {
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

fn newest(folder: &Path) -> Result<SavedCheckpoint, CheckpointError> {
    newest_checkpoint(folder, |error| panic!("{error}"))
}

fn progress(trainer: &Trainer) -> TrainingProgress {
    TrainingProgress {
        step: trainer.steps(),
        batches_seen: trainer.steps(),
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

fn saved(folder: &Path) -> (Reference, OpenDevice, SavedCheckpoint) {
    let reference = Reference::read();
    let device = devices().remove(0);
    let mut trainer = begin(&reference, "adam", &device, 0.0);
    steps(&mut trainer, &reference, "adam", 1);
    let saved = trainer.save(folder, &progress(&trainer)).unwrap();
    (reference, device, saved)
}

#[test]
fn a_checkpoint_leaves_nothing_half_written() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let (.., saved) = saved(folder.path());
    let mut names: Vec<String> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "step_000001.optimizer",
            "step_000001.safetensors",
            "step_000001.toml"
        ]
    );
    // What a killed process was writing is no checkpoint.
    let half = folder.path().join("step_000002.safetensors.part");
    std::fs::write(half, "half").unwrap();
    assert_eq!(newest(folder.path()).unwrap(), saved);
}

#[test]
fn a_damaged_or_missing_optimizer_is_an_error_that_names_it() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let (reference, device, saved) = saved(folder.path());
    let whole = std::fs::read(saved.optimizer()).unwrap();
    let restore = || {
        let mut trainer = begin(&reference, "adam", &device, 0.0);
        trainer.restore(&saved).unwrap_err()
    };
    let mut errors = Vec::new();
    for length in [0, 7, 40, whole.len() / 2, whole.len() - 1] {
        std::fs::write(saved.optimizer(), &whole[..length]).unwrap();
        errors.push(restore());
    }
    std::fs::write(saved.optimizer(), "<html>404</html>".repeat(100)).unwrap();
    errors.push(restore());
    std::fs::remove_file(saved.optimizer()).unwrap();
    errors.push(restore());
    for error in errors {
        assert!(matches!(
            error,
            TrainError::Checkpoint(CheckpointError::Read { .. })
        ));
        let error = explain(&error);
        assert!(error.contains("step_000001.optimizer"), "{error}");
        assert!(error.contains("step_000001.safetensors"), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
}

/// Resuming with another optimizer starts with empty state.
#[test]
fn what_another_optimizer_remembered_is_not_used() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let (reference, device, saved) = saved(folder.path());
    let mut going_on = restored(&reference, "momentum", &device, 0.0, &saved);
    let case = &reference.text.cases["momentum"];
    let vgg = load(&saved.network, "vgg16", &device).with_dropout(0.0);
    let mut fresh = trainer(vgg, case.settings(), &device);
    for trainer in [&mut going_on, &mut fresh] {
        let samples = vec![reference.samples(&[0, 1, 2, 3])];
        trainer.step(samples, |_, _| ()).unwrap();
    }
    assert!(parameters(&going_on.network()) == parameters(&fresh.network()));
}

#[test]
fn a_damaged_or_missing_position_is_an_error_that_names_it() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let (.., saved) = saved(folder.path());
    for text in [
        "step = ",
        "step = 1\n",
        "step = -1\nepoch = 0\nbatch = 0\nbatch_size = 1\nsamples = 1\nbatches_seen = 1\nclasses = []",
    ] {
        std::fs::write(saved.progress(), text).unwrap();
        let error = saved.read_progress().unwrap_err().to_string();
        assert!(
            error.contains("step_000001.toml") && !error.contains('\n'),
            "{error}"
        );
    }
    std::fs::remove_file(saved.progress()).unwrap();
    let error = saved.read_progress().unwrap_err().to_string();
    assert!(error.contains("step_000001.toml"), "{error}");
}

/// The checkpoint before is taken: of a flipped bit anywhere, a file that is cut, and one that is gone.
#[test]
fn a_damaged_checkpoint_is_set_aside() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let (.., saved) = saved(folder.path());
    let newer = SavedCheckpoint::at(folder.path(), 2);
    let aside = folder.path().join("step_000002.safetensors.damaged");
    let files =
        |saved: &SavedCheckpoint| [saved.network.clone(), saved.optimizer(), saved.progress()];
    let read = |path: &Path| std::fs::read(path).unwrap();
    let flipped = |path: &Path, at: usize| {
        let mut bytes = read(path);
        bytes[at] ^= 0x10;
        std::fs::write(path, bytes).unwrap();
    };
    let cut = |path: &Path| {
        let bytes = read(path);
        std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    };
    let [network, optimizer, position] = files(&newer);
    let damages: [&dyn Fn(); 8] = [
        &|| flipped(&network, 20),
        &|| flipped(&network, read(&network).len() - 1),
        &|| flipped(&optimizer, 30),
        &|| flipped(&optimizer, read(&optimizer).len() - 1),
        &|| cut(&network),
        &|| cut(&optimizer),
        &|| std::fs::write(&position, "").unwrap(),
        &|| std::fs::remove_file(&optimizer).unwrap(),
    ];
    for damage in damages {
        for (from, to) in files(&saved).iter().zip(files(&newer)) {
            std::fs::copy(from, to).unwrap();
        }
        damage();
        let mut errors = Vec::new();
        let taken = newest_checkpoint(folder.path(), |error| errors.push(error.to_string()));
        assert_eq!(taken.unwrap(), saved);
        assert!(
            errors.len() == 1 && errors[0].contains("step_000002"),
            "{errors:?}"
        );
        assert!(aside.exists() && !network.exists());
        std::fs::remove_file(&aside).unwrap();
    }
    // The only one is reported, and stays.
    cut(&saved.network);
    let error = newest(folder.path()).unwrap_err();
    assert!(matches!(error, CheckpointError::Read { .. }), "{error}");
    assert!(saved.network.exists());
}

/// One that an earlier version wrote has no checksums.
#[test]
fn an_older_checkpoint_is_checked_by_its_headers() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let (.., saved) = saved(folder.path());
    let text = std::fs::read_to_string(saved.progress()).unwrap();
    let (older, _) = text.split_once("[checksums]").unwrap();
    std::fs::write(saved.progress(), older).unwrap();
    assert_eq!(newest(folder.path()).unwrap(), saved);
    let bytes = std::fs::read(&saved.network).unwrap();
    std::fs::write(&saved.network, &bytes[..bytes.len() - 1]).unwrap();
    assert!(newest(folder.path()).is_err());
}

#[cfg(unix)]
#[test]
fn a_checkpoint_can_be_read_by_whoever_may_read_its_folder() {
    use std::os::unix::fs::PermissionsExt;

    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let (.., saved) = saved(folder.path());
    let usual = folder.path().join("usual");
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode();
    std::fs::write(&usual, "").unwrap();
    for path in [saved.network.clone(), saved.optimizer(), saved.progress()] {
        assert_eq!(mode(&path), mode(&usual), "{}", path.display());
    }
}

#[test]
fn a_folder_without_checkpoints_says_what_was_expected() {
    let folder = tempfile::tempdir().unwrap();
    for folder in [folder.path().to_owned(), folder.path().join("gone")] {
        let error = newest(&folder).unwrap_err();
        assert!(matches!(error, CheckpointError::Nothing { .. }));
        assert!(
            error.to_string().contains("step_000100.safetensors"),
            "{error}"
        );
    }
}
