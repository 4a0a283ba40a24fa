//! Lists of images and checkpoints, of folders made for the test.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use crate::input::checkpoints::{CheckpointError, StepFrom, list_checkpoints};
use crate::input::find::FindError;
use crate::input::list::list_images;
use proptest::prelude::*;
use regex::Regex;
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
    let names = listed(&[folder.path().to_owned()], folder.path());
    let names: Vec<&str> = names.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(names, ["cats_1", "dogs_1", "dogs_1_2", "kernels_2"]);
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
    steps_by(names, step_from, None)
}

fn steps_by(
    names: &[&str],
    step_from: StepFrom,
    regex: Option<&str>,
) -> Result<Vec<(String, i64)>, CheckpointError> {
    let folder = folder_of(names);
    let regex = regex.map(|regex| Regex::new(regex).unwrap());
    let checkpoints = list_checkpoints(&[folder.path()], step_from, regex.as_ref())?;
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
    let found = list_checkpoints(&words, StepFrom::Name, None).unwrap();
    assert_eq!(
        found.iter().map(|c| c.step).collect::<Vec<_>>(),
        [3, 20, 100]
    );
}

#[test]
fn the_last_number_that_varies_is_the_step() {
    let sets: [(&[&str], &[i64]); 17] = [
        (&["epoch_003", "epoch_010"], &[3, 10]),
        (&["0", "1", "2"], &[0, 1, 2]),
        (&["model_1", "model_best_2"], &[1, 2]),
        (&["vgg11", "vgg16"], &[11, 16]),
        (&["model.7"], &[7]),
        (&["2024-05-01_10"], &[10]),
        (
            &["iter500", "iter1k", "iter90K", "iter1M"],
            &[500, 1000, 90_000, 1_000_000],
        ),
        (
            &["vgg16-epoch=12-step=3400", "vgg16-epoch=13-step=3700"],
            &[3400, 3700],
        ),
        (&["vgg16_e5_loss0.123", "vgg16_e12_loss0.1"], &[5, 12]),
        (&["epoch_1_iter_100", "epoch_2_iter_100"], &[1, 2]),
        (&["run2_global_step10_x", "run3_global_step20_y"], &[10, 20]),
        (&["2024-05-01_10", "2024-05-02_20"], &[10, 20]),
        (&["net3_0001_64px", "net3_0002_64px"], &[1, 2]),
        (&["7_lr1e-4_bs32", "8_lr1e-4_bs32"], &[7, 8]),
        (&["x_1", "x_1_2"], &[1, 2]),
        (&["step_9223372036854775807"], &[i64::MAX]),
        // Counted from the end, so that a word more at the beginning changes nothing.
        (&["1_64px", "net3_2_64px"], &[1, 2]),
    ];
    for (names, expected) in sets {
        let files: Vec<String> = names.iter().map(|name| format!("{name}.pth")).collect();
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        let found = steps(&files, StepFrom::Name).unwrap();
        let found: Vec<i64> = found.into_iter().map(|(_, step)| step).collect();
        assert_eq!(found, expected, "{names:?}");
    }
}

#[test]
fn an_expression_captures_the_step() {
    let names = ["epoch3_acc71.pth", "epoch12_acc70.pth"];
    let error = steps(&names, StepFrom::Name).unwrap_err();
    assert!(matches!(error, CheckpointError::Ambiguous { .. }));
    let found = steps_by(&names, StepFrom::Name, Some(r"epoch(\d+)")).unwrap();
    let expected = [("epoch3_acc71.pth", 3), ("epoch12_acc70.pth", 12)];
    assert_eq!(found, expected.map(|(name, step)| (name.to_owned(), step)));

    for regex in [r"epoch_(\d+)", r"epoch\d+", "(epoch)", r"(-?\d{99})?"] {
        let error = steps_by(&names, StepFrom::Name, Some(regex)).unwrap_err();
        assert!(matches!(error, CheckpointError::NoMatch { .. }), "{regex}");
        let text = error.to_string();
        assert!(
            text.contains("epoch3_acc71.pth") && text.contains(regex),
            "{text}"
        );
    }
    let error = steps_by(&names, StepFrom::Name, Some(r"(\d)\.pth")).map(|found| found.len());
    assert_eq!(error.unwrap(), 2);
    let error = steps_by(&["a1_7.pth", "b1_8.pth"], StepFrom::Name, Some(r"[ab](\d)"));
    assert!(matches!(
        error,
        Err(CheckpointError::SameStep { step: 1, .. })
    ));
}

#[test]
fn names_without_an_order_are_refused_with_a_way_on() {
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

    let (error, text) = message(&["epoch1_step50.pth", "epoch2_step10.pth"]);
    assert!(matches!(error, CheckpointError::Ambiguous { .. }));
    assert!(text.contains("epoch2_step10.pth and "), "{text}");
    assert!(
        text.contains("--step-regex, such as 'epoch(\\d+)'"),
        "{text}"
    );

    let (error, text) = message(&["step_99999999999999999999.pth"]);
    assert!(matches!(error, CheckpointError::TooLarge { .. }));
    assert!(text.contains("9223372036854775807"), "{text}");

    let folder = folder_of(&["a.png"]);
    let error = list_checkpoints(&[folder.path()], StepFrom::Name, None).unwrap_err();
    assert!(matches!(
        error,
        CheckpointError::Find(FindError::EmptyFolder { .. })
    ));
    assert!(
        error.to_string().contains("no checkpoint in this folder"),
        "{error}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_names_have_steps_or_an_error(
        names in prop::collection::hash_set("[a-z0-9eEkM.=+ é-]{0,12}", 1..5)
    ) {
        let names: Vec<String> = names.iter().map(|name| format!("x{name}.pth")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let _ = steps(&names, StepFrom::Name);
    }

    #[test]
    fn a_counter_among_equal_numbers_is_found(
        steps_given in prop::collection::btree_set(0_i64..=i64::MAX, 2..6),
        width in 0_usize..8,
    ) {
        let name = |step: &i64| format!("vgg16_bn-seed42_{step:0width$}_lr1e-3.pth");
        let names: Vec<String> = steps_given.iter().map(name).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let found = steps(&names, StepFrom::Name).unwrap();
        let found: Vec<i64> = found.into_iter().map(|(_, step)| step).collect();
        prop_assert_eq!(found, steps_given.into_iter().collect::<Vec<_>>());
    }
}
