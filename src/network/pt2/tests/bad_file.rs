//! Files that are no program, or whose tensors are not what they say; and any bytes at all.

use rand::{RngExt, SeedableRng};
use serde_json::json;
use zip::CompressionMethod;

use super::bad_input::*;
use super::fixtures;

/// A change of the list of tensors, and what is said of it.
#[test]
fn tensors_that_are_not_there_are_named() {
    let changes: &[Change] = &[
        (
            |weight| weight["path_name"] = json!("../weight_0"),
            &[
                "stem.0.weight",
                "../weight_0",
                "expected the name of a file",
            ],
        ),
        (
            |weight| weight["tensor_meta"]["sizes"][0] = json!({"as_int": u64::MAX}),
            &["stem.0.weight"],
        ),
        (
            |weight| weight["tensor_meta"]["sizes"][0] = json!({"as_int": 7}),
            &["stem.0.weight", "[7, 3, 5, 5]"],
        ),
        (
            |weight| weight["tensor_meta"]["strides"][0] = json!({"as_int": 76}),
            &["stem.0.weight", "1820 bytes"],
        ),
        (
            |weight| weight["tensor_meta"]["storage_offset"] = json!({"as_int": u64::MAX}),
            &["stem.0.weight", "bytes at"],
        ),
        (
            |weight| weight["tensor_meta"]["storage_offset"] = json!({"as_int": -1}),
            &["model_weights_config.json", "integer `-1`"],
        ),
        (
            |weight| weight["tensor_meta"]["dtype"] = json!(10),
            &["stem.0.weight", "complex64"],
        ),
        (
            |weight| weight["path_name"] = json!("weight_99"),
            &["stem.0.weight", "weight_99 is not there"],
        ),
        (
            |weight| weight["use_pickle"] = json!(true),
            &["stem.0.weight", "an object"],
        ),
        (
            |weight| *weight = json!({"path_name": "weight_0"}),
            &["stem.0.weight"],
        ),
    ];
    for (change, parts) in changes {
        let mut entries = Entries::of("residual.pt2");
        entries.change(WEIGHTS, |all| change(&mut all["config"]["stem.0.weight"]));
        refused(&entries.bytes(CompressionMethod::Stored), parts);
    }
    for (end, parts) in [
        (WEIGHTS, ["lacks", "model_weights_config.json"]),
        (
            "weights/weight_0",
            ["stem.0.weight", "weight_0 is not there"],
        ),
    ] {
        let mut entries = Entries::of("residual.pt2");
        entries.remove(end);
        refused(&entries.bytes(CompressionMethod::Stored), &parts);
    }
    // A few bytes that are said to be many.
    let mut entries = Entries::of("residual.pt2");
    let sizes = json!([{"as_int": 1 << 14}, {"as_int": 1 << 14}]);
    entries.change(WEIGHTS, |all| {
        let meta = &mut all["config"]["head.weight"]["tensor_meta"];
        (meta["sizes"], meta["strides"]) = (sizes.clone(), json!([{"as_int": 0}, {"as_int": 0}]));
    });
    entries.change(GRAPH, |all| {
        all["graph_module"]["graph"]["tensor_values"]["p_head_weight"]["sizes"] = sizes;
        // Where a layer needs it.
        node(all, 4)["inputs"][1]["arg"]["as_tensor"]["name"] = json!("p_head_weight");
    });
    refused(
        &entries.bytes(CompressionMethod::Stored),
        &["head.weight", "repeats 1 elements"],
    );
}

#[test]
fn what_is_no_program_is_named() {
    let stored = CompressionMethod::Stored;
    let whole = std::fs::read(fixtures().join("residual.pt2")).unwrap();
    refused(b"", &["empty"]);
    refused(b"no zip", &["expected"]);
    refused(&whole[..whole.len() / 2], &["directory is not at its end"]);
    refused(
        b"\x08\x07\x12\x07pytorch\x1a\x032.9:\x8a\x01\n",
        &["ONNX", "torch.export"],
    );
    let two = |one: &str, two: &str| {
        let entries = [one, two].map(|name| (name.to_owned(), Vec::new()));
        Entries(entries.to_vec()).bytes(stored)
    };
    let one =
        |name: &str, bytes: &[u8]| Entries(vec![(name.to_owned(), bytes.to_vec())]).bytes(stored);
    refused(
        &two("net/constants.pkl", "net/code/a.py"),
        &["TorchScript", "torch.export"],
    );
    refused(&one("net/data.pkl", b""), &["torch.export"]);
    refused(
        &one("serialized_exported_program.json", b"{}"),
        &["until 2.7", "torch 2.8 or newer"],
    );
    let with = |json: Vec<u8>, method| {
        let mut entries = Entries::of("residual.pt2");
        *entries.entry(GRAPH) = json;
        entries.bytes(method)
    };
    let deep = "[".repeat(10_000);
    refused(
        &with(deep.clone().into(), stored),
        &["graph cannot be read"],
    );
    let ignored = format!("{{\"more\": {deep}{}}}", "]".repeat(10_000));
    refused(&with(ignored.into(), stored), &["graph cannot be read"]);
    refused(
        &with(vec![b' '; 40 << 20], CompressionMethod::Deflated),
        &["models/model.json of more than 16 MB"],
    );
    let ints = format!("{{\"more\": [{}1]}}", "1,".repeat(1 << 21));
    refused(
        &with(ints.into(), stored),
        &["models/model.json of more than 1048576 values"],
    );
    let mut entries = Entries::of("residual.pt2");
    *entries.entry("byteorder") = b"big".to_vec();
    refused(&entries.bytes(stored), &["big-endian"]);
    let model = entries.entry(GRAPH).clone();
    entries
        .0
        .push(("residual/models/other.json".to_owned(), model));
    refused(&entries.bytes(stored), &["2 models", "expected one"]);
}

/// Bytes of the graph, of the lists of tensors and of the archive itself are others: an error, or pictures; never a panic,
/// and never long.
#[test]
fn files_with_bytes_changed_at_random_are_refused_or_shown() {
    let mut random = rand::rngs::ChaCha8Rng::seed_from_u64(26);
    let mut opened = 0;
    for turn in 0..500 {
        let mut entries = Entries::of("residual.pt2");
        let bytes = match turn % 4 {
            0 => {
                mutate(entries.entry(WEIGHTS), &mut random);
                entries.bytes(CompressionMethod::Stored)
            }
            1 => {
                let mut bytes = entries.bytes(CompressionMethod::Stored);
                mutate(&mut bytes, &mut random);
                bytes
            }
            _ => {
                mutate(entries.entry(GRAPH), &mut random);
                entries.bytes(CompressionMethod::Stored)
            }
        };
        let started = std::time::Instant::now();
        match shown(&bytes, "all") {
            Ok(_) => opened += 1,
            Err(line) => assert!(!line.contains('\n'), "{line}"),
        }
        assert!(started.elapsed().as_secs() < 10, "turn {turn}");
    }
    assert!((50..450).contains(&opened), "{opened}");
}

/// Digits become others, so that what is read is a graph more often than not; or any bytes.
fn mutate(bytes: &mut [u8], random: &mut impl RngExt) {
    let only_digits = random.random_bool(0.7);
    for _ in 0..random.random_range(1..12) {
        let mut at = random.random_range(0..bytes.len());
        if only_digits {
            let Some(next) = bytes[at..].iter().position(u8::is_ascii_digit) else {
                continue;
            };
            at += next;
            bytes[at] = random.random_range(b'0'..=b'9');
        } else {
            bytes[at] = random.random();
        }
    }
}
