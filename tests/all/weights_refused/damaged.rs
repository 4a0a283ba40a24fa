//! Truncated and changed files.

use std::fs;
use std::path::Path;

use burn_pack::{Bytes, DType, Tensor, Writer};
use proptest::prelude::*;
use vggscope::weights::WeightsFile;

use super::{assert_says, fixture, message_for, refused};

/// A file truncated anywhere gives an error, and where it is long enough to be recognized, one that
/// says so.
#[test]
fn a_truncated_file_says_so() {
    for name in ["zip.pth", "legacy.pth", "f32.safetensors"] {
        let bytes = fs::read(fixture(name)).unwrap();
        let end = bytes.len();
        for len in (1..end).step_by(97).chain([end - 1]) {
            let text = message_for(&bytes[..len]);
            if len > 600 {
                assert_says(&text, &["is truncated", "did not finish"]);
            }
        }
    }
}

/// A small Burn pack.
fn burn_pack() -> Vec<u8> {
    let tensors = [
        ("features.0.Convolution.weight", vec![2, 3, 3, 3]),
        ("x.bias", vec![2]),
    ];
    let tensors = tensors.into_iter().map(|(name, shape)| {
        let bytes = vec![0; shape.iter().product::<usize>() * 4];
        let bytes = Bytes::from_bytes_vec(bytes);
        Tensor::new(name.to_owned(), DType::F32, shape, None, bytes)
    });
    Writer::new(tensors.collect())
        .into_bytes()
        .unwrap()
        .to_vec()
}

#[test]
fn a_truncated_burn_pack_says_so() {
    let bytes = burn_pack();
    for len in (1..bytes.len()).step_by(7) {
        message_for(&bytes[..len]);
    }
    assert_says(&message_for(&bytes[..bytes.len() - 1]), &["is truncated"]);
    assert_says(&message_for(&bytes[..40]), &["Burn pack"]);
}

/// Sparse files of 50 GB, which would be read to their end.
#[test]
fn what_stands_behind_a_file_is_damage() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("long.pth");
    let safetensors = fs::read(fixture("f32.safetensors")).unwrap();
    for bytes in [burn_pack(), safetensors] {
        fs::write(&path, bytes).unwrap();
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_len(50 << 30).unwrap();
        let text = refused(&path).to_string();
        assert_says(&text, &["is damaged", "the file has 53687091200"]);
    }
}

/// A header that is said to be longer than the file, for which the crate would make room.
#[test]
fn a_burn_pack_of_a_header_alone_is_truncated() {
    let mut bytes = burn_pack()[..10].to_vec();
    bytes[6..].copy_from_slice(&(100_u32 << 20).to_le_bytes());
    let text = message_for(&bytes);
    assert_says(&text, &["is truncated", "Burn pack", "104857600"]);
}

/// A changed byte in a storage of a zip archive is found by its checksum.
#[test]
fn a_flipped_bit_is_found() {
    let bytes = fs::read(fixture("zip.pth")).unwrap();
    let file = WeightsFile::open(fixture("zip.pth")).unwrap();
    let first = file.read("features.0.weight").unwrap()[5].to_le_bytes();
    let at = bytes.windows(4).position(|four| four == first).unwrap();
    let mut damaged = bytes;
    damaged[at] ^= 1;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged.pth");
    fs::write(&path, damaged).unwrap();
    let file = WeightsFile::open(&path).unwrap();
    let error = file.read("features.0.weight").unwrap_err();
    assert_says(&error.to_string(), &["`features.0.weight`"]);
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert_says(&cause, &["checksum"]);
    file.read("features.3.weight").unwrap();
}

/// Opens and reads whatever it can; only a panic or an endless loop fails.
fn try_all(path: &Path) {
    if let Ok(file) = WeightsFile::open(path) {
        let names: Vec<String> = file
            .entries()
            .map(|entry| entry.name().to_owned())
            .collect();
        for name in names {
            let count = file
                .get(&name)
                .map_or(0, |entry| entry.shape().iter().product());
            if count < 1 << 20 {
                let _ = file.read(&name);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn damage_never_panics(
        name in prop::sample::select(vec![
            "views.pth", "views_legacy.pth", "beside_legacy.pth", "beside.pth",
            "f32.safetensors", "deflated.pth", "protocol5.pth", "training.pth", "Burn pack",
        ]),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        end in any::<prop::sample::Index>(),
        is_truncated in any::<bool>(),
    ) {
        let mut bytes = match name {
            "Burn pack" => burn_pack(),
            name => fs::read(fixture(name)).unwrap(),
        };
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if is_truncated {
            bytes.truncate(end.index(bytes.len()));
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("damaged.pth");
        fs::write(&path, bytes).unwrap();
        try_all(&path);
    }

    /// Random opcodes behind a pickle's first two bytes.
    #[test]
    fn random_pickles_never_panic(opcodes in prop::collection::vec(
        prop_oneof![
            prop::sample::select(b"(.0123)]}NKqhtlduasebRQcoi\x81\x85\x86\x87\x8f\x90\x91\x92\x93\x94".to_vec()),
            any::<u8>(),
        ],
        0..200,
    )) {
        let mut bytes = vec![0x80, 4];
        bytes.extend(opcodes);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("random.pkl");
        fs::write(&path, bytes).unwrap();
        try_all(&path);
    }
}
