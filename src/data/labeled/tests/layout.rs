//! Folders as archives have them, and the order of classes.

use super::write;
use crate::data::labeled::{Dataset, Split};
use tempfile::TempDir;

const SPLIT: Split = Split {
    fraction: 0.5,
    seed: 1,
};

/// Two images of each of two classes in every one of `parts`, and the files `more`.
fn of_parts(parts: &[&str], more: &[&str]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for part in parts {
        for image in ["a/0.png", "a/1.png", "b/0.png", "b/1.png"] {
            write(folder.path(), &format!("{part}/{image}"), b"");
        }
    }
    for file in more {
        write(folder.path(), file, b"");
    }
    folder
}

/// The folder of the first sample for training and of the first for validation, without the file and the
/// class, and the notes.
fn opened(folder: &TempDir) -> ([String; 2], String) {
    let root = folder.path();
    let dataset = Dataset::open(root, SPLIT, &[]).unwrap();
    assert_eq!(dataset.classes, ["a", "b"]);
    let part = |path: &std::path::Path| {
        let part = path.strip_prefix(root).unwrap().ancestors().nth(2).unwrap();
        part.display().to_string()
    };
    let notes = dataset.notes.join("\n");
    let parts = [part(&dataset.train[0].path), part(&dataset.val[0].path)];
    (parts, notes.replace(&root.display().to_string(), "DATA"))
}

#[test]
fn folders_named_as_parts_are_no_classes() {
    for (train, val) in [
        ("train", "val"),
        ("Training", "Testing"),
        ("train", "valid"),
        ("TRAIN", "Validation"),
        ("train", "test"),
        ("train", "dev"),
        ("training_set", "test_set"),
        ("seg_train", "seg_test"),
    ] {
        let (parts, notes) = opened(&of_parts(&[train, val], &[]));
        assert_eq!(parts, [train, val]);
        let is_test = val.to_lowercase().contains("test");
        assert_eq!(
            notes.contains(&format!("validated with DATA/{val}")),
            is_test,
            "{notes}"
        );
    }
}

#[test]
fn of_three_parts_the_test_set_is_left_out_and_named() {
    let (parts, notes) = opened(&of_parts(&["train", "valid", "test"], &[]));
    assert_eq!(parts, ["train", "valid"]);
    assert!(notes.contains("left out: DATA/test"), "{notes}");
}

#[test]
fn what_systems_leave_behind_is_no_class() {
    let more = [
        "__MACOSX/train/._0.png",
        ".DS_Store",
        "train/.DS_Store",
        "train/.ipynb_checkpoints/0-checkpoint.png",
        "train/a/.ipynb_checkpoints/0-checkpoint.png",
        "train/a/@eaDir/0.png/thumb.jpg",
        "train/a/Thumbs.db",
        "val/desktop.ini",
        "val/__MACOSX/a/0.png",
    ];
    let folder = of_parts(&["train", "val"], &more);
    let (parts, notes) = opened(&folder);
    assert_eq!(parts, ["train", "val"]);
    assert_eq!(notes, "");
    let dataset = Dataset::open(folder.path(), SPLIT, &[]).unwrap();
    assert_eq!((dataset.train.len(), dataset.val.len()), (4, 4));
}

#[test]
fn folders_around_the_data_set_are_named() {
    for (around, train, val) in [
        ("data", "data/train", "data/val"),
        ("a/b", "a/b/Training", "a/b/Testing"),
    ] {
        let (parts, notes) = opened(&of_parts(&[train, val], &["__MACOSX/x.png"]));
        assert_eq!(parts, [train, val]);
        assert!(
            notes.contains(&format!("DATA holds only DATA/{around}, which is read")),
            "{notes}"
        );
    }
    let (parts, notes) = opened(&of_parts(&["data"], &[]));
    assert_eq!(parts, ["data", "data"]);
    assert!(notes.contains("DATA holds only DATA/data"), "{notes}");
    // As the archive of Intel's scenes has it.
    let (parts, notes) = opened(&of_parts(
        &["seg_train/seg_train", "seg_test/seg_test"],
        &[],
    ));
    assert_eq!(parts, ["seg_train/seg_train", "seg_test/seg_test"]);
    assert!(
        notes.contains("DATA/seg_test holds only DATA/seg_test/seg_test"),
        "{notes}"
    );
}

#[test]
fn a_class_may_be_called_train() {
    let folder = of_parts(
        &[],
        &["train/0.png", "train/1.png", "bus/0.png", "test/0.png"],
    );
    let dataset = Dataset::open(folder.path(), SPLIT, &[]).unwrap();
    assert_eq!(dataset.classes, ["bus", "test", "train"]);
}

/// `sorted(["2", "10", "1", "B", "a", "é", "Z", "_x"])` in Python.
#[test]
fn classes_are_numbered_as_pytorch_does_unless_an_order_is_given() {
    let names = ["2", "10", "1", "B", "a", "é", "Z", "_x"];
    let images: Vec<String> = names
        .iter()
        .flat_map(|name| [0, 1].map(|n| format!("{name}/{n}.png")))
        .collect();
    let folder = of_parts(&[], &images.iter().map(String::as_str).collect::<Vec<_>>());
    let classes = |order: &[&str]| {
        let order: Vec<String> = order.iter().map(|&name| name.to_owned()).collect();
        let dataset = Dataset::open(folder.path(), SPLIT, &order).unwrap();
        for sample in &dataset.train {
            let of_path = sample.path.parent().unwrap().file_name().unwrap();
            assert_eq!(of_path.to_str().unwrap(), dataset.classes[sample.class]);
        }
        dataset.classes
    };
    assert_eq!(classes(&[]), ["1", "10", "2", "B", "Z", "_x", "a", "é"]);
    // A run of an older version, and a class that came later.
    let older = ["1", "2", "10", "_x", "a", "B", "Z"];
    assert_eq!(classes(&older), ["1", "2", "10", "_x", "a", "B", "Z", "é"]);
}
