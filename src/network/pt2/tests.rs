//! Against PyTorch, by `tests/fixtures/pt2/make.py`: every layer of every network there, in all backends.

mod bad_file;
mod bad_input;

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use safetensors::SafeTensors;

use super::network::ExportedNetwork;
use super::operations;
use super::program::Program;
use super::run::Plan;
use super::value::{Floats, sizes};
use crate::device::test_devices;
use crate::network::{Architecture, Kernels, Placement};
use crate::weights::WeightsFile;

/// Largest difference, as a part of the norm of what PyTorch gives.
const MOST: f64 = 1e-4;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pt2")
}

/// Programs with what PyTorch gives of them beside them: of the fixtures, or of the folder that a variable names.
fn programs() -> Vec<PathBuf> {
    let folder = std::env::var_os("VGGSCOPE_TEST_PT2").map_or_else(fixtures, PathBuf::from);
    let files = std::fs::read_dir(folder).unwrap();
    let files = files.map(|file| file.unwrap().path());
    let mut files: Vec<PathBuf> = files
        .filter(|file| file.extension().is_some_and(|end| end == "pt2"))
        .filter(|file| file.with_extension("safetensors").exists())
        .collect();
    files.sort();
    files
}

/// What PyTorch gives: the input, and each layer, row by row.
fn expected(file: &Path) -> HashMap<String, (Vec<usize>, Vec<f32>)> {
    let bytes = std::fs::read(file.with_extension("safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensors = file.tensors().into_iter().map(|(name, tensor)| {
        let (floats, _) = tensor.data().as_chunks();
        let values = floats.iter().copied().map(f32::from_le_bytes).collect();
        (name, (tensor.shape().to_vec(), values))
    });
    tensors.collect()
}

fn network(program: &Arc<Program>, nodes: &[usize], device: &Device) -> ExportedNetwork {
    let plan = Plan::of(&program.graph, nodes).unwrap();
    let names = program.names();
    let weights = WeightsFile::open_named(&program.path, None, &names).unwrap();
    let place = Placement {
        device,
        kernels: Kernels::Interleaved,
    };
    ExportedNetwork::of(program, plan, &weights, place).unwrap()
}

fn values(tensor: &Floats) -> Vec<f32> {
    use burn::backend::Dispatch;
    use burn::backend::ops::FloatTensorOps;
    let count = sizes(tensor).iter().product();
    let flat = Dispatch::float_reshape(tensor.clone(), super::value::shape(&[count]));
    let data = Tensor::<1>::from_dispatch(flat).into_data();
    data.try_into_vec().unwrap()
}

/// The difference of two lists of values, as a part of the norm of the second.
fn difference(found: &[f32], expected: &[f32]) -> f64 {
    let norm = |values: &mut dyn Iterator<Item = f64>| {
        values.map(|value| value * value).sum::<f64>().sqrt()
    };
    let pairs = found.iter().zip(expected);
    let apart = norm(&mut pairs.map(|(a, b)| f64::from(*a) - f64::from(*b)));
    apart / (norm(&mut expected.iter().map(|value| f64::from(*value))) + 1e-12)
}

/// A layer that is not what PyTorch gives, and how.
type Wrong = Vec<String>;

/// Runs the nodes and compares them.
fn compare(
    program: &Arc<Program>,
    nodes: &[usize],
    expected: &HashMap<String, (Vec<usize>, Vec<f32>)>,
    device: &Device,
) -> Wrong {
    let (shape, input) = &expected["input"];
    let shape: [usize; 4] = shape.as_slice().try_into().unwrap();
    let input = Tensor::<4>::from_data(TensorData::new(input.clone(), shape), device);
    let (mut seen, mut wrong) = (0, Wrong::new());
    let check = &mut |at: usize, tensor: &Floats| {
        let node = &program.graph.nodes[at];
        let Some(name) = node.names.layer.as_ref().filter(|_| nodes.contains(&at)) else {
            return;
        };
        seen += 1;
        let Some((shape, wanted)) = expected.get(name) else {
            wrong.push(format!("{name}: PyTorch has none"));
            return;
        };
        let apart = difference(&values(tensor), wanted);
        if &sizes(tensor) != shape || apart.is_nan() || apart > MOST {
            let (operation, found) = (&node.operation, sizes(tensor));
            wrong.push(format!(
                "{name} ({operation}): {found:?} for {shape:?}, {apart:.1e} apart"
            ));
        }
    };
    let network = network(program, nodes, device);
    let ran = network.run(input.into_dispatch(), check);
    if let Err(error) = ran {
        wrong.push(error.to_string());
    } else if seen != nodes.len() {
        wrong.push(format!("{seen} of {} layers came", nodes.len()));
    }
    wrong
}

// Verified: PyTorch | every layer of what torch 2.8, 2.9 and 2.15 exported, every operation in the list of [any-network.md](any-network.md), all backends | 1e-4 of the norm
#[test]
fn every_layer_gives_what_pytorch_gives() {
    let programs = programs();
    assert!(!programs.is_empty());
    for path in programs {
        let program = Arc::new(Program::open(&path).unwrap_or_else(|error| panic!("{error:?}")));
        let expected = expected(&path);
        let named = program.graph.nodes.iter().enumerate();
        let named = named.filter(|(_, node)| node.names.layer.is_some() && node.shape.is_some());
        let nodes: Vec<usize> = named.map(|(at, _)| at).collect();
        assert_eq!(nodes.len(), expected.len() - 1, "{}", path.display());
        for device in test_devices() {
            let mut wrong = compare(&program, &nodes, &expected, &device);
            if !wrong.is_empty() || path.starts_with(fixtures()) {
                // One by one, as a layer's input may be needed by others too: each that is wrong is named.
                let each = nodes.iter();
                wrong = each
                    .flat_map(|at| compare(&program, &[*at], &expected, &device))
                    .collect();
            }
            assert!(
                wrong.is_empty(),
                "{} on {device:?}:\n{}",
                path.display(),
                wrong.join("\n")
            );
        }
    }
}

#[test]
fn padded_maps_are_no_resolution_of_their_own() {
    let program = Program::open(&fixtures().join("operations.pt2")).unwrap();
    let shown = program.default_layers();
    let ends = |end: &str| shown.iter().any(|layer| layer.name().ends_with(end));
    assert!(ends("upsample_nearest2d") && !ends(".pad"));
}

/// Operations that stand for others that are compared: those below them in PyTorch, or of an older version, and the
/// arithmetic of sizes.
const SAME_AS: [&str; 26] = [
    "_operator.add",
    "_operator.floordiv",
    "_operator.getitem",
    "_operator.mod",
    "_operator.mul",
    "_operator.neg",
    "_operator.pow",
    "_operator.sub",
    "aten._adaptive_avg_pool2d",
    "aten._log_softmax",
    "aten._native_batch_norm_legit_no_training",
    "aten._softmax",
    "aten._to_copy",
    "aten._unsafe_view",
    "aten.alias",
    "aten.clip",
    "aten.concat",
    "aten.constant_pad_nd",
    "aten.convolution",
    "aten.index_select",
    "aten.lift_fresh_copy",
    "aten.mm",
    "aten.norm",
    "aten.reflection_pad2d",
    "aten.replication_pad2d",
    "aten.view_as",
];

/// `docs/any-network.md` lists what is compared; `make reference` writes the list.
#[test]
fn the_reference_of_operations_is_what_is_compared() {
    let mut compared: BTreeSet<String> = BTreeSet::new();
    for file in ["operations", "residual"] {
        let program = Program::open(&fixtures().join(format!("{file}.pt2"))).unwrap();
        let known = program.graph.nodes.iter().filter(|node| node.run.is_some());
        compared.extend(known.map(|node| node.operation.clone()));
    }
    let missing: Vec<&str> = operations::names()
        .into_iter()
        .filter(|name| !compared.contains(*name) && !SAME_AS.contains(name))
        .collect();
    assert_eq!(missing, [""; 0]);
    let names = operations::names().into_iter();
    let names: Vec<String> = names
        .filter_map(|name| name.strip_prefix("aten."))
        .map(|name| format!("`{name}`"))
        .collect();
    let list = format!("<!-- operations -->\n{}\n<!-- end -->", names.join(", "));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/any-network.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once("<!-- operations -->").unwrap();
    let (_, behind) = rest.split_once("<!-- end -->").unwrap();
    let written = format!("{before}{list}{behind}");
    if std::env::var_os("VGGSCOPE_WRITE_REFERENCE").is_some() {
        std::fs::write(&path, &written).unwrap();
    } else {
        assert!(
            page == written,
            "make reference writes docs/any-network.md again"
        );
    }
}

#[test]
fn layers_can_be_chosen_by_name() {
    let program = Program::open(&fixtures().join("residual.pt2")).unwrap();
    let names = |layers: Vec<crate::network::Layer>| -> Vec<String> {
        layers.iter().map(crate::network::Layer::tag).collect()
    };
    let select = |list| names(crate::network::select(&program, list).unwrap());
    assert_eq!(select("auto"), ["02_relu", "16_mul", "20_norm"]);
    assert_eq!(select("relu*"), ["02_relu", "06_relu_1", "10_relu_2"]);
    assert!(!select("all").contains(&"19_transpose".to_owned()));
}
