//! Lists of images and checkpoints, of folders made for the test.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use crate::input::checkpoints::{CheckpointError, StepFrom, list_checkpoints};
use crate::input::find::FindError;
use crate::input::list::list_images;
use tempfile::TempDir;

fn with_sources(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes).unwrap();
    path
}

// Lists of images --------------------------------------------------------------------------------

fn listed(words: &[PathBuf], root: &Path) -> Vec<(String, String)> {
    let images = list_images(words).unwrap();
    let relative = |path: &Path| path.strip_prefix(root).unwrap().display().to_string();
    images
        .iter()
        .map(|image| (relative(&image.path), image.name.clone()))
        .collect()
}

fn folder_of(names: &[&str]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for name in names {
        write(folder.path(), name, b"");
    }
    folder
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected
        .iter()
        .map(|&(a, b)| (a.to_owned(), b.to_owned()))
        .collect()
}

#[test]
fn folders_files_and_patterns_in_the_order_given() {
    let folder = folder_of(&[
        "b/img10.png",
        "b/IMG2.JPG",
        "b/img1.jpeg",
        "b/.hidden.png",
        "b/._img1.png",
        "b/notes.txt",
        "b/.git/x.png",
        "b/sub/deep/z.TIFF",
        "a/one.webp",
        "a/two.bmp",
        "a/three.txt",
        "plain",
        "png",
    ]);
    let root = folder.path();
    let words = ["plain", "b", "a/*", "a/one.webp", "b/../b/img1.jpeg"].map(|word| root.join(word));
    assert_eq!(
        listed(&words, root),
        pairs(&[
            ("plain", "plain"),
            ("b/img1.jpeg", "img1"),
            ("b/IMG2.JPG", "IMG2"),
            ("b/img10.png", "img10"),
            ("b/sub/deep/z.TIFF", "z"),
            ("a/one.webp", "one"),
            ("a/two.bmp", "two"),
        ])
    );
    let everything = listed(&[root.join("**/*.[pw]*")], root);
    let paths: Vec<&str> = everything.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths, ["a/one.webp", "b/img10.png"]);
}

#[test]
fn equal_stems_get_their_folders_names() {
    let folder = folder_of(&["cats/1.png", "dogs/1.png", "dogs/1.jpg", "dogs/kernels.png"]);
    let names: Vec<String> = listed(&[folder.path().to_owned()], folder.path())
        .into_iter()
        .map(|(_, name)| name)
        .collect();
    assert_eq!(names[0], "cats_1");
    assert!(
        names[1].ends_with("dogs_1") && names[2] == format!("{}_2", names[1]),
        "{names:?}"
    );
    assert_eq!(names[3], "dogs_kernels");
}

#[test]
fn a_path_with_brackets_is_a_path() {
    let folder = folder_of(&["img[1].png", "img1.png"]);
    let words = [folder.path().join("img[1].png")];
    assert_eq!(
        listed(&words, folder.path()),
        pairs(&[("img[1].png", "img_1_")])
    );
}

#[cfg(unix)]
#[test]
fn links_are_followed_and_loops_are_named() {
    use std::os::unix::fs::symlink;
    let folder = folder_of(&["real/a.png"]);
    let root = folder.path();
    symlink(root.join("real/a.png"), root.join("b.png")).unwrap();
    symlink(root.join("nowhere"), root.join(".#lock.png")).unwrap();
    symlink(root.join("nowhere"), root.join("notes")).unwrap();
    assert_eq!(
        listed(&[root.to_owned()], root),
        pairs(&[("b.png", "b"), ("real/a.png", "a")])
    );
    symlink(root.join("nowhere"), root.join("gone.png")).unwrap();
    let error = list_images(&[root]).unwrap_err();
    assert!(matches!(error, FindError::Unreadable { .. }));
    assert!(error.to_string().contains("gone.png"), "{error}");
    fs::remove_file(root.join("gone.png")).unwrap();
    symlink(root, root.join("real/loop")).unwrap();
    let error = list_images(&[root]).unwrap_err();
    assert!(with_sources(&error).contains("real/loop"), "{error}");
}

#[test]
fn words_that_name_nothing() {
    let folder = folder_of(&["empty/.x.png", "empty/readme.txt"]);
    let root = folder.path();
    let error = |word: &str| list_images(&[root.join(word)]).unwrap_err();

    assert!(matches!(
        list_images::<PathBuf>(&[]).unwrap_err(),
        FindError::Nothing { .. }
    ));
    let missing = error("absent.png");
    assert!(matches!(missing, FindError::Missing { .. }));
    assert!(
        missing
            .to_string()
            .contains("absent.png: there is no such file or folder")
    );
    assert!(matches!(
        error("empty/readme.txt/x"),
        FindError::Missing { .. }
    ));
    let empty = error("empty");
    assert!(matches!(empty, FindError::EmptyFolder { .. }));
    assert!(
        empty
            .to_string()
            .contains("empty: no image in this folder; looked for files ending in png jpg")
    );
    let pattern = error("empty/*");
    assert!(
        matches!(pattern, FindError::NoMatch { others: 1, .. }),
        "{pattern:?}"
    );
    assert!(
        pattern
            .to_string()
            .contains("empty/*': this pattern matches no image")
    );
    assert!(matches!(error("a[b"), FindError::Pattern { .. }));
}

// Checkpoints ------------------------------------------------------------------------------------

fn steps(names: &[&str], step_from: StepFrom) -> Result<Vec<(String, i64)>, CheckpointError> {
    let folder = folder_of(names);
    let checkpoints = list_checkpoints(&[folder.path()], step_from)?;
    Ok(checkpoints
        .iter()
        .map(|c| {
            (
                c.path
                    .strip_prefix(folder.path())
                    .unwrap()
                    .display()
                    .to_string(),
                c.step,
            )
        })
        .collect())
}

#[test]
fn a_folder_of_checkpoints_by_step() {
    let names = [
        "epoch_10.pth",
        "epoch_9.pth",
        "epoch_100.PT",
        "epoch_1.pth.tar",
        "epoch_3.safetensors",
        "epoch_4.bpk",
        "epoch_5.ckpt",
        "log_6.txt",
        ".epoch_7.pth",
        "older/epoch_8.pth",
    ];
    let expected = [
        ("epoch_1.pth.tar", 1),
        ("epoch_3.safetensors", 3),
        ("epoch_4.bpk", 4),
        ("epoch_5.ckpt", 5),
        ("epoch_9.pth", 9),
        ("epoch_10.pth", 10),
        ("epoch_100.PT", 100),
    ];
    let expected = expected.map(|(name, step)| (name.to_owned(), step));
    assert_eq!(steps(&names, StepFrom::Name).unwrap(), expected);
}

#[test]
fn by_index_any_names_will_do() {
    let names = ["best.pth", "e10_s1.pth", "e2_s9.pth", "Alpha.pt"];
    let expected = [
        ("Alpha.pt", 0),
        ("best.pth", 1),
        ("e2_s9.pth", 2),
        ("e10_s1.pth", 3),
    ];
    let expected = expected.map(|(name, step)| (name.to_owned(), step));
    assert_eq!(steps(&names, StepFrom::Index).unwrap(), expected);
}

#[test]
fn files_and_patterns_are_put_in_order_too() {
    let folder = folder_of(&["x/it20.pth", "y/it3.pth", "y/it100.bin", "y/notes5.txt"]);
    let words = ["y/it100.bin", "x/*.pth", "y/*", "y/it3.pth"].map(|word| folder.path().join(word));
    let found = list_checkpoints(&words, StepFrom::Name).unwrap();
    assert_eq!(
        found.iter().map(|c| c.step).collect::<Vec<_>>(),
        [3, 20, 100]
    );
}

#[test]
fn names_that_tell_no_order_show_the_way_out() {
    let message = |names: &[&str]| {
        let error = steps(names, StepFrom::Name).unwrap_err();
        let text = with_sources(&error);
        assert!(text.contains("--step-from index"), "{text}");
        assert!(!text.contains('\n'), "{text}");
        (error, text)
    };
    let (error, text) = message(&["epoch_1.pth", "model_best.pth"]);
    assert!(matches!(error, CheckpointError::NoNumber { .. }));
    assert!(text.contains("model_best.pth"), "{text}");

    let (error, text) = message(&["epoch_1.pth", "epoch_01.pt"]);
    assert!(matches!(error, CheckpointError::SameStep { step: 1, .. }));
    assert!(
        text.contains("epoch_1.pth") && text.contains("epoch_01.pt"),
        "{text}"
    );

    let (error, text) = message(&["2024-05-01_10.pth", "2024-05-02_20.pth"]);
    assert!(matches!(error, CheckpointError::Ambiguous { .. }));
    assert!(
        text.contains("-01_10.pth") && text.contains("-02_20.pth"),
        "{text}"
    );

    let (error, text) = message(&["epoch1_step50.pth", "epoch2_step10.pth"]);
    assert!(matches!(error, CheckpointError::Contradiction { .. }));
    assert!(text.contains("epoch2_step10.pth and "), "{text}");

    let (error, text) = message(&["step_99999999999999999999.pth"]);
    assert!(matches!(error, CheckpointError::TooLarge { .. }));
    assert!(text.contains("9223372036854775807"), "{text}");

    let folder = folder_of(&["a.png"]);
    let error = list_checkpoints(&[folder.path()], StepFrom::Name).unwrap_err();
    assert!(matches!(
        error,
        CheckpointError::Find(FindError::EmptyFolder { .. })
    ));
    assert!(
        error.to_string().contains("no checkpoint in this folder"),
        "{error}"
    );
}
