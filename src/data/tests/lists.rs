//! Lists of images, of folders made for the test.

use std::fs;
use std::path::{Path, PathBuf};

use super::decoding::with_sources;
use crate::data::find::FindError;
use crate::data::list::list_images;
use crate::data::notes::InputNotes;
use tempfile::TempDir;

pub(super) fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes).unwrap();
    path
}

fn listed(words: &[PathBuf], root: &Path) -> Vec<(String, String)> {
    let images = list_images(words, &InputNotes::default()).unwrap();
    let relative = |path: &Path| path.strip_prefix(root).unwrap().display().to_string();
    images
        .iter()
        .map(|image| (relative(&image.path), image.name.clone()))
        .collect()
}

pub(super) fn folder_of(names: &[&str]) -> TempDir {
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
    let folder = folder_of(&["cats/1.png", "dogs/1.png", "dogs/1.jpg", "dogs/Summary.png"]);
    let names = listed(&[folder.path().to_owned()], folder.path());
    let names: Vec<&str> = names.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(names, ["cats_1", "dogs_1", "dogs_1_2", "Summary_2"]);
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
fn links_are_followed() {
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
    // Links that lead nowhere are left out and named, in folders and among matches.
    symlink("nowhere.jpg", root.join("gone.png")).unwrap();
    symlink("self.png", root.join("self.png")).unwrap();
    for words in [root.to_owned(), root.join("**/*.png")] {
        let notes = InputNotes::default();
        assert_eq!(list_images(&[words], &notes).unwrap().len(), 2);
        let note = notes.lines().join("\n");
        for link in [
            "gone.png (a link to nowhere.jpg, ",
            "self.png (a link to self.png, ",
        ] {
            assert!(note.contains(link), "{note}");
        }
        assert!(!note.contains("lock"), "{note}");
    }
    for (name, expected) in [
        (
            "gone.png",
            "gone.png: a link to nowhere.jpg, which leads nowhere: there is no such file",
        ),
        (
            "self.png",
            "self.png: a link to self.png, which leads nowhere: Too many levels",
        ),
    ] {
        let error = list_images(&[root.join(name)], &InputNotes::default()).unwrap_err();
        assert!(matches!(error, FindError::Link { .. }), "{error:?}");
        let text = with_sources(&error);
        assert!(text.contains(expected), "{text}");
    }
}

#[cfg(unix)]
#[test]
fn links_to_a_folder_above_are_left_out_and_named() {
    use std::os::unix::fs::symlink;
    let folder = folder_of(&["photos/real/a.png", "photos/b.png", "c.png"]);
    let root = folder.path().canonicalize().unwrap();
    for (to, link) in [
        ("photos", "photos/real/above"),
        ("photos/real", "photos/real/here"),
        // A folder above the one that is named.
        ("", "photos/up"),
        ("photos", "photos/.hidden"),
    ] {
        symlink(root.join(to), root.join(link)).unwrap();
    }
    for word in ["photos", "photos/*"] {
        let notes = InputNotes::default();
        let images = list_images(&[root.join(word)], &notes).unwrap();
        let names: Vec<&str> = images.iter().map(|image| &*image.name).collect();
        assert_eq!(names, ["b", "a"], "{word}");
        let lines = notes
            .lines()
            .join("\n")
            .replace(&root.display().to_string(), "ROOT");
        assert_eq!(
            lines,
            "left out: ROOT/photos/real/above (a link to ROOT/photos, a folder above it), \
             ROOT/photos/real/here (a link to ROOT/photos/real, a folder above it), \
             ROOT/photos/up (a link to ROOT, a folder above it)",
            "{word}"
        );
    }
}

#[cfg(unix)]
#[test]
fn a_folder_without_permission_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder_of(&["a.png", "locked/b.png"]);
    let locked = folder.path().join("locked");
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).unwrap();
    // Nothing is locked for the superuser.
    if fs::read_dir(&locked).is_err() {
        let error = list_images(&[folder.path()], &InputNotes::default()).unwrap_err();
        let text = with_sources(&error);
        assert!(
            text.contains("locked: cannot be read: Permission denied"),
            "{text}"
        );
    }
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn words_that_name_nothing() {
    let folder = folder_of(&["empty/.x.png", "empty/readme.txt"]);
    let root = folder.path();
    let error = |word: &str| list_images(&[root.join(word)], &InputNotes::default()).unwrap_err();

    assert!(matches!(
        list_images::<PathBuf>(&[], &InputNotes::default()).unwrap_err(),
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
