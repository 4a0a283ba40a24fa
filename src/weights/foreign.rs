//! What other programs write: what a file or folder is, and how to make of it what is read here.

use std::collections::{BTreeMap, HashSet};
use std::fs::Metadata;
use std::path::Path;

use super::chain::ENOUGH;
use super::dtype::{META, SPARSE};
use super::entry::Entry;
use super::error::{WeightsErrorKind, instead};
use super::torch::NUMPY_ARRAY;
use crate::one_line::shell_quoted;

/// How the names of weights files end.
const READ: [&str; 5] = [".safetensors", ".bin", ".pth", ".pt", ".bpk"];

const EXPECTED: &str = "expected .pth or .pt (a state dict), .safetensors or .bpk";

const MPK: &str = "is a Burn record (.mpk), which vggscope does not read: load it in Burn and save it as a Burn pack, \
    `model.save_into(&mut BurnpackStore::from_file(\"vgg.bpk\"))` of burn-store";

const ONNX: &str = "is an ONNX model; in Python, `torch.save({t.name: torch.tensor(onnx.numpy_helper.to_array(t)) for t \
    in onnx.load(FILE).graph.initializer}, \"weights.pth\")` saves what vggscope reads, where the names were kept";

const LUA: &str =
    "is a file of Lua Torch, which vggscope does not read; in Python, torchfile.load reads it";

const CAFFE: &str = "is a Caffe model, which vggscope does not read; https://github.com/jcjohnson/pytorch-vgg has VGG's Caffe \
    weights as .pth";

/// HDF5, as Keras writes it; its `Layer.get_weights` has `[height, width, inputs, outputs]`.
const HDF5: &str = "is an HDF5 file (Keras?), which vggscope does not read; in Python, \
    `torch.save({l.name.replace(\"block\", \"conv\").replace(\"_conv\", \"_\") + s: torch.tensor(w.transpose(3, 2, 0, 1) \
    if w.ndim == 4 else w) for l in keras.models.load_model(FILE).layers if \"_conv\" in l.name for s, w in zip([\".weight\", \
    \".bias\"], l.get_weights())}, \"weights.pth\")` saves the convolutions of Keras' VGG for it";

const MATLAB: &str = "is a MATLAB file, which vggscope does not read";

const TENSORFLOW: &str = "is a TensorFlow checkpoint, which vggscope does not read";

/// How compressed files begin.
const COMPRESSED: [(&[u8], &str); 5] = [
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"7z\xbc\xaf", "7-Zip"),
];

/// How other networks, and VGG in other libraries, name their tensors.
const FOREIGN_NAMES: [(&str, &str); 16] = [
    (
        "block1_conv1",
        "Keras' VGG (`block1_conv1`), not torchvision's (`features.0`)",
    ),
    ("layer1.0.conv1.", "a ResNet"),
    ("features.denseblock1.", "a DenseNet"),
    (
        "features.0.0.weight",
        "a MobileNet, EfficientNet or ConvNeXt",
    ),
    ("Mixed_5b.", "an Inception network"),
    ("inception3a.", "GoogLeNet"),
    ("squeeze.weight", "a SqueezeNet"),
    ("fire2.", "a SqueezeNet"),
    ("stages.0.", "a ConvNeXt"),
    ("encoder.layers.encoder_layer_0.", "a vision transformer"),
    ("cls_token", "a vision transformer"),
    ("attn.", "a transformer"),
    ("self_attn", "a transformer"),
    ("conv1.weight", "a network whose first layer is `conv1`"),
    ("down1.", "a U-Net"),
    (
        "_flat_param",
        "FSDP's flattened parameters, which are saved as they were under StateDictType.FULL_STATE_DICT",
    ),
];

/// How many names of another network's file a message shows.
const FIRST_NAMES: usize = 4;

/// What a path leads to that no weights can be read from: opening a pipe would wait for what writes into it.
pub(super) fn no_file(path: &Path, metadata: &Metadata) -> Option<WeightsErrorKind> {
    if metadata.is_dir() {
        return Some(folder(path));
    }
    // Each part is a file of torch.save's that says nothing alone.
    let is_part = path.extension().is_some_and(|ending| ending == "distcp");
    Some(WeightsErrorKind::NotWeights(if !metadata.is_file() {
        "is a pipe or a device, and weights are read from several places of a file at once: write it into one first"
            .to_owned()
    } else if is_part {
        let what = "is a part of a distributed checkpoint (FSDP, DCP)";
        distributed(what, parent(path))
    } else {
        return None;
    }))
}

/// What a folder is that was given in place of a file.
fn folder(path: &Path) -> WeightsErrorKind {
    let dir = shell_quoted(path);
    let has = |name: &str| path.join(name).exists();
    if has("saved_model.pb") {
        let what = "is a TensorFlow model, which vggscope does not read";
        return WeightsErrorKind::Framework {
            what,
            is_bgr: false,
        };
    }
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let first = names
        .filter(|name| READ.iter().any(|ending| name.ends_with(ending)))
        .min();
    WeightsErrorKind::NotWeights(if has(".metadata") {
        distributed("is a distributed checkpoint (FSDP, DCP), in parts", path)
    } else if has("zero_to_fp32.py") {
        format!(
            "is a DeepSpeed checkpoint, in parts: `python {dir}/zero_to_fp32.py {dir} .` makes one file of it"
        )
    } else if let Some(index) = INDEXES.into_iter().find(|index| has(index)) {
        in_parts("is a model in several files", path, index)
    } else if let Some(file) = first {
        format!("is a folder, not a weights file: give a file in it, as {dir}/{file}")
    } else {
        "is a folder, not a weights file".to_owned()
    })
}

/// The index of a model in several files.
const INDEXES: [&str; 2] = [
    "model.safetensors.index.json",
    "pytorch_model.bin.index.json",
];

fn in_parts(what: &str, dir: &Path, index: &str) -> String {
    let (ending, import, load) = if index.contains(".bin.") {
        ("bin", "", "torch.load(f)")
    } else {
        (
            "safetensors",
            ", safetensors.torch",
            "safetensors.torch.load_file(f)",
        )
    };
    format!(
        "{what}; in Python, `import glob, torch{import}; torch.save({{k: v for f in glob.glob(\"{}/*.{ending}\") for k, v in {load}.items()}}, \
         \"weights.pth\")` makes one of them",
        dir.display()
    )
}

fn distributed(what: &str, dir: &Path) -> String {
    format!(
        "{what}: `python -m torch.distributed.checkpoint.format_utils dcp_to_torch {} weights.pth` makes one file of it",
        shell_quoted(dir)
    )
}

fn parent(path: &Path) -> &Path {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    dir.unwrap_or(Path::new("."))
}

/// What a file of unknown content is: by its name, else by its first bytes.
pub(super) fn file(path: &Path, head: &[u8]) -> WeightsErrorKind {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.to_lowercase();
    let has = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    let starts = |mark: &[u8]| head.starts_with(mark);
    let is_hdf5 = starts(b"\x89HDF\r\n") || has(&[".h5", ".hdf5", ".keras"]);
    let is_tensorflow = has(&[".index", ".meta"]) || name.contains(".data-0");
    let frameworks = [
        (is_hdf5, HDF5, true),
        (is_tensorflow, TENSORFLOW, false),
        (has(&[".caffemodel", ".prototxt"]), CAFFE, true),
        (has(&[".mat"]), MATLAB, false),
    ];
    let framework = frameworks.into_iter().find(|(is_it, ..)| *is_it);
    if let Some((_, what, is_bgr)) = framework.filter(|_| !head.is_empty()) {
        return WeightsErrorKind::Framework { what, is_bgr };
    }
    WeightsErrorKind::NotWeights(if head.is_empty() {
        "is empty: the save or the download did not finish".to_owned()
    } else if has(&[".index.json"]) {
        in_parts(
            "is the index of a model in several files",
            parent(path),
            &name,
        )
    } else if starts(b"\x82\xa8metadata") || has(&[".mpk", ".mpk.gz"]) {
        MPK.to_owned()
    } else if has(&[".onnx"]) || matches!(head, [0x08, 1..=32, 0x12, ..]) {
        // `ir_version` and `producer_name`, which are first in its message.
        ONNX.to_owned()
    } else if has(&[".t7"]) {
        LUA.to_owned()
    } else if let Some(text) = text(head) {
        text
    } else if let Some((_, how)) = COMPRESSED.iter().find(|(mark, _)| starts(mark)) {
        format!("is compressed with {how}: unpack it first")
    } else if image::guess_format(head).is_ok() {
        "is an image, not a weights file: were the two swapped?".to_owned()
    } else if starts(b"\x93NUMPY") {
        format!("is a NumPy array; {EXPECTED}")
    } else if starts(b"GGUF") {
        format!("is a GGUF file; {EXPECTED}")
    } else {
        format!("is of an unknown weights format; {EXPECTED}")
    })
}

/// What a file is that begins as text, if it does.
fn text(head: &[u8]) -> Option<String> {
    let text = head.utf8_chunks().next()?.valid();
    let start = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    let has_control = text.chars().any(|c| c.is_control() && !c.is_whitespace());
    Some(
        if start.starts_with("version https://git-lfs.github.com/spec/") {
            "is a Git LFS pointer, not the weights: run `git lfs pull` where it came from"
                .to_owned()
        } else if text.len() + 3 < head.len() || has_control {
            return None;
        } else if start.starts_with('<') {
            "is a web page, not weights: the download got an error or a login page".to_owned()
        } else {
            format!("is a text file, not weights; {EXPECTED}")
        },
    )
}

/// What a zip archive without `data.pkl` is, by the names in it.
pub(super) fn archive(names: &[String]) -> String {
    let ends_in = |ending: &str| names.iter().find(|name| name.ends_with(ending));
    if ends_in(".npy").is_some() {
        "is a NumPy archive (.npz); in Python, `torch.save({k: torch.tensor(v) for k, v in numpy.load(FILE).items()}, \
         \"weights.pth\")` saves what vggscope reads"
            .to_owned()
    } else if ends_in(".weights.h5").is_some() {
        format!("is a Keras model, which vggscope does not read; {EXPECTED}")
    } else if let Some(inner) = READ.iter().find_map(|ending| ends_in(ending)) {
        format!("is a zip archive with `{inner}` in it: unpack it and pass that")
    } else {
        "is a zip archive without `data.pkl`: torch.save did not write it".to_owned()
    }
}

/// What a checkpoint without any of these names holds instead.
pub(super) fn other(entries: &[Entry], names: &HashSet<&str>) -> WeightsErrorKind {
    let first = |name: Option<&str>| name.map_or("none".to_owned(), |name| format!("`{name}`"));
    WeightsErrorKind::NotWeights(format!(
        "holds {}, expected the parameters of the network, as {}",
        first(entries.first().map(Entry::raw_name)),
        first(names.iter().min().copied()),
    ))
}

/// What a checkpoint without a VGG holds instead.
pub(super) fn network(entries: &[Entry]) -> WeightsErrorKind {
    let names = entries.iter().map(Entry::raw_name);
    let holds = |what: &str| {
        entries
            .iter()
            .find(|entry| entry.dtype().to_string() == what)
    };
    WeightsErrorKind::NotWeights(if holds(NUMPY_ARRAY).is_some() {
        "holds NumPy arrays, not tensors; in Python, `torch.save({k: torch.tensor(v) for k, v in arrays.items()}, \
         \"weights.pth\")` makes tensors of them"
            .to_owned()
    } else if names.clone().all(str::is_empty) {
        // A tensor at the root has no name.
        let what = if entries.is_empty() {
            "no tensors"
        } else {
            "a single tensor"
        };
        format!(
            "holds {what}, not a state dict; in Python, `torch.save(model.state_dict(), \"weights.pth\")` writes one"
        )
    } else if names
        .clone()
        .all(|name| name.bytes().all(|letter| letter.is_ascii_digit()))
    {
        "holds a list of tensors, which have no names; in Python, `torch.save(dict(zip(model.state_dict(), \
         torch.load(FILE))), \"weights.pth\")` gives them those of their model"
            .to_owned()
    } else if let Some(kind) = [SPARSE, META]
        .into_iter()
        .find(|kind| holds(kind).is_some())
    {
        let name = holds(kind).map_or("", Entry::raw_name);
        format!(
            "holds tensors without a value for each element (`{name}`: {kind}): {}",
            instead(kind)
        )
    } else if let Some(empty) = entries
        .iter()
        .find(|entry| entry.shape() == [0] && entry.raw_name().ends_with(".weight"))
    {
        format!(
            "holds empty tensors (`{}` has shape [0]): the placeholders of DeepSpeed's ZeRO-3, whose weights are in other \
             files; `python zero_to_fp32.py . weights.pth`, where that script stands, makes one file of them",
            empty.raw_name()
        )
    } else {
        let first: Vec<&str> = names.take(FIRST_NAMES).collect();
        return WeightsErrorKind::OtherNetwork(format!(
            "has no 3 x 3 convolutions of a VGG (`features.0.weight`): {} (first names in the file: {})",
            guess(entries),
            first.join(", ")
        ));
    })
}

/// What a file without a VGG looks like.
fn guess(entries: &[Entry]) -> String {
    let is_in = |name: &str, part: &str| {
        let before = name.find(part).map(|at| name[..at].chars().next_back());
        before.is_some_and(|last| !last.is_some_and(|c| c.is_ascii_alphanumeric()))
    };
    let seen = |part: &str| entries.iter().any(|entry| is_in(entry.raw_name(), part));
    if let Some((_, network)) = FOREIGN_NAMES.iter().find(|(part, _)| seen(part)) {
        return format!("it looks like {network}");
    }
    let lies_otherwise = |entry: &&Entry| {
        let is_3x3 = matches!(entry.shape(), [3, 3, _, _] | [_, 3, 3, _]);
        is_3x3 && !entry.shape().ends_with(&[3, 3])
    };
    if entries.iter().filter(lies_otherwise).count() >= ENOUGH {
        return "its kernels lie as TensorFlow's, JAX' or MLX' do, not as [outputs, inputs, height, width]"
            .to_owned();
    }
    let of_features = entries.iter().filter_map(|entry| {
        let (_, rest) = entry.raw_name().split_once("features.")?;
        let index = rest.strip_suffix(".weight")?.parse::<u32>().ok()?;
        (entry.shape().len() == 4).then(|| (index, entry.shape()[3]))
    });
    let convolutions: BTreeMap<u32, usize> = of_features.collect();
    let Some((_, kernel)) = convolutions.first_key_value() else {
        return "it is another network".to_owned();
    };
    let indices: Vec<String> = convolutions.keys().map(u32::to_string).collect();
    let indices = indices.join(", ");
    let other = convolutions.iter().find(|(_, size)| **size != 3);
    let kernels = match kernel {
        3 => other.map_or_else(String::new, |(index, size)| {
            format!("; that at {index} is {size} x {size}, VGG's are 3 x 3")
        }),
        11 => "; its first kernels are 11 x 11, as AlexNet's are".to_owned(),
        size => format!("; its first kernels are {size} x {size}, VGG's are 3 x 3"),
    };
    format!("it has convolutions at features {indices}, as no whole VGG has{kernels}")
}
