//! Folders made for the test.

use std::path::Path;

use crate::data::labeled::error::DatasetError;
use crate::data::labeled::open::Sample;
use crate::data::labeled::{Dataset, Split};
use tempfile::TempDir;

use super::write;

const SPLIT: Split = Split {
    fraction: 0.25,
    seed: 1,
};

fn folder_of(names: &[&str]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for name in names {
        write(folder.path(), name, b"");
    }
    folder
}

fn listed(samples: &[Sample], root: &Path) -> Vec<(String, usize)> {
    let relative = |path: &Path| path.strip_prefix(root).unwrap().display().to_string();
    samples
        .iter()
        .map(|sample| (relative(&sample.path), sample.class))
        .collect()
}

fn owned(expected: &[(&str, usize)]) -> Vec<(String, usize)> {
    expected
        .iter()
        .map(|&(path, class)| (path.to_owned(), class))
        .collect()
}

#[test]
fn train_and_val_folders_are_taken_as_they_are() {
    let folder = folder_of(&[
        "train/class10/a.png",
        "train/class2/img10.JPG",
        "train/class2/img9.jpeg",
        "train/class2/deep/er/b.webp",
        "train/class2/.hidden.png",
        "train/class2/notes.txt",
        "train/.cache/x.png",
        "train/README.png",
        "val/class2/v.png",
        "val/class10/w.png",
        "test/class3/x.png",
    ]);
    let dataset = Dataset::open(folder.path(), SPLIT, &[]).unwrap();
    // ImageFolder's order: sorted(["class10", "class2"]).
    assert_eq!(dataset.classes, ["class10", "class2"]);
    assert_eq!(dataset.notes.len(), 1, "{:?}", dataset.notes);
    assert!(dataset.notes[0].ends_with(&format!(
        "left out: {}",
        folder.path().join("test").display()
    )));
    assert_eq!(
        listed(&dataset.train, folder.path()),
        owned(&[
            ("train/class10/a.png", 0),
            ("train/class2/deep/er/b.webp", 1),
            ("train/class2/img9.jpeg", 1),
            ("train/class2/img10.JPG", 1),
        ])
    );
    assert_eq!(
        listed(&dataset.val, folder.path()),
        owned(&[("val/class10/w.png", 0), ("val/class2/v.png", 1)])
    );
}

#[test]
fn one_folder_is_split_class_by_class() {
    let mut names: Vec<String> = (0..40).map(|i| format!("cat/{i}.png")).collect();
    names.extend((0..3).map(|i| format!("train/{i}.png")));
    names.push("owl/0.png".to_owned());
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let folder = folder_of(&names);
    let dataset = Dataset::open(folder.path(), SPLIT, &[]).unwrap();
    // `train` holds images and has no `val` beside it: a class of its own.
    assert_eq!(dataset.classes, ["cat", "owl", "train"]);
    let count = |samples: &[Sample]| {
        [0, 1, 2].map(|class| samples.iter().filter(|s| s.class == class).count())
    };
    assert_eq!(count(&dataset.train), [30, 1, 2]);
    assert_eq!(count(&dataset.val), [10, 0, 1]);
    let mut all = listed(&dataset.train, folder.path());
    all.extend(listed(&dataset.val, folder.path()));
    all.sort();
    let mut expected: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    expected.sort();
    assert_eq!(
        all.into_iter().map(|(path, _)| path).collect::<Vec<_>>(),
        expected
    );

    assert_eq!(Dataset::open(folder.path(), SPLIT, &[]).unwrap(), dataset);
    let other = Split { seed: 2, ..SPLIT };
    assert_ne!(
        Dataset::open(folder.path(), other, &[]).unwrap().val,
        dataset.val
    );
}

#[cfg(unix)]
#[test]
fn links_to_classes_and_images_are_followed() {
    let elsewhere = folder_of(&["dogs/a.png", "dogs/b.png", "c.png"]);
    let folder = folder_of(&["cats/a.png", "cats/b.png"]);
    let link = |to: &str, name: &str| {
        std::os::unix::fs::symlink(elsewhere.path().join(to), folder.path().join(name)).unwrap();
    };
    link("dogs", "dogs");
    link("c.png", "cats/c.png");
    let dataset = Dataset::open(folder.path(), SPLIT, &[]).unwrap();
    assert_eq!(dataset.classes, ["cats", "dogs"]);
    assert_eq!(dataset.train.len() + dataset.val.len(), 5);
}

#[cfg(unix)]
#[test]
fn links_to_a_folder_above_are_neither_classes_nor_of_one() {
    let folder = folder_of(&["cats/a.png", "cats/b.png", "dogs/a.png", "dogs/b.png"]);
    for link in ["again", "cats/all"] {
        std::os::unix::fs::symlink(folder.path(), folder.path().join(link)).unwrap();
    }
    let dataset = Dataset::open(folder.path(), SPLIT, &[]).unwrap();
    assert_eq!(dataset.classes, ["cats", "dogs"]);
    assert_eq!(dataset.train.len() + dataset.val.len(), 4);
    let note = dataset.left_out.of_links().unwrap();
    for link in ["again", "cats/all"] {
        assert!(note.contains(&format!("{link} (a link to ")), "{note}");
    }
}

/// The error of a data set made of these files, and its text without the folder's own path.
fn refused(names: &[&str]) -> (DatasetError, String) {
    let folder = folder_of(names);
    let error = Dataset::open(folder.path(), SPLIT, &[]).unwrap_err();
    let text = error.to_string();
    assert!(!text.contains('\n'), "{text}");
    let root = folder.path().display().to_string();
    assert!(text.contains(&root), "{text}");
    let text = text.replace(&root, "DATA");
    (error, text)
}

#[test]
fn what_is_no_data_set_says_what_is_expected() {
    let (error, text) = refused(&["notes.txt"]);
    assert!(matches!(error, DatasetError::NoClasses { .. }), "{error:?}");
    assert!(text.contains("CLASS/*.jpg, or train/CLASS/*.jpg"), "{text}");

    let (error, text) = refused(&["a.png", "b.jpg", "notes.txt"]);
    let DatasetError::ImagesDirectly { images: 2, .. } = error else {
        panic!("{error:?}");
    };
    assert!(
        text.starts_with("DATA: its 2 images lie directly in it"),
        "{text}"
    );

    let (error, text) = refused(&["cats/a.png"]);
    assert!(matches!(error, DatasetError::OneClass { .. }), "{error:?}");
    assert!(
        text.starts_with("DATA/cats: the only class folder"),
        "{text}"
    );

    let (error, text) = refused(&["cats/a.png", "dogs/notes.txt"]);
    assert!(
        matches!(error, DatasetError::EmptyClass { .. }),
        "{error:?}"
    );
    assert!(text.starts_with("DATA/dogs: no image"), "{text}");

    let (error, text) = refused(&["cats/a.png", "dogs/b.png"]);
    assert!(
        matches!(error, DatasetError::NothingToSplit { .. }),
        "{error:?}"
    );
    assert!(text.contains("single image"), "{text}");
}

#[test]
fn parts_that_do_not_fit_each_other_are_named() {
    let both = ["train/cats/a.png", "train/dogs/a.png", "val/cats/a.png"];
    let (error, text) = refused(&both);
    assert!(matches!(error, DatasetError::NotInVal { .. }), "{error:?}");
    assert!(
        text.starts_with("DATA/train/dogs: no images to validate"),
        "{text}"
    );
    assert!(text.contains("DATA/val/dogs"), "{text}");

    let (error, text) = refused(&[&both[..], &["val/dogs/a.png", "val/owls/a.png"]].concat());
    assert!(
        matches!(error, DatasetError::NotInTrain { .. }),
        "{error:?}"
    );
    assert!(text.starts_with("DATA/val/owls: "), "{text}");

    let (error, text) = refused(&[&both[..], &["val/dogs/notes.txt"]].concat());
    assert!(
        matches!(error, DatasetError::EmptyClass { .. }),
        "{error:?}"
    );
    assert!(text.starts_with("DATA/val/dogs: "), "{text}");

    // A test set without classes cannot be validated with.
    let (error, text) = refused(&["train/cats/a.png", "train/dogs/a.png", "test/1.png"]);
    assert!(matches!(error, DatasetError::LonePart { .. }), "{error:?}");
    assert!(
        text.starts_with("DATA/train: expected DATA/val next to it, found test; make it"),
        "{text}"
    );
    let (_, text) = refused(&["val/cats/a.png", "val/dogs/a.png"]);
    assert!(
        text.starts_with("DATA/val: expected DATA/train next to it; make it"),
        "{text}"
    );

    let (error, text) = refused(&["train/a.png", "val/b.png"]);
    assert!(
        matches!(error, DatasetError::ImagesDirectly { .. }),
        "{error:?}"
    );
    assert!(text.starts_with("DATA/train: "), "{text}");
}

/// Composed, as Linux and Windows have them, and decomposed, as a Mac's archives do.
#[test]
fn names_in_two_unicode_forms_are_named() {
    let (composed, decomposed) = ("caf\u{e9}", "cafe\u{301}");
    let file = |folder: &str| format!("{folder}/a.png");
    for (first, second) in [
        (
            [composed, "tea"].map(|class| format!("train/{class}")),
            [decomposed, "tea"].map(|class| format!("val/{class}")),
        ),
        (
            [composed, "tea"].map(str::to_owned),
            [decomposed, "water"].map(str::to_owned),
        ),
    ] {
        let names: Vec<String> = first
            .iter()
            .chain(&second)
            .map(|folder| file(folder))
            .collect();
        let (error, text) = refused(&names.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(matches!(error, DatasetError::LookAlike { .. }), "{error:?}");
        for class in [&first[0], &second[0]] {
            assert!(text.contains(&format!("DATA/{class}")), "{text}");
        }
    }
}

#[test]
fn paths_and_shares_that_cannot_be() {
    let folder = folder_of(&["a/1.png", "b/1.png", "a/2.png", "b/2.png"]);
    let open = |path: &str| Dataset::open(&folder.path().join(path), SPLIT, &[]).unwrap_err();
    assert!(matches!(open("nowhere"), DatasetError::Missing { .. }));
    assert!(matches!(open("a/1.png"), DatasetError::NotAFolder { .. }));
    for fraction in [0.0, 1.0, -0.5, f64::NAN] {
        let error = Dataset::open(folder.path(), Split { fraction, seed: 0 }, &[]).unwrap_err();
        assert!(
            matches!(error, DatasetError::Fraction { .. }),
            "{fraction}: {error}"
        );
    }
}
