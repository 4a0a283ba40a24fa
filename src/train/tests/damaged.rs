//! Checkpoints that are damaged, incomplete or missing.

use std::path::Path;

use super::checkpoint::{begin, newest, progress, restored, steps};
use super::reference::Reference;
use super::support::{alone, devices, load, parameters, trainer};
use crate::commands::remedy::explain;
use crate::device::OpenDevice;
use crate::train::{
    CheckpointError, SavedCheckpoint, TrainError, TrainingProgress, newest_checkpoint,
};

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

/// What the event file lacks is made again, where there is a checkpoint to begin from.
#[test]
fn a_checkpoint_whose_steps_are_not_in_the_event_file_is_taken_last() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let (reference, device, first) = saved(folder.path());
    let mut trainer = begin(&reference, "adam", &device, 0.0);
    steps(&mut trainer, &reference, "adam", 2);
    let lacking = TrainingProgress {
        lacks_events: true,
        ..progress(&trainer)
    };
    let second = trainer.save(folder.path(), &lacking).unwrap();
    assert_eq!(newest(folder.path()).unwrap(), first);
    assert!(second.network.exists());
    std::fs::remove_file(&first.network).unwrap();
    assert_eq!(newest(folder.path()).unwrap(), second);
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
fn a_checkpoint_has_the_usual_file_mode() {
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
