use std::path::PathBuf;

use proptest::prelude::*;
use safetensors::{Dtype, SafeTensors};
use tempfile::TempDir;

use super::*;
use crate::one_line::one_line;

fn about() -> GramsAbout {
    GramsAbout {
        images: "a1b2".to_owned(),
        minibatches: vec![2, 3],
        preprocess: "resize 256, \"crop\" 224".to_owned(),
        features: "flattened".to_owned(),
        arch: "vgg16".to_owned(),
    }
}

fn layers() -> Vec<String> {
    ["00_conv1_1", "05_conv2_1"].map(str::to_owned).into()
}

/// Values that count up from `first`.
fn gram(first: u8) -> Gram {
    let mut next = (first..).map(f32::from);
    let mut block = |size: usize| next.by_ref().take(size * size).collect();
    Gram::new([block(2), block(3)])
}

fn grams(first: u8) -> Grams {
    let grams = [gram(first), gram(first + 100)];
    layers().into_iter().zip(grams).collect()
}

fn writer(folder: &TempDir, first: i64) -> GramsWriter {
    GramsWriter::open(folder.path().join(GRAMS), about(), &layers(), first).unwrap()
}

/// A run of three steps, the second file of which is returned.
fn written() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let writer = writer(&folder, i64::MIN);
    for (step, first) in [(300, 20), (-5, 1), (0, 7)] {
        writer.write(step, &grams(first)).unwrap();
    }
    let path = folder.path().join(GRAMS).join("000000.safetensors");
    (folder, path)
}

fn read(folder: &TempDir) -> GramsReader {
    GramsReader::open(&folder.path().join(GRAMS))
        .unwrap()
        .unwrap()
}

#[test]
fn what_is_written_is_read() {
    let (folder, _) = written();
    let reader = read(&folder);
    assert_eq!((&reader.about, &reader.layers), (&about(), &layers()));
    assert_eq!(reader.steps().collect::<Vec<_>>(), [-5, 0, 300]);
    assert_eq!(reader.gram("00_conv1_1", -5).unwrap(), Some(gram(1)));
    assert_eq!(reader.gram("05_conv2_1", 300).unwrap(), Some(gram(120)));
    for (layer, step) in [("00_conv1_1", 1), ("steps", 0)] {
        assert_eq!(reader.gram(layer, step).unwrap(), None);
    }
    let none = GramsReader::open(&folder.path().join("none")).unwrap();
    assert!(none.is_none());
}

#[test]
fn a_run_that_resumes_has_the_steps_before() {
    let (folder, path) = written();
    assert!(writer(&folder, 300).is_whole);
    assert_eq!(read(&folder).steps().collect::<Vec<_>>(), [-5, 0]);
    writer(&folder, 300).write(300, &grams(9)).unwrap();
    assert_eq!(read(&folder).steps().count(), 3);
    assert_eq!(
        read(&folder).gram("00_conv1_1", 300).unwrap(),
        Some(gram(9))
    );
    // A file of a process that was killed is no step.
    std::fs::write(path.with_extension("part"), "half").unwrap();
    assert_eq!(read(&folder).steps().count(), 3);
    // What is damaged goes alone.
    std::fs::write(&path, "damaged").unwrap();
    assert!(!writer(&folder, 301).is_whole);
    assert_eq!(read(&folder).steps().count(), 2);
    // Nothing of other images or layers.
    let other = GramsAbout {
        images: "b2".to_owned(),
        ..about()
    };
    let place = folder.path().join(GRAMS);
    let writer = GramsWriter::open(place.clone(), other, &layers(), 300).unwrap();
    assert!(!writer.is_whole);
    let (folder, _) = written();
    let place = folder.path().join(GRAMS);
    let writer = GramsWriter::open(place, about(), &layers()[..1], 300).unwrap();
    assert!(!writer.is_whole);
}

#[test]
fn parts_of_a_run_are_merged() {
    let (one, _) = written();
    let other = tempfile::tempdir().unwrap();
    writer(&other, 0).write(7, &grams(3)).unwrap();
    let [from, to] = [&other, &one].map(|folder| folder.path().join(GRAMS));
    copy_grams(&from, &to).unwrap();
    copy_grams(&from.join("none"), &to).unwrap();
    assert_eq!(read(&one).steps().collect::<Vec<_>>(), [-5, 0, 7, 300]);
    assert_eq!(first_without_grams(&to, &[-5, 0, 7, 300]), None);
    assert_eq!(first_without_grams(&to, &[-5, 0, 8, 300]), Some(8));
    std::fs::write(to.join("000000.safetensors"), b"").unwrap();
    assert_eq!(first_without_grams(&to, &[-5, 0, 7, 300]), Some(0));
    writer(&one, 301).write(0, &grams(3)).unwrap();
    assert_eq!(read(&one).gram("00_conv1_1", 7).unwrap(), Some(gram(3)));
}

/// By the crate, which is what Python's `safetensors` is made of.
#[test]
fn others_read_the_files() {
    let (_folder, path) = written();
    let bytes = std::fs::read(path).unwrap();
    let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
    let texts = metadata.metadata().clone().unwrap();
    for (key, value) in [
        ("vggscope-grams", "2"),
        ("minibatches", "2,3"),
        ("images", "a1b2"),
        ("image-count", "5"),
        ("preprocess", "resize 256, \"crop\" 224"),
        ("features", "flattened"),
        ("arch", "vgg16"),
    ] {
        assert_eq!(texts[key], value);
    }
    assert_eq!(texts.len(), 7);
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let layer = file.tensor("05_conv2_1").unwrap();
    assert_eq!((layer.dtype(), layer.shape()), (Dtype::F32, &[13][..]));
    let values: Vec<u8> = (107..120_u8)
        .flat_map(|n| f32::from(n).to_le_bytes())
        .collect();
    assert_eq!(layer.data(), values);
}

/// What is said of the run when one of its files holds these bytes.
fn error_of(bytes: &[u8]) -> String {
    let (folder, path) = written();
    std::fs::write(&path, bytes).unwrap();
    let reader = GramsReader::open(&folder.path().join(GRAMS));
    let read = reader.and_then(|reader| reader.unwrap().gram("00_conv1_1", 0));
    let text = one_line(&read.unwrap_err());
    assert!(text.contains("grams/000000.safetensors"), "{text}");
    text
}

#[test]
fn damaged_files_are_refused() {
    let (_folder, path) = written();
    let bytes = std::fs::read(&path).unwrap();
    for length in 0..bytes.len() {
        let text = error_of(&bytes[..length]);
        assert!(text.contains("truncated"), "{length}: {text}");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert!(error_of(&longer).contains("damaged: its header describes"));
    assert!(error_of(b"GIF89a, for sure not safetensors").contains("no safetensors file"));

    // Of the same length, so that only one thing is wrong.
    let with = |old: &str, new: &str| {
        let at = bytes
            .windows(old.len())
            .position(|part| part == old.as_bytes());
        let mut other = bytes.clone();
        other[at.unwrap()..][..new.len()].copy_from_slice(new.as_bytes());
        error_of(&other)
    };
    for (old, new, part) in [
        (
            "\"vggscope-grams\":\"2\"",
            "\"vggscope-grams\":\"3\"",
            "has the format 3",
        ),
        ("vggscope-grams", "vggscope-graus", "no Gram matrices"),
        ("\"2,3\"", "\"2,2\"", "minibatches have 4 images, not 5"),
        ("\"2,3\"", "\"2;3\"", "`minibatches` must be numbers"),
        ("\"2,3\"", "\"3,2\"", "is of other images"),
        ("a1b2", "a1b3", "is of other images"),
        ("flattened", "flattenes", "is of other images"),
        ("arch", "ahrc", "no `arch`"),
        ("F32", "I32", "is I32 [13], expected F32 [13]"),
        ("{", "[", "safetensors header"),
    ] {
        let text = with(old, new);
        assert!(text.contains(part) && !text.contains('\n'), "{text}");
    }
}

proptest! {
    #[test]
    fn no_byte_makes_a_panic(changes in prop::collection::vec((0_usize..1200, any::<u8>()), 1..4)) {
        let (folder, path) = written();
        let mut bytes = std::fs::read(&path).unwrap();
        let length = bytes.len();
        for (at, byte) in changes {
            bytes[at % length] = byte;
        }
        std::fs::write(&path, bytes).unwrap();
        if let Ok(Some(reader)) = GramsReader::open(&folder.path().join(GRAMS)) {
            for layer in layers() {
                let _ = reader.gram(&layer, 0);
            }
        }
    }
}
