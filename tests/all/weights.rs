//! Weights files that load: every container, element type, wrapper and layout, as PyTorch wrote
//! them (`fixtures/weights/make.py`).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use burn_pack::{Bytes, DType as PackType, Tensor, Writer};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use vggscope::weights::{DType, Entry, Format, WeightsFile};

#[derive(Deserialize)]
struct Expected {
    prefix: String,
    tensors: BTreeMap<String, Values>,
    /// `features.0.weight` of the networks under other keys.
    #[serde(default)]
    under: BTreeMap<String, Values>,
}

#[derive(Deserialize)]
struct Values {
    shape: Vec<usize>,
    first: Vec<Option<f32>>,
    sha256: String,
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/weights")
        .join(name)
}

fn expected() -> BTreeMap<String, Expected> {
    let text = fs::read_to_string(fixture("expected.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The first 16 digits of the SHA-256 of the values as little-endian `f32`.
fn digest(values: &[f32]) -> String {
    let bytes: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    let mut digits = sha256(&bytes);
    digits.truncate(16);
    digits
}

fn sha256(bytes: &[u8]) -> String {
    let mut digits = String::new();
    for byte in Sha256::digest(bytes) {
        write!(digits, "{byte:02x}").unwrap();
    }
    digits
}

#[track_caller]
fn check(file: &WeightsFile, name: &str, expected: &Values) {
    let at = file.path().display();
    let shape = file.shape(name).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(shape, expected.shape, "{at}: {name}");
    let values = file.read(name).unwrap_or_else(|e| panic!("{e}"));
    for (value, first) in values.iter().zip(&expected.first) {
        if let Some(first) = first {
            assert_eq!(value.to_bits(), first.to_bits(), "{at}: {name}");
        }
    }
    assert_eq!(digest(&values), expected.sha256, "{at}: {name}");
}

#[test]
fn every_file_gives_what_torch_gives() {
    let expected = expected();
    assert!(expected.len() > 25, "the list of fixtures is truncated");
    for (name, expected) in &expected {
        let file = WeightsFile::open(fixture(name)).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(file.prefix(), expected.prefix, "{name}");
        for (tensor, values) in &expected.tensors {
            check(&file, tensor, values);
        }
    }
}

/// Pruned weights and the two generations of weight and spectral norm give what `layer.weight` gives.
#[test]
fn weights_in_parts_are_multiplied_out() {
    let text = fs::read_to_string(fixture("near.json")).unwrap();
    let files: BTreeMap<String, BTreeMap<String, Vec<f32>>> = serde_json::from_str(&text).unwrap();
    assert_eq!(files.len(), 4);
    for (name, tensors) in files {
        let file = WeightsFile::open(fixture(&name)).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(file.entries().count(), 4, "{name}");
        for (tensor, expected) in tensors {
            let values = file.read(&tensor).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(values.len(), expected.len(), "{name} {tensor}");
            for (value, expected) in values.iter().zip(&expected) {
                let apart = (value - expected).abs();
                assert!(
                    apart <= 1e-6 * expected.abs().max(0.1),
                    "{name} {tensor}: {value}, {expected}"
                );
            }
        }
    }
}

#[test]
fn a_key_chooses_among_networks_and_the_others_are_listed() {
    let path = fixture("net_and_ema.pth");
    let file = WeightsFile::open(&path).unwrap();
    assert_eq!(file.others().collect::<Vec<_>>(), ["net_ema.module"]);
    for key in ["net_ema", "net_ema.module"] {
        let file = WeightsFile::open_under(&path, Some(key)).unwrap();
        assert_eq!(file.prefix(), "net_ema.module.");
        let expected = &expected()["net_and_ema.pth"].under["net_ema"];
        check(&file, "features.0.weight", expected);
        assert_eq!(file.others().collect::<Vec<_>>(), [""; 0]);
    }
    let path = fixture("two_networks.pth");
    let file = WeightsFile::open_under(&path, Some("teacher")).unwrap();
    assert_eq!(file.prefix(), "teacher.");
}

#[test]
fn formats_are_recognized_by_content() {
    let folder = tempfile::tempdir().unwrap();
    for (name, format) in [
        ("zip.pth", Format::TorchZip),
        ("deflated.pth", Format::TorchZip),
        ("legacy.pth", Format::TorchLegacy),
        ("f16.safetensors", Format::Safetensors),
    ] {
        let path = folder.path().join("no_ending");
        fs::copy(fixture(name), &path).unwrap();
        assert_eq!(WeightsFile::open(&path).unwrap().format(), format, "{name}");
    }
}

#[test]
fn names_are_torchvisions_and_raw_names_the_files() {
    let file = WeightsFile::open(fixture("nested.pth")).unwrap();
    let first = file.entries().next().unwrap();
    assert_eq!(first.name(), "features.0.weight");
    assert_eq!(
        first.raw_name(),
        "model.state_dict._orig_mod.module.features.0.weight"
    );
    assert_eq!(first.shape(), [2, 3, 3, 3]);
    assert_eq!(*first.dtype(), DType::F32);
}

#[test]
fn what_the_run_does_not_need_is_listed() {
    let file = WeightsFile::open(fixture("ema.pth")).unwrap();
    let needed = ["features.0.weight", "features.0.bias"];
    let unused: Vec<&str> = file.unused(&needed).map(Entry::raw_name).collect();
    assert_eq!(unused.len(), 2 + 4 + 4);
    assert!(unused.contains(&"model.features.2.bias"));
    assert!(unused.contains(&"model_ema.features.0.weight"));
    assert!(!unused.contains(&"model.features.0.weight"));

    // An optimizer, an integer counter: present, and ignored.
    let file = WeightsFile::open(fixture("training.pth")).unwrap();
    let optimizer = "optimizer_state_dict.state.0.momentum_buffer";
    assert!(
        file.unused(&needed)
            .any(|entry| entry.raw_name() == optimizer)
    );
    let file = WeightsFile::open(fixture("batch_norm.pth")).unwrap();
    let counter = file.get("features.1.num_batches_tracked").unwrap();
    assert_eq!(*counter.dtype(), DType::I64);
    assert!(counter.shape().is_empty());
}

#[test]
fn the_hash_is_sha256sums() {
    let path = fixture("f32.safetensors");
    let file = WeightsFile::open(&path).unwrap();
    assert_eq!(file.sha256().unwrap(), sha256(&fs::read(&path).unwrap()));
}

#[test]
fn threads_may_read_at_once() {
    for name in ["zip.pth", "legacy.pth", "deflated.pth"] {
        let expected = &expected()[name];
        let file = WeightsFile::open(fixture(name)).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for (tensor, values) in &expected.tensors {
                        check(&file, tensor, values);
                    }
                });
            }
        });
    }
}

/// A pack as `burn-store` writes this crate's `Vgg`: enum variants in the paths, `gamma` and
/// `beta`, linear weights as `[inputs, outputs]`.
fn burn_pack(names: &[(&str, &[usize])]) -> (tempfile::TempDir, PathBuf) {
    let tensors = names.iter().map(|(name, shape)| {
        let count: usize = shape.iter().product();
        let bytes = (0_u16..)
            .map(f32::from)
            .take(count)
            .flat_map(f32::to_le_bytes)
            .collect();
        Tensor::new(
            (*name).to_owned(),
            PackType::F32,
            shape.to_vec(),
            None,
            Bytes::from_bytes_vec(bytes),
        )
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vgg.bpk");
    Writer::new(tensors.collect()).write_to_file(&path).unwrap();
    (folder, path)
}

#[test]
fn a_burn_pack_is_converted_to_torchs_names_and_layout() {
    let (_folder, path) = burn_pack(&[
        ("features.0.Convolution.weight", &[2, 3, 3, 3]),
        ("features.0.Convolution.bias", &[2]),
        ("features.1.BatchNorm.gamma", &[2]),
        ("features.1.BatchNorm.beta", &[2]),
        ("features.1.BatchNorm.running_mean", &[2]),
        ("features.1.BatchNorm.running_var", &[2]),
        ("classifier.hidden1.weight", &[3, 2]),
        ("classifier.hidden1.bias", &[2]),
        ("classifier.hidden2.weight", &[2, 2]),
        ("classifier.hidden2.bias", &[2]),
    ]);
    let file = WeightsFile::open(&path).unwrap();
    assert_eq!(file.format(), Format::BurnPack);
    let names: Vec<&str> = file.entries().map(Entry::name).collect();
    assert!(names.contains(&"features.1.weight"), "{names:?}");
    assert_eq!(file.shape("features.0.weight").unwrap(), [2, 3, 3, 3]);
    assert_eq!(file.shape("features.1.bias").unwrap(), [2]);
    assert_eq!(file.shape("classifier.0.weight").unwrap(), [2, 3]);
    assert_eq!(
        file.read("features.0.weight").unwrap(),
        (0_u16..54).map(f32::from).collect::<Vec<_>>()
    );
    // [[0, 1], [2, 3], [4, 5]] transposed.
    assert_eq!(
        file.read("classifier.0.weight").unwrap(),
        [0.0, 2.0, 4.0, 1.0, 3.0, 5.0]
    );
    assert_eq!(
        file.read("classifier.3.weight").unwrap(),
        [0.0, 2.0, 1.0, 3.0]
    );
    let gamma = file.get("features.1.weight").unwrap();
    assert_eq!(gamma.raw_name(), "features.1.BatchNorm.gamma");
}

#[test]
fn a_burn_pack_in_torchs_layout_is_left_as_it_is() {
    let (_folder, path) = burn_pack(&[
        ("module.features.0.weight", &[2, 3, 3, 3]),
        ("module.features.0.bias", &[2]),
        ("module.classifier.0.weight", &[2, 3]),
        ("module.classifier.0.bias", &[2]),
    ]);
    let file = WeightsFile::open(&path).unwrap();
    assert_eq!(file.prefix(), "module.");
    assert_eq!(file.shape("classifier.0.weight").unwrap(), [2, 3]);
    assert_eq!(
        file.read("classifier.0.weight").unwrap(),
        [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    );
}

/// A zip archive of torch's, with another name than its file had: what `torch.save` would have written under that.
fn renamed(archive: &[u8], stem: &str, with_zip64: bool) -> Vec<u8> {
    let number = |at: usize, width: usize| {
        let bytes = &archive[at..at + width];
        bytes
            .iter()
            .rev()
            .fold(0, |sum, &byte| sum << 8 | usize::from(byte))
    };
    let end = archive
        .windows(4)
        .rposition(|four| four == b"PK\x05\x06")
        .unwrap();
    let tail = number(end + 16, 4) + number(end + 12, 4);
    let (mut files, mut directory) = (Vec::new(), Vec::new());
    let mut at = number(end + 16, 4);
    while at < tail {
        let (name_len, local) = (number(at + 28, 2), number(at + 42, 4));
        let name = std::str::from_utf8(&archive[at + 46..at + 46 + name_len]).unwrap();
        let name = format!("{stem}/{}", name.split_once('/').unwrap().1);
        let len = u16::try_from(name.len()).unwrap().to_le_bytes();
        let start = u32::try_from(files.len()).unwrap().to_le_bytes();
        let data = local + 30 + name_len;
        // Behind the data there are its checksum and sizes, 16 bytes.
        let data_end = data + number(local + 28, 2) + number(at + 20, 4) + 16;
        for part in [
            &archive[local..local + 26],
            &len,
            &archive[local + 28..local + 30],
        ] {
            files.extend_from_slice(part);
        }
        files.extend_from_slice(name.as_bytes());
        files.extend_from_slice(&archive[data..data_end]);
        for part in [
            &archive[at..at + 28],
            &len,
            &archive[at + 30..at + 42],
            &start,
        ] {
            directory.extend_from_slice(part);
        }
        directory.extend_from_slice(name.as_bytes());
        at += 46 + name_len;
    }
    let (start, size) = (files.len(), directory.len());
    let mut bytes = [files, directory].concat();
    if with_zip64 {
        // The size is followed by versions and disks, the records' counts stay as they are.
        bytes.extend_from_slice(&archive[tail..tail + 40]);
        bytes.extend_from_slice(&(size as u64).to_le_bytes());
        bytes.extend_from_slice(&(start as u64).to_le_bytes());
        bytes.extend_from_slice(&archive[tail + 56..tail + 64]);
        bytes.extend_from_slice(&((start + size) as u64).to_le_bytes());
        bytes.extend_from_slice(&archive[tail + 72..end]);
    }
    bytes.extend_from_slice(&archive[end..end + 12]);
    bytes.extend_from_slice(&u32::try_from(size).unwrap().to_le_bytes());
    bytes.extend_from_slice(&u32::try_from(start).unwrap().to_le_bytes());
    bytes.extend_from_slice(&archive[end + 20..]);
    bytes
}

/// The directory of one with a name of 21 bytes was looked for 76 bytes too late.
#[test]
fn a_file_of_torchs_may_have_any_name() {
    let folder = tempfile::tempdir().unwrap();
    let archive = fs::read(fixture("protocol3.pth")).unwrap();
    let expected = &expected()["protocol3.pth"];
    assert!(renamed(&archive, "protocol3", true) == archive);
    for len in 1..=120 {
        for with_zip64 in [true, false] {
            let path = folder.path().join("weights.pth");
            fs::write(&path, renamed(&archive, &"n".repeat(len), with_zip64)).unwrap();
            let file = WeightsFile::open(&path).unwrap_or_else(|e| panic!("{len} bytes: {e}"));
            for (tensor, values) in &expected.tensors {
                check(&file, tensor, values);
            }
        }
    }
}
