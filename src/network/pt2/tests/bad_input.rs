//! Programs that are none, or damaged: small changes of `tests/fixtures/pt2/residual.pt2`.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;

use burn::tensor::{Device, Tensor};
use serde_json::{Value, json};
use zip::read::{ArchiveOffset, Config};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::fixtures;
use crate::commands::remedy::explain;
use crate::network::pt2::{ExportedNetwork, Program};
use crate::network::{Architecture, Kernels, Layer, Network, Placement, select};
use crate::weights::WeightsFile;

pub(super) const GRAPH: &str = "models/model.json";
pub(super) const WEIGHTS: &str = "model_weights_config.json";

/// What a file holds, to be changed.
pub(super) struct Entries(pub(super) Vec<(String, Vec<u8>)>);

impl Entries {
    pub(super) fn of(name: &str) -> Self {
        let config = Config {
            archive_offset: ArchiveOffset::Known(0),
        };
        let file = File::open(fixtures().join(name)).unwrap();
        let mut archive = ZipArchive::with_config(config, file).unwrap();
        let entries = (0..archive.len()).map(|at| {
            let mut entry = archive.by_index(at).unwrap();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            (entry.name().unwrap().into_owned(), bytes)
        });
        Self(entries.collect())
    }

    pub(super) fn entry(&mut self, end: &str) -> &mut Vec<u8> {
        let mut entries = self.0.iter_mut();
        let (_, bytes) = entries.find(|(name, _)| name.ends_with(end)).unwrap();
        bytes
    }

    pub(super) fn change(&mut self, end: &str, change: impl FnOnce(&mut Value)) {
        let bytes = self.entry(end);
        let mut value = serde_json::from_slice(bytes).unwrap();
        change(&mut value);
        *bytes = serde_json::to_vec(&value).unwrap();
    }

    pub(super) fn remove(&mut self, end: &str) {
        self.0.retain(|(name, _)| !name.ends_with(end));
    }

    pub(super) fn bytes(&self, method: CompressionMethod) -> Vec<u8> {
        let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(method);
        for (name, bytes) in &self.0 {
            zip.start_file(name, options).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }
}

/// Writes a file, opens it, and computes layers with one image; what went wrong, as one line.
pub(super) fn shown(bytes: &[u8], layers: &str) -> Result<usize, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.pt2");
    std::fs::write(&path, bytes).unwrap();
    let result = shown_of(&path, layers);
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 1, "something was written");
    result.map_err(|error| error.replace(&path.display().to_string(), "FILE"))
}

pub(super) fn shown_of(path: &Path, layers: &str) -> Result<usize, String> {
    let program = Program::open(path).map_err(|error| explain(&error))?;
    let program = Arc::new(program);
    // What `vggscope layers` says.
    drop(program.notes());
    let wanted = select(&*program, layers).map_err(|error| explain(&error))?;
    program.plan(&wanted).map_err(|error| explain(&error))?;
    let [height, width] = program.input_size().unwrap();
    let shapes = program.output_shapes(&wanted, [height, width]);
    let shapes = shapes.map_err(|error| explain(&error))?;
    let weights = program
        .weights(path, None)
        .map_err(|error| explain(&error))?;
    run(&program, &weights, &wanted, [height, width])?;
    Ok(shapes.len())
}

pub(super) fn run(
    program: &Arc<Program>,
    weights: &WeightsFile,
    wanted: &[Layer],
    [height, width]: [usize; 2],
) -> Result<(), String> {
    let device = Device::flex();
    let place = Placement {
        device: &device,
        kernels: Kernels::Interleaved,
    };
    let network = ExportedNetwork::build(program, weights, wanted, place);
    let network = network.map_err(|error| explain(&error))?;
    // The size of an image that the program would read.
    if height * width > 1 << 16 {
        return Ok(());
    }
    let image = Tensor::<4>::zeros([1, program.input_channels(), height, width], &device);
    let ran = network.visit(image, wanted, &mut |_, _| {});
    ran.map_err(|error| explain(&error))
}

#[track_caller]
pub(super) fn refused(bytes: &[u8], parts: &[&str]) {
    let line = shown(bytes, "all").expect_err(parts[0]);
    assert!(line.contains("FILE"), "{line}");
    assert!(!line.contains('\n') && line.len() < 600, "{line}");
    for part in parts {
        assert!(line.contains(part), "no {part:?} in {line}");
    }
}

/// A change of the graph, and what is said of it.
pub(super) type Change = (fn(&mut Value), &'static [&'static str]);

#[test]
fn a_graph_that_is_damaged_or_not_known_is_named() {
    for (change, parts) in CHANGES {
        let mut entries = Entries::of("residual.pt2");
        entries.change(GRAPH, change);
        refused(&entries.bytes(CompressionMethod::Stored), parts);
    }
}

const CHANGES: &[Change] = &[
    (
        |all| all["schema_version"]["major"] = json!(9),
        &["schema 9, expected 8", "torch 2.9", "torch 2.8 or newer"],
    ),
    (
        |all| node(all, 4)["inputs"][0]["arg"]["as_tensor"]["name"] = json!("nobody"),
        &["`nobody`", "before anything makes it", "export it again"],
    ),
    (
        |all| node(all, 4)["outputs"][0]["as_tensor"]["name"] = json!("conv2d"),
        &["`conv2d` is made twice", "export it again"],
    ),
    (
        // A circle.
        |all| {
            let later = node(all, 6)["outputs"][0].clone();
            node(all, 4)["inputs"][0]["arg"] = later;
        },
        &["before anything makes it"],
    ),
    (
        |all| node(all, 3)["inputs"][1]["arg"] = json!({"as_string": "3"}),
        &["aten.max_pool2d", "`kernel_size` is not whole numbers"],
    ),
    (
        |all| node(all, 3)["inputs"][0]["arg"] = json!({"as_int": 3}),
        &["aten.max_pool2d", "not a tensor of floats", "export"],
    ),
    (
        |all| node(all, 3)["inputs"][1]["arg"] = json!({"as_ints": vec![1; 1 << 15]}),
        &["a list has 32768 values", "export it again"],
    ),
    (
        |all| node(all, 3)["inputs"][1]["arg"] = json!({"as_thing": 3}),
        &["graph cannot be read", "as_thing"],
    ),
    (
        |all| node(all, 0)["inputs"][3]["arg"] = json!({"as_ints": [0, 2]}),
        &["stem.0: aten.conv2d", "0 apart", "does not fit"],
    ),
    (
        |all| node(all, 0)["inputs"][4]["arg"] = json!({"as_ints": [i64::MAX, 2]}),
        &["stem.0: aten.conv2d", "more than"],
    ),
    (
        |all| {
            node(all, 3)["target"] = json!("torch.ops.aten.repeat.default");
            node(all, 3)["inputs"][1] =
                json!({"name": "repeats", "arg": {"as_ints": [1, 1, 1_i64 << 40, 1]}});
        },
        &["aten.repeat", "more than"],
    ),
    (
        |all| input(all)["sizes"][2] = json!({"as_int": i64::MAX}),
        &[
            "`x` is float32 [2, 3, 9223372036854775807, 32]",
            "expected an image",
        ],
    ),
    (
        |all| input(all)["sizes"][0] = json!({"as_int": 1_i64 << 40}),
        &["`x` is float32", "expected an image"],
    ),
    (
        |all| input(all)["sizes"][0] = json!({"as_int": -1}),
        &["`x` is float32 [?, 3", "expected an image"],
    ),
    (
        |all| input(all)["dtype"] = json!(5),
        &[
            "`x` is int64 [2, 3, 32, 32]",
            "expected an image",
            "as its example",
        ],
    ),
    (
        |all| {
            let more = json!({"user_input": {"arg": {"as_tensor": {"name": "mask"}}}});
            specs(all).push(more);
        },
        &["takes 2 inputs, x, mask", "expected one image", "forward"],
    ),
    (
        |all| drop(specs(all).pop()),
        &["takes no tensor", "expected one image"],
    ),
    (
        |all| node(all, 1)["inputs"][5]["arg"] = json!({"as_bool": true}),
        &[
            "aten.batch_norm in stem.1 works as in a training",
            "after .eval()",
        ],
    ),
    (
        |all| node(all, 7)["target"] = json!("torch.ops.aten.foo.default"),
        &[
            "conv2 needs aten.foo",
            "once, first in conv2",
            "--layers up to relu_1",
        ],
    ),
];

pub(super) fn node(all: &mut Value, at: usize) -> &mut Value {
    &mut all["graph_module"]["graph"]["nodes"][at]
}

pub(super) fn input(all: &mut Value) -> &mut Value {
    &mut all["graph_module"]["graph"]["tensor_values"]["x"]
}

pub(super) fn specs(all: &mut Value) -> &mut Vec<Value> {
    let specs = &mut all["graph_module"]["signature"]["input_specs"];
    specs.as_array_mut().unwrap()
}

#[test]
fn an_operation_that_is_not_known_matters_where_it_is_needed() {
    let mut entries = Entries::of("residual.pt2");
    entries.change(GRAPH, |all| {
        node(all, 7)["target"] = json!("torch.ops.aten.foo.default");
    });
    let bytes = entries.bytes(CompressionMethod::Stored);
    assert_eq!(shown(&bytes, "relu,relu_1"), Ok(2));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.pt2");
    std::fs::write(&path, bytes).unwrap();
    let notes = Program::open(&path).unwrap().notes();
    assert!(
        notes[1].contains("aten.foo") && notes[1].ends_with("up to relu_1"),
        "{notes:?}"
    );
}

/// Whether what is changed in place is a copy is not always known.
#[test]
fn a_change_in_place_of_what_may_be_a_copy_is_not_left_out() {
    let mut entries = Entries::of("residual.pt2");
    entries.change(GRAPH, |all| {
        let name = |name: &str| json!({"as_tensor": {"name": name}});
        let pooled = node(all, 3)["outputs"][0].clone();
        let meta = all["graph_module"]["graph"]["tensor_values"]["conv2d"].clone();
        let nodes = all["graph_module"]["graph"]["nodes"]
            .as_array_mut()
            .unwrap();
        let node = |target: &str, of: Value, output: &str| {
            json!({
                "target": target, "metadata": {}, "outputs": [name(output)],
                "inputs": [{"name": "self", "arg": of}],
            })
        };
        nodes.insert(
            4,
            node("torch.ops.aten.contiguous.default", pooled, "a_part"),
        );
        nodes.insert(
            5,
            node("torch.ops.aten.relu_.default", name("a_part"), "changed"),
        );
        for name in ["a_part", "changed"] {
            all["graph_module"]["graph"]["tensor_values"][name] = meta.clone();
        }
    });
    let bytes = entries.bytes(CompressionMethod::Stored);
    assert_eq!(shown(&bytes, "relu"), Ok(1));
    refused(
        &bytes,
        &["aten.relu", "in place", "aten.contiguous", "before it"],
    );
}

/// A mask as an index picks values, not places, and bits of whole numbers are no truth values.
#[test]
fn operations_that_mean_something_else_for_other_numbers_are_not_known() {
    for (target, name, arg) in [
        (
            "torch.ops.aten.index.Tensor",
            "indices",
            json!({"as_optional_tensors": [{"as_tensor": {"name": "mask"}}]}),
        ),
        (
            "torch.ops.aten.__and__.Tensor",
            "other",
            json!({"as_tensor": {"name": "mask"}}),
        ),
    ] {
        let mut entries = Entries::of("residual.pt2");
        entries.change(GRAPH, |all| {
            let graph = &mut all["graph_module"]["graph"];
            let mut mask = graph["tensor_values"]["conv2d"].clone();
            mask["dtype"] = json!(12);
            graph["tensor_values"]["mask"] = mask;
            let pooled = node(all, 3)["outputs"][0].clone();
            let made = json!({
                "target": "torch.ops.aten.gt.Scalar", "metadata": {},
                "outputs": [{"as_tensor": {"name": "mask"}}],
                "inputs": [{"name": "self", "arg": pooled}, {"name": "other", "arg": {"as_int": 0}}],
            });
            let nodes = all["graph_module"]["graph"]["nodes"].as_array_mut();
            nodes.unwrap().insert(4, made);
            let user = node(all, 5);
            user["target"] = json!(target);
            user["inputs"][0]["name"] = json!("self");
            user["inputs"][1] = json!({"name": name, "arg": arg});
        });
        let bytes = entries.bytes(CompressionMethod::Stored);
        refused(&bytes, &["which is not known", "layers"]);
    }
}
