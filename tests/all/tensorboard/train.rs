//! What both loaders make of a training.

use serde_json::{Value, json};
use tensorboard_events::{Content, EventReader, Value as Summarized, event_files};

use super::{parsed, read, root, script, steps, vggscope};
use crate::program::support::CPU;

const NARROW: &str = "--arch vgg11_bn --width 0.1 --hidden 16 --resize 32 --crop 32 --batch-size 12 \
                      --layers conv1_1,pool5 --optimizer adamw --learning-rate 0.002 --images";

fn train(place: &std::path::Path, flags: &str) {
    let line = format!(
        "train {} {flags} {NARROW}",
        root().join("tests/fixtures/crops").display()
    );
    vggscope(
        place,
        &line,
        &[
            &root().join("photos/chelsea.png"),
            &root().join("photos/coffee.png"),
        ],
    );
}

// Verified: TensorBoard 2.21 | a training in every tab of both loaders | equal
#[test]
fn a_training_shows_in_every_tab_of_both_loaders() {
    let place = tempfile::tempdir().unwrap();
    train(place.path(), "--run a --epochs 2");
    let both = read(&place.path().join("runs"));
    for loader in ["slow", "fast"] {
        let view = &both[loader];
        let every: Vec<i64> = (0..=12).collect();
        for tag in [
            "feature_maps/chelsea/00_conv1_1",
            "feature_maps/coffee/28_pool5",
            "kernels/00_conv1_1",
        ] {
            assert_eq!(steps(view, &format!("a:{tag}")), every, "{loader} {tag}");
        }
        assert_eq!(steps(view, "a:input/chelsea"), [0], "{loader}");
        for tag in [
            "loss",
            "accuracy",
            "learning_rate",
            "gradient_norm",
            "images_per_second",
        ] {
            let found = &view["scalars"][format!("a:train/{tag}")];
            assert_eq!(*found, json!(every[1..]), "{loader} {tag}");
        }
        for tag in ["loss", "accuracy"] {
            let found = &view["scalars"][format!("a:val/{tag}")];
            assert_eq!(*found, json!([6, 12]), "{loader} {tag}");
        }
        histograms(view);
        graph(&view["graphs"]["a"]);
        hparams(view);
        let config = view["text"]["a:config"][0][1].as_str().unwrap();
        assert!(config.contains("optimizer = \"adamw\""), "{config}");
    }
    assert_eq!(both["slow"], both["fast"]);
}

/// As many values as the parameter has: 6 kernels of 3 x 3 x 3.
fn histograms(view: &Value) {
    for tag in ["weights/00_conv1_1.weight", "gradients/00_conv1_1.weight"] {
        let found = view["histograms"][format!("a:{tag}")].as_array().unwrap();
        let at: Vec<_> = found.iter().map(|one| one[0].as_i64().unwrap()).collect();
        assert_eq!(at, [6, 12], "{tag}");
        let buckets = found[0][1].as_array().unwrap();
        let count: f64 = buckets
            .iter()
            .map(|bucket| bucket[2].as_f64().unwrap())
            .sum();
        assert!((count - 162.0).abs() < 1e-9, "{tag} {count}");
    }
}

fn graph(nodes: &Value) {
    let node = |name: &str| nodes[name].clone();
    assert_eq!(node("input")[2], json!([[-1, 3, 32, 32]]), "{nodes}");
    let conv = node("features/block2/04_conv2_1");
    assert_eq!(conv[0], "Conv2d");
    assert_eq!(conv[1], json!(["features/block1/03_pool1"]));
    assert_eq!(conv[2], json!([[-1, 13, 16, 16]]));
    assert_eq!(node("features/block5/28_pool5")[2], json!([[-1, 51, 1, 1]]));
    assert_eq!(node("avgpool")[2], json!([[-1, 51, 7, 7]]));
    assert_eq!(node("classifier/6_linear3")[2], json!([[-1, 3]]));
    assert_eq!(node("loss")[1], json!(["classifier/6_linear3"]));
}

fn hparams(view: &Value) {
    let row = &view["hparams"]["rows"]["a"];
    assert_eq!(row["settings"]["optimizer"], "adamw", "{row}");
    assert_eq!(row["settings"]["learning-rate"], 0.002);
    assert_eq!(row["settings"]["batch-size"], 12.0);
    assert_eq!(row["runs"]["a"], "STATUS_SUCCESS");
    let last = |tag: &str| {
        let values = view["scalar_values"][format!("a:{tag}")]
            .as_array()
            .unwrap();
        values.last().unwrap().clone()
    };
    for tag in ["val/accuracy", "val/loss", "train/loss"] {
        assert_eq!(row["results"][tag], last(tag), "{tag}");
    }
}

/// tbparse finds every scalar and histogram that is in the file, with the same values.
// Verified: tbparse | scalars and histograms of a training | equal
#[test]
fn tbparse_reads_every_scalar_and_histogram_of_a_training() {
    let place = tempfile::tempdir().unwrap();
    train(place.path(), "--run a --epochs 2 --timings");
    let run = place.path().join("runs/a");
    let (mut scalars, mut histograms) = (Vec::new(), Vec::new());
    let path = event_files(&run).unwrap().remove(0);
    for event in EventReader::open(&path).unwrap() {
        let event = event.unwrap();
        let Content::Summaries(summaries) = event.content else {
            continue;
        };
        for summary in summaries {
            let (tag, step) = (summary.tag, event.step);
            match summary.value.unwrap() {
                Summarized::Scalar(value) => {
                    scalars.push(json!({"step": step, "tag": tag, "value": value}));
                }
                Summarized::Histogram(of) => histograms.push(json!({
                    "step": step, "tag": tag, "limits": of.bucket_limits,
                    "counts": of.bucket_counts, "min": of.min, "max": of.max, "num": of.num,
                    "sum": of.sum, "sum_squares": of.sum_squares,
                })),
                _ => {}
            }
        }
    }
    let found = parsed(script("tbparse_run.py").arg(&run));
    // Loss, accuracy, learning rate and more at 12 steps; 18 layers with weights and gradients at 2.
    assert!(scalars.len() > 12 * 5, "{}", scalars.len());
    assert!(histograms.len() > 2 * 2 * 18, "{}", histograms.len());
    assert_eq!(found["scalars"], sorted(scalars));
    assert_eq!(found["histograms"], sorted(histograms));
}

/// By tag and step, as tbparse lists them.
fn sorted(mut values: Vec<Value>) -> Value {
    values.sort_by_key(|value| (value["tag"].to_string(), value["step"].as_i64()));
    // Through text, as the script's numbers: parsing rounds the last bit its own way.
    serde_json::from_str(&Value::from(values).to_string()).unwrap()
}

/// A training that was made longer: every step once, one row in the table, one graph.
#[test]
fn a_resumed_training_is_one_run() {
    let place = tempfile::tempdir().unwrap();
    // Equal losses are asked for, so on the CPU.
    let flags = format!("--save-every 5 --device {CPU}");
    train(place.path(), &format!("--run whole --steps 8 {flags}"));
    train(place.path(), &format!("--run a --steps 5 {flags}"));
    train(place.path(), &format!("--run a --steps 8 {flags} --resume"));
    let both = read(&place.path().join("runs"));
    for loader in ["slow", "fast"] {
        let view = &both[loader];
        assert_eq!(
            steps(view, "a:feature_maps/chelsea/00_conv1_1"),
            (0..=8).collect::<Vec<_>>(),
            "{loader}"
        );
        let losses = |run: &str| view["scalar_values"][format!("{run}:train/loss")].clone();
        assert_eq!(losses("a").as_array().unwrap().len(), 8, "{loader}");
        assert_eq!(losses("a"), losses("whole"), "{loader}");
        assert_eq!(view["graphs"]["a"], view["graphs"]["whole"], "{loader}");
        assert_eq!(
            view["hparams"]["rows"]["a"]["runs"]["a"], "STATUS_SUCCESS",
            "{loader}"
        );
        let description = &view["images"]["a:feature_maps/chelsea/00_conv1_1"]["description"];
        assert!(
            description.as_str().unwrap().contains("conv1_1"),
            "{loader}"
        );
    }
    assert_eq!(both["slow"], both["fast"]);
}
