//! Folders and files that other programs write, and how to make of them what is read here.

use std::path::Path;

/// How the names of weights files end.
const READ: [&str; 5] = [".safetensors", ".bin", ".pth", ".pt", ".bpk"];

/// What a folder is that was given in place of a file.
pub(super) fn folder(path: &Path) -> String {
    let dir = path.display();
    let has = |name: &str| path.join(name).exists();
    if has(".metadata") {
        return format!(
            "is a distributed checkpoint (FSDP, DCP), in parts: `python -m torch.distributed.checkpoint.format_utils dcp_to_torch {dir} weights.pth` makes one file of it"
        );
    }
    if has("zero_to_fp32.py") {
        return format!(
            "is a DeepSpeed checkpoint, in parts: `python {dir}/zero_to_fp32.py {dir} .` makes one file of it"
        );
    }
    if has("saved_model.pb") {
        return "is a TensorFlow model, which vggscope does not read; `--weights imagenet` has the published networks".to_owned();
    }
    for (index, load) in SHARDED {
        if has(index) {
            return shards(dir.to_string().as_str(), load);
        }
    }
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let mut files: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| READ.iter().any(|ending| name.ends_with(ending)))
        .collect();
    files.sort();
    match files.first() {
        Some(file) => {
            format!("is a folder, not a weights file: give a file in it, as {dir}/{file}")
        }
        None => "is a folder, not a weights file".to_owned(),
    }
}

/// The index of a model in several files, and Python that reads one of them.
const SHARDED: [(&str, &str); 2] = [
    (
        "model.safetensors.index.json",
        "safetensors.torch.load_file(f)",
    ),
    ("pytorch_model.bin.index.json", "torch.load(f)"),
];

fn shards(dir: &str, load: &str) -> String {
    let ending = if load.starts_with("torch") {
        "bin"
    } else {
        "safetensors"
    };
    format!(
        "is a model in several files; in Python, `torch.save({{k: v for f in glob.glob(\"{dir}/*.{ending}\") for k, v in {load}.items()}}, \"weights.pth\")` makes one of them"
    )
}

/// Whether a file is a part of a distributed checkpoint; each is a file of torch.save's that says nothing
/// alone.
pub(super) fn part(path: &Path) -> Option<String> {
    let is_part = path.extension().is_some_and(|ending| ending == "distcp");
    let dir = path.parent().filter(|_| is_part)?;
    let dir = if dir.as_os_str().is_empty() {
        Path::new(".")
    } else {
        dir
    };
    Some(format!(
        "is a part of a distributed checkpoint (FSDP, DCP): `python -m torch.distributed.checkpoint.format_utils dcp_to_torch {} weights.pth` makes one file of all",
        dir.display()
    ))
}

/// What a file of unknown content is by its name.
pub(super) fn by_name(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_string_lossy().to_lowercase();
    let has = |ending: &str| name.ends_with(ending);
    if has(".index.json") {
        let dir = path.parent().unwrap_or(path).display().to_string();
        let load = SHARDED.iter().find(|(index, _)| name == *index);
        let load = load.map_or(SHARDED[0].1, |(_, load)| load);
        let dir = if dir.is_empty() { "." } else { &dir };
        return Some(shards(dir, load).replacen("is a model", "is the index of a model", 1));
    }
    let what = if has(".mpk") || has(".mpk.gz") {
        MPK
    } else if has(".h5") || has(".hdf5") || has(".keras") {
        HDF5
    } else if has(".onnx") {
        "is an ONNX model; in Python, `torch.save({t.name: torch.tensor(onnx.numpy_helper.to_array(t)) for t in onnx.load(FILE).graph.initializer}, \"weights.pth\")` saves what vggscope reads, where the names were kept"
    } else if has(".index") || has(".meta") || name.contains(".data-0") {
        "is a TensorFlow checkpoint, which vggscope does not read; `--weights imagenet` has the published networks"
    } else if has(".caffemodel") || has(".prototxt") {
        "is a Caffe model, which vggscope does not read; https://github.com/jcjohnson/pytorch-vgg has VGG's Caffe weights as .pth (with --preset caffe)"
    } else if has(".mat") {
        "is a MATLAB file, which vggscope does not read; `--weights imagenet` has the published networks"
    } else if has(".t7") {
        "is a file of Lua Torch, which vggscope does not read; in Python, torchfile.load reads it"
    } else {
        return None;
    };
    Some(what.to_owned())
}

/// A record of Burn's, recognized by its content too.
pub(super) const MPK: &str = "is a Burn record (.mpk), which vggscope does not read: load it in Burn and save it as a Burn pack, `model.save_into(&mut BurnpackStore::from_file(\"vgg.bpk\"))` of burn-store";

/// Keras' `Layer.get_weights` has `[height, width, inputs, outputs]`.
pub(super) const HDF5: &str = "is an HDF5 file (Keras?), which vggscope does not read; in Python, `torch.save({l.name.replace(\"block\", \"conv\").replace(\"_conv\", \"_\") + s: torch.tensor(w.transpose(3, 2, 0, 1) if w.ndim == 4 else w) for l in keras.models.load_model(FILE).layers if \"_conv\" in l.name for s, w in zip([\".weight\", \".bias\"], l.get_weights())}, \"weights.pth\")` saves the convolutions of Keras' VGG for it (with --preset caffe)";
