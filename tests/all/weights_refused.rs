//! Weights files that must be refused: each with one line that names the file, the cause and the
//! way out, and none with a panic or a command run.

use std::fs;
use std::path::{Path, PathBuf};

use burn_pack::{Bytes, DType, Tensor, Writer};
use proptest::prelude::*;
use vggscope::weights::{WeightsError, WeightsErrorKind, WeightsFile};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/weights")
        .join(name)
}

#[track_caller]
fn refused(path: &Path) -> WeightsError {
    match WeightsFile::open(path) {
        Ok(_) => panic!("{} was opened", path.display()),
        Err(error) => {
            let text = error.to_string();
            assert!(!text.contains('\n'), "{text}");
            assert!(text.starts_with(&path.display().to_string()), "{text}");
            error
        }
    }
}

/// The message for a file of the fixtures.
#[track_caller]
fn message(name: &str) -> String {
    refused(&fixture(name)).to_string()
}

/// The message for a file of these bytes.
#[track_caller]
fn message_for(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.pth");
    fs::write(&path, bytes).unwrap();
    refused(&path).to_string()
}

#[track_caller]
fn assert_says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
}

#[test]
fn a_pickle_that_runs_code_is_named_and_not_run() {
    for (name, callable) in [
        ("evil_beside.pth", "posix.system"),
        ("evil_protocol4.pth", "posix.system"),
        ("evil_root.pth", "posix.system"),
        ("evil_legacy.pth", "posix.system"),
        ("evil_eval.pth", "builtin__.eval"),
        ("evil_getattr.pth", "builtin__.getattr"),
        ("evil_memo.pkl", "posix.system"),
    ] {
        let error = refused(&fixture(name));
        assert!(
            matches!(error.kind, WeightsErrorKind::RunsCode { .. }),
            "{name}: {error}"
        );
        assert_says(&error.to_string(), &[callable, "nothing was run"]);
    }
    assert!(!Path::new("vggscope-was-run").exists());
}

/// The opcodes that push `module.name` and strings, and call.
fn pickle(body: &str) -> Vec<u8> {
    [b"\x80\x02", body.as_bytes(), b"."].concat()
}

/// `getattr` of a class is data; what it leads to, and whom it is handed to, is looked at.
#[test]
fn getattr_is_refused_where_it_leads_to_code() {
    for (body, callable) in [
        // getattr(torch.serialization, "os"), then its "system".
        (
            "cbuiltins\ngetattr\n(ctorch\nserialization\nX\x02\0\0\0ostR",
            "torch.serialization.os",
        ),
        (
            "c__builtin__\ngetattr\n(cnumpy\nndarray\nX\x0e\0\0\0__subclasses__tR",
            "numpy.ndarray.__subclasses__",
        ),
        (
            "c__builtin__\ngetattr\n(ca.b\nC\nX\x06\0\0\0systemtR",
            "a.b.C.system",
        ),
        // getattr of a string; handed to map; kept in a dict.
        (
            "c__builtin__\ngetattr\n(X\x01\0\0\0aX\x01\0\0\0btR",
            "__builtin__.getattr",
        ),
        (
            "c__builtin__\nmap\n(c__builtin__\ngetattr\n]tR",
            "__builtin__.getattr",
        ),
        ("}X\x01\0\0\0acbuiltins\ngetattr\ns", "builtins.getattr"),
    ] {
        let text = message_for(&pickle(body));
        assert_says(&text, &[callable, "nothing was run"]);
    }
}

#[test]
fn modules_that_are_no_vgg_are_named_by_their_tensors() {
    assert_says(
        &message("module_legacy.pth"),
        &["features.0.weight", "weight"],
    );
    assert_says(
        &message("torchscript.pt"),
        &["TorchScript", "torch.jit.load"],
    );
    assert_says(
        &message("unknown_parametrization.pth"),
        &["`features.0.weight`", "remove_parametrizations"],
    );
}

/// Each with the command that makes a file of it that is read.
#[test]
fn what_other_programs_write_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    };
    let torch = fs::read(fixture("zip.pth")).unwrap();
    for (name, bytes, parts) in [
        (
            "dcp/__0_0.distcp",
            &torch[..],
            &["dcp_to_torch", "dcp weights.pth"][..],
        ),
        (
            "vgg.mpk",
            b"\x82\xa8metadata\x87",
            &["Burn record", "BurnpackStore"],
        ),
        (
            "record",
            b"\x82\xa8metadata\x87",
            &["Burn record", "BurnpackStore"],
        ),
        ("vgg.h5", b"\x89HDF\r\n\x1a\n", &["HDF5", "torch.save"]),
        (
            "vgg.onnx",
            b"\x08\x07\x12\x07pytorch",
            &["ONNX", "numpy_helper"],
        ),
        (
            "model.ckpt.index",
            b"\0\0\x1c\x08",
            &["TensorFlow checkpoint"],
        ),
        (
            "model.ckpt.data-00000-of-00001",
            &[1; 40],
            &["TensorFlow checkpoint"],
        ),
        (
            "vgg.caffemodel",
            b"\x0a\x11VGG",
            &["Caffe model", "pytorch-vgg"],
        ),
        (
            "s/model.safetensors.index.json",
            br#"{"weight_map": {}}"#,
            &[
                "index of a model in several files",
                "import glob, torch, safetensors.torch; ",
                "load_file",
                "/s/*.safetensors",
            ],
        ),
        (
            "b/pytorch_model.bin.index.json",
            br#"{"weight_map": {}}"#,
            &[
                "index of a model in several files",
                "import glob, torch; ",
                "torch.load(f)",
                "/b/*.bin",
            ],
        ),
    ] {
        assert_says(&refused(&put(name, bytes)).to_string(), parts);
    }
    put("dcp/.metadata", b"");
    put("deep/zero_to_fp32.py", b"");
    put("tf/saved_model.pb", b"");
    put("one/model.safetensors", b"");
    put("none/readme.txt", b"");
    for (name, part) in [
        ("dcp", "dcp_to_torch"),
        ("deep", "zero_to_fp32.py"),
        ("tf", "TensorFlow model"),
        ("s", "load_file"),
        ("b", "torch.load(f)"),
        ("one", "one/model.safetensors"),
        ("none", "is a folder, not a weights file"),
    ] {
        assert_says(&refused(&folder.path().join(name)).to_string(), &[part]);
    }
}

#[test]
fn a_key_without_a_network_lists_those_that_are_there() {
    for (file, found) in [
        ("two_networks.pth", "`student`, `teacher`"),
        ("net_and_ema.pth", "`net`, `net_ema.module`"),
        ("zip.pth", "the top level"),
    ] {
        let error = WeightsFile::open_under(fixture(file), Some("swa")).unwrap_err();
        assert_says(&error.to_string(), &["`swa`", found]);
    }
}

#[test]
fn other_objects_are_named() {
    assert_says(
        &message("object.pth"),
        &["features.0.weight", "model.head.weight"],
    );
    assert_says(
        &message("no_tensors.pth"),
        &["holds a dict without tensors", "torch.save"],
    );
    assert_says(&message("plain.pkl"), &["plain pickle", "torch.save"]);
    assert_says(
        &message("one_tensor.pth"),
        &["holds a single tensor, not a state dict"],
    );
}

#[test]
fn arrays_of_numpy_are_named() {
    for name in ["numpy.pth", "numpy_protocol5.pth"] {
        assert_says(&message(name), &["NumPy arrays", "torch.tensor(v)"]);
    }
    assert_says(&message("numpy.pkl"), &["plain pickle", "NumPy"]);
}

#[test]
fn other_networks_are_recognized() {
    assert_says(
        &message("resnet.pth"),
        &[
            "features.0.weight",
            "ResNet",
            "torchvision's VGG",
            "bn1.weight",
        ],
    );
    assert_says(&message("keras_names.pth"), &["Keras", "block1_conv1"]);
    assert_says(&message("two_networks.pth"), &["`student`, `teacher`"]);
}

/// Chains of convolutions that are no VGG's, and a VGG's that lacks one.
#[test]
fn networks_of_another_structure_are_refused() {
    for (name, parts) in [
        (
            "squeezenet.pth",
            &["SqueezeNet", "features.3.squeeze.weight"][..],
        ),
        ("resnet14.pth", &["ResNet"]),
        ("four_convolutions.pth", &["first layer is `conv1`"]),
        (
            "alexnet.pth",
            &["features 0, 3, 6, 8, 10", "AlexNet", "torchvision's VGG"],
        ),
        ("gap.pth", &["features 0, 2, 7, 10,"]),
        ("discriminator.pth", &["features 0, 2, 5, 8,"]),
    ] {
        assert_says(&message(name), parts);
    }
}

#[test]
fn tensors_without_values_are_called_what_they_are() {
    assert_says(
        &message("sparse.pth"),
        &[
            "sparse tensor",
            "`features.0.weight`",
            "import torch; ",
            "to_dense()",
        ],
    );
    assert_says(
        &message("zero3.pth"),
        &[
            "`module.features.0.weight`",
            "ZeRO-3",
            "zero_to_fp32.py . weights.pth",
        ],
    );
    let file = WeightsFile::open(fixture("meta.pth")).unwrap();
    let error = file.read("features.0.weight").unwrap_err();
    assert_says(
        &error.to_string(),
        &["`features.0.weight`", "meta tensor", "no values"],
    );
}

/// Containers and pickles that `torch.save` no longer writes.
#[test]
fn files_from_before_2017_say_how_to_convert_them() {
    let convert = "torch.save(torch.load(FILE, weights_only=False), \"weights.pth\")";
    let mut tar = [0; 1024];
    tar[..8].copy_from_slice(b"sys_info");
    tar[257..262].copy_from_slice(b"ustar");
    assert_says(&message_for(&tar), &["before 2017", "tar archive", convert]);
    // `torch.save(…, pickle_protocol=0)`: the first pickle is the magic number, as text.
    let magic = b"L119547037146038801333356L\n.";
    assert_says(&message_for(magic), &["protocol 0 or 1", convert]);
    // Protocol 1 names itself in no opcode, or in a `PROTO` of its own.
    let legacy = fs::read(fixture("legacy.pth")).unwrap();
    let second = legacy.iter().position(|&byte| byte == b'.').unwrap() + 1;
    for dict in [&b"}q\x00."[..], b"\x80\x01}q\x00."] {
        let bytes = [&legacy[..second], dict].concat();
        assert_says(&message_for(&bytes), &["protocol 0 or 1", convert]);
    }
}

#[test]
fn what_is_missing_is_named_as_the_file_names_it() {
    let file = WeightsFile::open(fixture("training.pth")).unwrap();
    for error in [
        file.shape("features.5.weight").unwrap_err(),
        file.read("features.5.weight").unwrap_err(),
    ] {
        assert_says(
            &error.to_string(),
            &[
                "`model_state_dict.module.features.5.weight`",
                "nearest",
                "`model_state_dict.module.features.2.weight`",
            ],
        );
    }
}

#[test]
fn integers_are_no_weights() {
    let file = WeightsFile::open(fixture("quantised.pth")).unwrap();
    let error = file.shape("features.0.weight").unwrap_err();
    assert_says(
        &error.to_string(),
        &["`features.0.weight`", "quantized", "float32"],
    );
    let error = file.read("features.2.weight").unwrap_err();
    assert_says(&error.to_string(), &["`features.2.weight`", "int8"]);
}

#[test]
fn files_of_another_kind_are_called_what_they_are() {
    let lfs = "version https://git-lfs.github.com/spec/v1\noid sha256:397923af\nsize 553433881\n";
    assert_says(
        &message_for(lfs.as_bytes()),
        &["Git LFS pointer", "git lfs pull"],
    );
    assert_says(
        &message_for(b"<!DOCTYPE html>\n<html><body>404: not found</body></html>"),
        &["web page"],
    );
    assert_says(&message_for(b"\n  <html>caf\xc3\xa9"), &["web page"]);
    assert_says(
        &message_for(b"epoch 1 loss 0.5\n"),
        &["text file", ".safetensors"],
    );
    assert_says(&message_for("größe".as_bytes()), &["text file"]);
    assert_says(&message_for(b""), &["is empty"]);
    assert_says(&message_for(b"\x89HDF\r\n\x1a\n\0\0"), &["HDF5"]);
    assert_says(&message_for(b"\x1f\x8b\x08\0\0\0"), &["gzip"]);
    assert_says(&message_for(b"\x93NUMPY\x01\0"), &["NumPy"]);
    assert_says(&message_for(&[0; 64]), &["an unknown weights format"]);
    assert_says(
        &message_for(b"\xff\xd8\xff\xe0JFIF"),
        &["an unknown weights format"],
    );
    let folder = tempfile::tempdir().unwrap();
    assert_says(&refused(folder.path()).to_string(), &["is a folder"]);
    let missing = folder.path().join("missing.pth");
    let error = refused(&missing);
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert_says(&cause, &["No such file"]);
}

#[test]
fn zip_archives_of_another_kind_are_called_what_they_are() {
    let zip_with = |names: &[&str]| {
        let mut bytes = Vec::new();
        let mut directory = Vec::new();
        for name in names {
            let start = u32::try_from(bytes.len()).unwrap();
            let len = u16::try_from(name.len()).unwrap().to_le_bytes();
            bytes.extend(*b"PK\x03\x04\x0a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
            bytes.extend(len);
            bytes.extend([0, 0]);
            bytes.extend(name.as_bytes());
            directory.extend(*b"PK\x01\x02\x0a\0\x0a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
            directory.extend(len);
            directory.extend([0; 12]);
            directory.extend(start.to_le_bytes());
            directory.extend(name.as_bytes());
        }
        let count = u16::try_from(names.len()).unwrap().to_le_bytes();
        let start = u32::try_from(bytes.len()).unwrap();
        let len = u32::try_from(directory.len()).unwrap();
        bytes.extend(directory);
        bytes.extend(*b"PK\x05\x06\0\0\0\0");
        bytes.extend(count);
        bytes.extend(count);
        bytes.extend(len.to_le_bytes());
        bytes.extend(start.to_le_bytes());
        bytes.extend([0, 0]);
        bytes
    };
    assert_says(&message_for(&zip_with(&["arr_0.npy"])), &["NumPy archive"]);
    assert_says(
        &message_for(&zip_with(&["config.json", "model.weights.h5"])),
        &["Keras"],
    );
    assert_says(
        &message_for(&zip_with(&["run/vgg16.pth"])),
        &["`run/vgg16.pth`", "unpack"],
    );
    assert_says(&message_for(&zip_with(&["x"])), &["without `data.pkl`"]);
    assert_says(&message_for(&zip_with(&[])), &["without `data.pkl`"]);
}

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

/// A few bytes may not make the reader take memory or time, deflated or not.
#[test]
fn a_small_pickle_stays_small() {
    // A value in slot 16 million of the memo, and two million empty dictionaries.
    let far = b"\x80\x02}r\xff\xff\xff\x00.".to_vec();
    let many = [b"\x80\x02(", &vec![b'}'; 2 << 20][..], b"d."].concat();
    for (bytes, part) in [(far, "holds too much"), (many, "too")] {
        let text = message_for(&[&bytes[..], &[0; 24]].concat());
        assert_says(&text, &[part]);
    }
}

/// Lists of lists that are one list each: a legacy file of 200 bytes, 8 billion values.
#[test]
fn shared_values_are_not_visited_for_ever() {
    let legacy = fs::read(fixture("legacy.pth")).unwrap();
    let mut ends = legacy.iter().enumerate().filter(|(_, byte)| **byte == b'.');
    let third = ends.nth(1).unwrap().0 + 1;
    let machine = b"\x80\x02N.";
    let list = |item: &[u8], slot| [b"(", &item.repeat(2000)[..], b"lq", &[slot]].concat();
    let nested = [list(b"N", 0), list(b"h\x00", 1), list(b"h\x01", 2)].concat();
    let bytes = [
        &legacy[..third],
        machine,
        b"\x80\x02",
        &nested,
        b".\x80\x02].",
    ]
    .concat();
    assert_says(&message_for(&bytes), &["its values repeat too often"]);
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

/// Objects in objects, deeper than any stack: they have no names, so nothing is looked for in them.
#[test]
fn values_nested_deeper_than_the_stack_are_no_crash() {
    const DEPTH: usize = 400_000;
    let object = b"cmy.models\nThing\n)\x81".repeat(DEPTH);
    let objects = [
        b"\x80\x02".as_slice(),
        &object,
        &b"b".repeat(DEPTH - 1),
        b".",
    ]
    .concat();
    let lists = [
        b"\x80\x02".as_slice(),
        &b"]".repeat(DEPTH),
        &b"a".repeat(DEPTH - 1),
        b".",
    ]
    .concat();
    for bytes in [objects, lists] {
        assert_says(&message_for(&bytes), &["weights.pth", "pickle"]);
    }
}

/// Each would take gigabytes, or for ever, where values were copied or lengths believed.
#[test]
fn hostile_pickles_are_refused() {
    const MANY: usize = 20_000_000;
    let repeated = |first: &[u8], opcode: u8, count: usize| {
        [b"\x80\x02", first, &vec![opcode; count], b"."].concat()
    };
    let doubling: Vec<u8> = (0..60)
        .flat_map(|slot| [b'q', slot, b'h', slot, 0x86])
        .collect();
    let shared = [b"\x80\x02}X\x01\0\0\0a]", &doubling[..], b"s."].concat();
    let claimed = |opcode: u8| {
        let length = (50_u64 << 30).to_le_bytes();
        [b"\x80\x04", &[opcode][..], &length, b"abc"].concat()
    };
    // A list of a million pairs, of which OrderedDict makes a dictionary a million times.
    let pairs = [
        &b"(K\x00K\x00\x86q\x00"[..],
        &b"h\x00".repeat(1_000_000),
        b"lq\x01",
    ]
    .concat();
    let call = b"ccollections\nOrderedDict\nh\x01\x85R";
    let copied = [b"\x80\x02", &pairs[..], &call.repeat(100_000), b"."].concat();
    for (what, bytes) in [
        ("lists that double", shared),
        ("duplicates that double", repeated(b"]", b'2', MANY)),
        ("marks", repeated(b"", b'(', 5_000_000)),
        ("nested tuples", repeated(b")", 0x85, 3_000_000)),
        ("lists", repeated(b"", b']', MANY)),
        ("dictionaries", repeated(b"", b'}', MANY)),
        ("memo slots", repeated(b"N", 0x94, MANY)),
        ("copied dictionaries", copied),
        ("50 GB of text", claimed(0x8d)),
        ("50 GB of bytes", claimed(0x8e)),
    ] {
        let legacy = fs::read(fixture("legacy.pth")).unwrap();
        // Behind the magic number, the protocol and the machine.
        let head: usize = (0..3).fold(0, |at, _| {
            let end = legacy[at..].iter().position(|&byte| byte == b'.').unwrap();
            at + end + 1
        });
        for bytes in [bytes.clone(), [&legacy[..head], &bytes].concat()] {
            let text = message_for(&bytes);
            assert!(
                text.contains("pickle") || text.contains("damaged"),
                "{what}: {text}"
            );
        }
    }
}
