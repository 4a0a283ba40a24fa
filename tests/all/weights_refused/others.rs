//! What a file is that holds no VGG, or none that can be read.

use std::fs;
use std::path::Path;
#[cfg(unix)]
use std::process::Command;

use vggscope::weights::WeightsFile;

use super::{assert_says, fixture, message, message_for, refused};

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
fn tensors_without_names_are_called_so() {
    let text = message("list.pth");
    assert_says(&text, &["a list of tensors", "zip(model.state_dict()"]);
}

/// The parameters of a model alone, as `named_parameters` gives them.
#[test]
fn batch_norm_without_statistics_is_called_so() {
    let file = WeightsFile::open(fixture("no_statistics.pth")).unwrap();
    let error = file.read("features.1.running_mean").unwrap_err();
    let parts = [
        "`features.1.running_mean`",
        "model.state_dict() has the statistics",
        "other norms",
    ];
    assert_says(&error.to_string(), &parts);
}

/// Opening a pipe that nothing writes into would wait without end.
#[cfg(unix)]
#[test]
fn a_pipe_or_a_device_is_not_opened() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("weights.pth");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    for path in [&pipe, Path::new("/dev/null")] {
        assert_says(&refused(path).to_string(), &["a pipe or a device"]);
    }
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
