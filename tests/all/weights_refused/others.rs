//! What a file is that holds no VGG, or none that can be read.

use std::fs;
use std::path::Path;
#[cfg(unix)]
use std::process::Command;

use safetensors::tensor::{Dtype, TensorView};
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
        &["holds no tensors, not a state dict", "torch.save"],
    );
    assert_says(&message("plain.pkl"), &["plain pickle", "torch.save"]);
    assert_says(
        &message("one_tensor.pth"),
        &["holds a single tensor, not a state dict"],
    );
}

/// The message for a file of such tensors.
fn message_of(shapes: &[(&str, &[usize])]) -> String {
    let zeros = vec![0; 1 << 16];
    let tensors = shapes.iter().map(|(name, shape)| {
        let bytes = 4 * shape.iter().product::<usize>();
        let view = TensorView::new(Dtype::F32, shape.to_vec(), &zeros[..bytes]);
        (*name, view.unwrap())
    });
    message_for(&safetensors::serialize(tensors, None).unwrap())
}

/// The low-rank matrices that `peft` adds change what the layer next to them computes.
#[test]
fn layers_with_lora_are_refused() {
    let parts: [(&str, &[usize]); 3] = [
        ("base_layer", &[3, 3, 3, 3]),
        ("lora_A.default", &[2, 3, 3, 3]),
        ("lora_B.default", &[3, 2, 1, 1]),
    ];
    let tensors = [0, 2, 5, 7].into_iter().flat_map(|index| {
        let name = move |part| format!("base_model.model.features.{index}.{part}.weight");
        parts.map(|(part, shape)| (name(part), shape))
    });
    let tensors: Vec<(String, &[usize])> = tensors.collect();
    let shapes: Vec<_> = tensors
        .iter()
        .map(|(name, shape)| (&**name, *shape))
        .collect();
    assert_says(&message_of(&shapes), &["`features.", "merge_and_unload()"]);
}

/// Channels last, as MLX has them: the first convolution looks like PyTorch's.
#[test]
fn kernels_in_another_order_are_refused() {
    let others = [5, 10, 15, 20].map(|index| format!("features.{index}.weight"));
    let mut shapes: Vec<(&str, &[usize])> = vec![("features.0.weight", &[8, 3, 3, 3])];
    shapes.extend(others.iter().map(|name| (&**name, &[8, 3, 3, 8][..])));
    assert_says(&message_of(&shapes), &["[outputs, inputs, height, width]"]);
}

/// VGG16 C has the indices of D, which a message lists.
#[test]
fn the_kernel_that_is_no_vggs_is_named() {
    let text = message_of(&[
        ("features.0.weight", &[8, 3, 3, 3]),
        ("features.2.weight", &[8, 8, 3, 3]),
        ("features.5.weight", &[8, 8, 1, 1]),
        ("features.7.weight", &[8, 8, 3, 3]),
    ]);
    assert_says(&text, &["that at 5 is 1 x 1"]);
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
            "3 x 3 convolutions of a VGG",
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
            &[
                "features 0, 3, 6, 8, 10",
                "AlexNet",
                "3 x 3 convolutions of a VGG",
            ],
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

/// docs/files.md lists what is refused in the words of the messages.
#[test]
fn the_list_in_the_documentation_is_true() {
    let docs = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/files.md")).unwrap();
    let (_, refused) = docs
        .split_once("Refused, with a line that says so:")
        .unwrap();
    let (refused, _) = refused.split_once("## Checkpoints").unwrap();
    for (words, name) in [
        ("a sparse tensor", "sparse.pth"),
        ("ZeRO-3", "zero3.pth"),
        ("NumPy arrays", "numpy.pth"),
        ("a single tensor", "one_tensor.pth"),
        ("a list of tensors", "list.pth"),
        ("a TorchScript archive", "torchscript.pt"),
        ("remove_parametrizations", "unknown_parametrization.pth"),
        ("can run commands", "evil_root.pth"),
        ("a ResNet", "resnet.pth"),
        ("a SqueezeNet", "squeezenet.pth"),
        ("several networks", "two_networks.pth"),
    ] {
        assert!(refused.contains(words), "{words} is not in docs/files.md");
        assert_says(&message(name), &[words]);
    }
}
