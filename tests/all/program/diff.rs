//! `vggscope diff`: what changed, the numbers, and the exit codes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn_pack::{Bytes, Writer};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::Value;

use crate::program::support::{Place, Ran, root, weights};

pub(super) fn fixture(name: &str) -> PathBuf {
    root().join("tests/fixtures").join(name)
}

fn diff(place: &Place, flags: &str, old: &Path, new: &Path) -> Ran {
    place.run(&format!("diff {flags}"), &[old, new])
}

/// Asserts the exit code, and that nothing is reported as an error.
#[track_caller]
fn ends(ran: &Ran, code: i32) -> String {
    assert_eq!(ran.code(), code, "{}{}", ran.out(), ran.err());
    assert_eq!(ran.err(), "");
    ran.out()
}

#[track_caller]
fn json(ran: &Ran, code: i32) -> Value {
    serde_json::from_str(&ends(ran, code)).unwrap()
}

pub(super) fn layer<'a>(found: &'a Value, name: &str) -> &'a Value {
    let mut layers = found["layers"].as_array().unwrap().iter();
    layers.find(|layer| layer["layer"] == name).unwrap()
}

/// A tensor of a file: name, shape, bytes.
type Tensor = (String, Vec<usize>, Vec<u8>);

/// The narrow VGG16 with its tensors changed.
pub(super) fn edited(place: &Place, name: &str, edit: impl Fn(&mut Vec<Tensor>)) -> PathBuf {
    let bytes = std::fs::read(weights()).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensors = file.tensors().into_iter();
    let mut tensors: Vec<Tensor> = tensors
        .map(|(name, view)| (name, view.shape().to_vec(), view.data().to_vec()))
        .collect();
    edit(&mut tensors);
    let views = tensors.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap();
        (name.as_str(), view)
    });
    place.write(name, safetensors::serialize(views, None).unwrap())
}

#[test]
fn equal_weights_are_exit_code_0() {
    let place = Place::new();
    let out = ends(&diff(&place, "", &weights(), &weights()), 0);
    assert!(
        out.contains("equal: all 16 layers hold the same weights"),
        "{out}"
    );
    assert!(!out.contains("different"), "{out}");
    let found = json(&diff(&place, "--json", &weights(), &weights()), 0);
    assert_eq!(found["equal"], true);
    for layer in found["layers"].as_array().unwrap() {
        // Exactly, not nearly.
        assert_eq!(layer["relative_change"], 0.0);
        assert_eq!(layer["cosine"], 1.0);
        assert_eq!(layer["factor"], 1.0);
        assert_eq!(layer["most_moved"], Value::Null);
    }
    // The same network in two containers, in two types, and in two orders of its tensors.
    for (old, new) in [
        ("timm.pth", "timm.safetensors"),
        ("float16.pth", "float16_legacy.pth"),
    ] {
        let [old, new] = [old, new].map(|name| fixture(&format!("weights/{name}")));
        ends(&diff(&place, "", &old, &new), 0);
    }
}

/// `tests/fixtures/diff/make.py` has computed them with `NumPy`, in double precision.
// Verified: NumPy | all numbers of `diff` | 1e-5 of the value
#[test]
fn the_numbers_are_numpys() {
    type Numbers = BTreeMap<String, Option<f64>>;
    let place = Place::new();
    let text = std::fs::read_to_string(fixture("diff/expected.json")).unwrap();
    let files: BTreeMap<String, BTreeMap<String, Numbers>> = serde_json::from_str(&text).unwrap();
    assert_eq!(files.len(), 3);
    for (name, layers) in files {
        let old = match name.as_str() {
            "batch_norm.safetensors" => fixture("vgg/vgg11_bn.weights.safetensors"),
            _ => weights(),
        };
        let new = fixture(&format!("diff/{name}"));
        let found = json(&diff(&place, "--json", &old, &new), 1);
        assert_eq!(found["layers"].as_array().unwrap().len(), layers.len());
        for (stem, expected) in layers {
            let layer = layer(&found, &stem);
            let near = |found: &Value, key: &str| {
                let (found, expected) = (found.as_f64().unwrap(), expected[key].unwrap());
                let most = 1e-5 * expected.abs().max(1e-3);
                assert!(
                    (found - expected).abs() <= most,
                    "{name} {stem} {key}: {found}, {expected}"
                );
            };
            for key in [
                "old_norm",
                "new_norm",
                "relative_change",
                "cosine",
                "factor",
            ] {
                near(&layer[key], key);
            }
            match expected["filter"] {
                Some(_) => {
                    near(&layer["most_moved"]["filter"], "filter");
                    near(&layer["most_moved"]["relative_change"], "filter_change");
                }
                None => assert_eq!(layer["most_moved"], Value::Null, "{stem}"),
            }
        }
    }
}

#[test]
fn a_doubled_layer_a_zeroed_filter_and_a_turned_kernel_are_named() {
    let place = Place::new();
    let changed = fixture("diff/changed.pth");
    let out = ends(&diff(&place, "", &weights(), &changed), 1);
    for part in [
        "different: 16 of 16 layers changed; most: conv3_1, now 2.00 x as large",
        "standing out: filter 2 of conv4_1 is all 0 now; the direction of kernel 1 of conv1_1 changed (cosine 0.1",
        " 2 (1)  0 -> 1\n",
    ] {
        assert!(out.contains(part), "{part}: {out}");
    }
    let rows: Vec<&str> = out.lines().skip(1).take(1 + 16).collect();
    assert!(rows[0].starts_with("layer ") && rows[16].starts_with("classifier.6 "));
    let width = rows[0].len();
    assert!(
        width <= 100 && rows.iter().all(|row| row.len() == width),
        "{out}"
    );
    let found = json(&diff(&place, "--json", &weights(), &changed), 1);
    let dead = &layer(&found, "features.17")["dead"];
    assert_eq!(dead, &serde_json::json!({"old": [], "new": [2]}));
    assert_eq!(layer(&found, "classifier.6")["dead"], Value::Null);
    assert_eq!(layer(&found, "features.17")["name"], "conv4_1");
    // The other way, it comes back.
    let out = ends(&diff(&place, "", &changed, &weights()), 1);
    assert!(
        out.contains("filter 2 of conv4_1 is no longer all 0") && out.contains("2 (inf)  1 -> 0"),
        "{out}"
    );
    let found = json(&diff(&place, "--json", &changed, &weights()), 1);
    let moved = &layer(&found, "features.17")["most_moved"];
    assert_eq!(moved["relative_change"], Value::Null);
}

#[test]
fn the_largest_change_comes_first_when_asked_for() {
    let place = Place::new();
    let changed = fixture("diff/changed.pth");
    let layers = |flags: &str| -> Vec<String> {
        let found = json(&diff(&place, flags, &weights(), &changed), 1);
        let layers = found["layers"].as_array().unwrap().iter();
        layers
            .map(|layer| layer["layer"].as_str().unwrap().to_owned())
            .collect()
    };
    let sorted = layers("--json --sort change");
    assert_eq!(sorted[..3], ["features.10", "features.0", "features.17"]);
    let in_order = layers("--json --sort network");
    assert_eq!(in_order[..3], ["features.0", "features.2", "features.5"]);
    assert_eq!(sorted.len(), in_order.len());
}

#[test]
fn one_filter_alone_is_found() {
    let place = Place::new();
    let new = edited(&place, "one.safetensors", |tensors| {
        let tensor = tensors
            .iter_mut()
            .find(|(name, ..)| name == "features.7.weight");
        let (_, shape, bytes) = tensor.unwrap();
        assert_eq!(shape[..], [4, 4, 3, 3]);
        // The sign of every weight of the second filter.
        let filter = &mut bytes[36 * 4..2 * 36 * 4];
        filter
            .iter_mut()
            .skip(3)
            .step_by(4)
            .for_each(|byte| *byte ^= 0x80);
    });
    let out = ends(&diff(&place, "", &weights(), &new), 1);
    for part in [
        "different: 1 of 16 layers changed; most: conv2_2",
        "the direction of filter 1 of conv2_2 changed (cosine -1.000)",
        "1 (2.0000)",
    ] {
        assert!(out.contains(part), "{part}: {out}");
    }
}

#[test]
fn batch_normalization_and_nan_are_compared() {
    let place = Place::new();
    let old = fixture("vgg/vgg11_bn.weights.safetensors");
    let new = fixture("diff/batch_norm.safetensors");
    let out = ends(&diff(&place, "", &old, &new), 1);
    for part in [
        "different: 3 of 19 layers changed; most: bn1_1, by ",
        "channel 1 of bn1_1 is all 0 now",
        "changed but for their weights: bn2_1 (running_var); bn3_1 (bias)",
        "NaN or infinite: 0 -> 1 values of bn3_1",
    ] {
        assert!(out.contains(part), "{part}: {out}");
    }
    let found = json(&diff(&place, "--json", &old, &new), 1);
    let dead = &layer(&found, "features.1")["dead"]["new"];
    assert_eq!(dead, &serde_json::json!([1]));
    assert_eq!(layer(&found, "features.0")["dead"], Value::Null);
    // A NaN in both is no difference.
    let out = ends(&diff(&place, "", &new, &new), 0);
    assert!(out.contains("equal: "), "{out}");
}

#[test]
fn tensors_of_one_file_and_of_other_shapes_are_named() {
    let place = Place::new();
    let missing = edited(&place, "missing.safetensors", |tensors| {
        tensors.retain(|(name, ..)| name != "classifier.6.bias");
    });
    let out = ends(&diff(&place, "", &weights(), &missing), 1);
    let part = "vgg16.weights.safetensors: `classifier.6.bias`\n";
    assert!(
        out.contains(part) && out.contains("different: 0 of 16"),
        "{out}"
    );
    let found = json(&diff(&place, "--json", &missing, &weights()), 1);
    assert_eq!(found["only_new"][0], "classifier.6.bias");
    assert_eq!(found["only_old"], serde_json::json!([]));
    let [gray, color] = ["gray.pth", "f32.safetensors"].map(|name| fixture("weights").join(name));
    let out = ends(&diff(&place, "", &gray, &color), 1);
    assert!(
        out.contains("of other shapes: `features.0.weight` [2, 1, 3, 3] -> [2, 3, 3, 3]"),
        "{out}"
    );
    let out = ends(&diff(&place, "", &gray, &gray), 0);
    assert!(out.contains("features.0 conv1_1"), "{out}");
}

#[test]
fn what_cannot_be_compared_is_exit_code_2() {
    let place = Place::new();
    let other = fixture("weights/zip.pth");
    diff(&place, "", &weights(), &other).fails(
        2,
        &["holds a vgg16 and", "zip.pth a vgg11", "the same network"],
    );
    diff(&place, "--arch vgg16", &weights(), &other).fails(2, &["--arch vgg11"]);
    diff(&place, "", &weights(), &place.path("none.pth"))
        .fails(2, &["none.pth: there is no such file"]);
    let two = fixture("weights/two_networks.pth");
    diff(&place, "", &two, &two).fails(2, &["choose one with --weights-key"]);
    ends(&diff(&place, "--weights-key teacher", &two, &two), 0);
    let quantized = fixture("weights/quantised.pth");
    diff(&place, "", &quantized, &quantized).fails(2, &["features.0.weight", "quantized integers"]);
    let none: [&str; 0] = [];
    assert_eq!(place.run("diff a.pth", &none).code(), 2);
}

/// The first layers alone fit several networks.
#[test]
fn first_layers_are_compared_with_a_whole_network() {
    let place = Place::new();
    let first = edited(&place, "first.safetensors", |tensors| {
        tensors.retain(|(name, ..)| {
            ["features.0.", "features.2."]
                .iter()
                .any(|stem| name.starts_with(stem))
        });
    });
    let whole = fixture("diff/changed.pth");
    let out = ends(&diff(&place, "", &first, &whole), 1);
    assert!(
        out.contains("different: 2 of 2 layers changed") && out.contains("and 24 more"),
        "{out}"
    );
}

/// `vggscope diff … | head` ends as it would without the pipe.
#[cfg(unix)]
#[test]
fn a_closed_pipe_is_no_error() {
    let place = Place::new();
    let changed = fixture("diff/changed.pth");
    for (new, code) in [(changed, 1), (weights(), 0)] {
        let mut command = place.command("diff", &[weights(), new]);
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = command.stdout(writer).output().unwrap();
        assert_eq!(output.status.code(), Some(code));
        assert!(output.stderr.is_empty());
    }
}

/// Burn's own format, written by Burn.
#[test]
fn files_of_burn_are_compared() {
    let place = Place::new();
    let torch = edited(&place, "torch.safetensors", |tensors| {
        tensors.retain(|(name, ..)| name.starts_with("features"));
    });
    let bytes = std::fs::read(&torch).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensors = file.tensors().into_iter().map(|(name, view)| {
        let (stem, part) = name.rsplit_once('.').unwrap();
        burn_pack::Tensor::new(
            format!("{stem}.Convolution.{part}"),
            burn_pack::DType::F32,
            view.shape().to_vec(),
            None,
            Bytes::from_bytes_vec(view.data().to_vec()),
        )
    });
    let burn = place.path("burn.bpk");
    Writer::new(tensors.collect()).write_to_file(&burn).unwrap();
    let found = json(&diff(&place, "--json", &torch, &burn), 0);
    assert_eq!(found["equal"], true);
    let changed = edited(&place, "changed.safetensors", |tensors| {
        tensors.retain(|(name, ..)| name.starts_with("features"));
        tensors[0].2[0] ^= 1;
    });
    let found = json(&diff(&place, "--json", &burn, &changed), 1);
    assert_eq!(found["layers"].as_array().unwrap().len(), 13);
}
