//! The names of classes, in checkpoints and next to a classifier that is kept.

use std::fs;
use std::path::Path;

use super::{crops, train_on};
use crate::program::support::Place;

/// Two classes of one image for each part.
fn two_classes(place: &Place, names: [&str; 2]) {
    for (name, from) in names.iter().zip(["astronaut", "chelsea"]) {
        for part in ["train", "val"] {
            let image = crops().join(format!("{part}/{from}/00.jpg"));
            place.put(&image, &format!("data/{part}/{name}/00.jpg"));
        }
    }
}

fn rename(place: &Place, from: &str, to: &str) {
    for part in ["train", "val"] {
        let class = |name: &str| place.path(&format!("data/{part}/{name}"));
        fs::rename(class(from), class(to)).unwrap();
    }
}

/// The metadata of a safetensors file.
fn metadata(file: &Path) -> serde_json::Value {
    let bytes = fs::read(file).unwrap();
    let length = usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
    let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    header["__metadata__"].clone()
}

#[test]
fn checkpoints_hold_the_class_names_and_are_the_same_every_time() {
    let place = Place::on_cpu();
    two_classes(&place, ["9", "10"]);
    train_on(&place, "data", "--run a --steps 1").ok();
    train_on(&place, "data", "--run b --steps 1").ok();
    let file = |run: &str| place.path(&format!("runs/{run}/checkpoints/step_000001.safetensors"));
    let classes = serde_json::json!({"format": "pt", "classes": "[\"10\",\"9\"]"});
    assert_eq!(metadata(&file("a")), classes);
    assert!(fs::read(file("a")).unwrap() == fs::read(file("b")).unwrap());
}

#[test]
fn other_names_under_a_kept_classifier_are_said() {
    let place = Place::new();
    two_classes(&place, ["cat", "dog"]);
    let ran = train_on(&place, "data", "--run a --steps 1").ok();
    assert!(!ran.err().contains("other names"), "{}", ran.err());
    rename(&place, "dog", "hund");
    let said = r#"classes of other names, and is kept: 1 was "dog" and is "hund""#;
    let resumed = train_on(&place, "data", "--run a --steps 2 --resume").ok();
    assert!(resumed.err().contains(said), "{}", resumed.err());
    let weights = "--weights=runs/a/checkpoints/step_000001.safetensors";
    let line = "train --resize 32 --crop 32 --batch-size 2 --layers pool1 --steps 1 --run b";
    let args = super::data(&place.path("data"));
    let started = place.run(&format!("{line} {weights}"), &args).ok();
    assert!(started.err().contains(said), "{}", started.err());
    // Written with the names of its own data.
    let resumed = train_on(&place, "data", "--run a --steps 3 --resume").ok();
    assert!(!resumed.err().contains("other names"), "{}", resumed.err());
}

/// Older versions numbered classes in natural order, and still older ones did not write them down.
#[test]
fn a_run_of_an_older_version_resumes_with_its_own_order() {
    let place = Place::new();
    two_classes(&place, ["9", "10"]);
    train_on(&place, "data", "--run a --steps 1").ok();
    let progress = place.path("runs/a/checkpoints/step_000001.toml");
    let text = fs::read_to_string(&progress).unwrap();
    let ours = r#"classes = ["10", "9"]"#;
    assert!(text.contains(ours), "{text}");
    fs::write(&progress, text.replace(ours, r#"classes = ["9", "10"]"#)).unwrap();
    let ran = train_on(&place, "data", "--run a --steps 2 --resume").ok();
    assert!(
        ran.err().contains("numbered as in the checkpoint: 9, 10"),
        "{}",
        ran.err()
    );
    let progress = place.path("runs/a/checkpoints/step_000002.toml");
    let text = fs::read_to_string(&progress).unwrap();
    assert!(text.contains(r#"classes = ["9", "10"]"#), "{text}");
    fs::write(&progress, text.replace(r#"classes = ["9", "10"]"#, "")).unwrap();
    train_on(&place, "data", "--run a --steps 3 --resume").ok();
}

#[test]
fn a_run_that_was_moved_resumes_from_there() {
    let place = Place::new();
    two_classes(&place, ["cat", "dog"]);
    train_on(&place, "data", "--run a --steps 1 --logdir old").ok();
    fs::rename(place.path("old"), place.path("new")).unwrap();
    fs::rename(place.path("new/a"), place.path("new/b")).unwrap();
    place
        .run(
            "train --config new/b/config.toml --resume --steps 2",
            &[""; 0],
        )
        .ok();
    assert!(!place.path("old").exists());
    assert!(
        place
            .path("new/b/checkpoints/step_000002.safetensors")
            .exists()
    );
}
