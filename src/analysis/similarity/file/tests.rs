use std::collections::BTreeMap;
use std::path::PathBuf;

use proptest::prelude::*;
use safetensors::{Dtype, SafeTensors};
use tempfile::TempDir;

use super::*;
use crate::analysis::similarity::Gram;
use crate::one_line::one_line;

fn layout() -> GramsLayout {
    GramsLayout {
        steps: vec![-5, 0, 300],
        layers: ["00_conv1_1", "05_conv2_1"].map(str::to_owned).to_vec(),
        sizes: vec![2, 3],
        about: GramsAbout {
            images: "a1b2".to_owned(),
            preprocess: "resize 256, \"crop\" 224".to_owned(),
            features: "flattened".to_owned(),
            arch: "vgg16".to_owned(),
        },
    }
}

/// Values that count up from `first`.
fn gram(first: u8) -> Gram {
    let mut next = (first..).map(f32::from);
    let mut block = |size| (size, next.by_ref().take(size * size).collect());
    Gram::new(vec![block(2), block(3)])
}

fn grams(first: u8) -> BTreeMap<String, Gram> {
    let layers = layout().layers.into_iter();
    layers.zip([gram(first), gram(first + 100)]).collect()
}

/// A file in which the middle checkpoint never came.
fn written() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(GRAMS);
    let mut writer = GramsWriter::create(&path, layout()).unwrap();
    writer.write(2, &grams(20)).unwrap();
    writer.write(0, &grams(1)).unwrap();
    (folder, path)
}

#[test]
fn what_is_written_is_read() {
    let (_folder, path) = written();
    let reader = GramsReader::open(&path).unwrap();
    assert_eq!(*reader.layout(), layout());
    assert_eq!(
        reader.checkpoints().collect::<Vec<_>>(),
        [(0, -5), (2, 300)]
    );
    assert_eq!(reader.gram("00_conv1_1", 0).unwrap(), Some(gram(1)));
    assert_eq!(reader.gram("05_conv2_1", 2).unwrap(), Some(gram(120)));
    for (layer, checkpoint) in [
        ("00_conv1_1", 1),
        ("00_conv1_1", 3),
        ("steps", 0),
        ("05_conv2_1", usize::MAX),
    ] {
        assert_eq!(reader.gram(layer, checkpoint).unwrap(), None);
    }
}

/// By the crate, which is what Python's `safetensors` is made of.
#[test]
fn others_read_the_file_from_its_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(GRAMS);
    let mut writer = GramsWriter::create(&path, layout()).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let flags = |bytes: &[u8]| {
        let file = SafeTensors::deserialize(bytes).unwrap();
        file.tensor("written").unwrap().data().to_vec()
    };
    assert_eq!(flags(&bytes), [0, 0, 0]);

    writer.write(1, &grams(7)).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(flags(&bytes), [0, 1, 0]);
    let (length, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
    assert_eq!(length % 8, 0);
    let texts = metadata.metadata().clone().unwrap();
    for (key, value) in [
        ("vggscope-grams", "1"),
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
    let steps: Vec<u8> = [-5_i64, 0, 300]
        .iter()
        .flat_map(|n| n.to_le_bytes())
        .collect();
    assert_eq!(file.tensor("steps").unwrap().data(), steps);
    let layer = file.tensor("05_conv2_1").unwrap();
    assert_eq!((layer.dtype(), layer.shape()), (Dtype::F32, &[3, 13][..]));
    let values: Vec<u8> = (107..120_u8)
        .flat_map(|n| f32::from(n).to_le_bytes())
        .collect();
    assert_eq!(layer.data()[13 * 4..13 * 8], values);
}

#[test]
fn what_has_no_place_is_refused() {
    let (_folder, path) = written();
    let refused = |layout: GramsLayout, part: &str| {
        let error = GramsWriter::create(&path, layout).map(|_| ()).unwrap_err();
        assert!(one_line(&error).contains(part), "{error}");
    };
    refused(
        GramsLayout {
            steps: vec![0, 3, 3],
            ..layout()
        },
        "found 3 after 3",
    );
    refused(
        GramsLayout {
            layers: vec!["steps".to_owned()],
            ..layout()
        },
        "`steps`",
    );
    refused(
        GramsLayout {
            sizes: vec![usize::MAX],
            ..layout()
        },
        "cannot write",
    );

    let mut writer = GramsWriter::create(&path, layout()).unwrap();
    let mut refused = |checkpoint, grams: BTreeMap<String, Gram>, part: &str| {
        let error = writer.write(checkpoint, &grams).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
    };
    refused(3, grams(0), "expected 3 checkpoints, found number 4");
    let mut other = grams(0);
    other.insert("09_pool2".to_owned(), gram(0));
    refused(0, other, "09_pool2");
    let mut other = grams(0);
    other.remove("00_conv1_1");
    refused(0, other, "expected 2 layers, found 1");
    let mut other = grams(0);
    other.insert("00_conv1_1".to_owned(), Gram::new(vec![(5, vec![0.0; 25])]));
    refused(0, other, "expected minibatches of [2, 3], found [5]");
    // None of them counts as written.
    let reader = GramsReader::open(&path).unwrap();
    assert_eq!(reader.checkpoints().count(), 0);
}

fn error_of(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(GRAMS);
    std::fs::write(&path, bytes).unwrap();
    let text = one_line(&GramsReader::open(&path).unwrap_err());
    assert!(text.contains(GRAMS), "{text}");
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
    assert!(error_of(&longer).contains("damaged: expected"));
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
            "\"vggscope-grams\":\"1\"",
            "\"vggscope-grams\":\"2\"",
            "has the format 2",
        ),
        ("vggscope-grams", "vggscope-graus", "no Gram matrices"),
        ("\"2,3\"", "\"2,2\"", "minibatches have 4 images, not 5"),
        ("\"2,3\"", "\"2;3\"", "`minibatches` must be numbers"),
        ("\"2,3\"", "\"1,4\"", "is F32 [3, 13], expected F32 [3, 17]"),
        ("arch", "ahrc", "no `arch`"),
        ("\"steps\"", "\"stepz\"", "no `steps`"),
        ("\"written\"", "\"writtem\"", "`writtem` is U8"),
        ("I64", "U64", "`steps` is U64"),
        ("[3,13]", "[13,3]", "is F32 [13, 3]"),
        ("{", "[", "safetensors header"),
    ] {
        let text = with(old, new);
        assert!(text.contains(part) && !text.contains('\n'), "{text}");
    }

    // Steps that fall.
    let at = bytes
        .windows(8)
        .position(|part| part == (-5_i64).to_le_bytes());
    let mut other = bytes.clone();
    other[at.unwrap()..][..8].copy_from_slice(&9_i64.to_le_bytes());
    assert!(error_of(&other).contains("found 0 after 9"));
}

#[test]
fn a_missing_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(GRAMS);
    let text = one_line(&GramsReader::open(&path).unwrap_err());
    assert!(
        text.starts_with("cannot read") && text.contains(GRAMS),
        "{text}"
    );
}

proptest! {
    #[test]
    fn no_byte_makes_a_panic(changes in prop::collection::vec((0_usize..1200, any::<u8>()), 1..4)) {
        let (_folder, path) = written();
        let mut bytes = std::fs::read(&path).unwrap();
        let length = bytes.len();
        for (at, byte) in changes {
            bytes[at % length] = byte;
        }
        std::fs::write(&path, bytes).unwrap();
        if let Ok(reader) = GramsReader::open(&path) {
            for layer in reader.layout().layers.clone() {
                for checkpoint in 0..reader.layout().steps.len() {
                    let _ = reader.gram(&layer, checkpoint);
                }
            }
        }
    }
}
