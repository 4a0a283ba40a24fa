//! Event files of the library, without the program: values of a training, and continued runs.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use serde_json::{Value, json};
use vggscope::events::{
    EventFile, Experiment, Graph, GraphNode, Histogram, HparamValue, Hparams, MetricInfo,
    SessionEnd, SessionStart, SessionStatus, Summary,
};

use super::{read, steps};

const LOADERS: [&str; 2] = ["slow", "fast"];

/// A picture whose width is `step + 1`, grey or RGB, so that it can be told from others.
fn picture(tag: &str, step: i64, colour: png::ColorType) -> Summary {
    let width = u32::try_from(step + 1).unwrap();
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, 1);
    encoder.set_color(colour);
    let mut writer = encoder.write_header().unwrap();
    let pixels = vec![7; width as usize * colour.samples()];
    writer.write_image_data(&pixels).unwrap();
    writer.finish().unwrap();
    Summary::image(tag, "", width, 1, vec![bytes])
}

fn histogram(tag: &str, value: f32) -> Summary {
    Summary::histogram(tag, Histogram::of(&[value], 1))
}

/// All that a training writes at a step; `value` tells which attempt wrote it.
fn step(step: i64, value: f32, colour: png::ColorType) -> Vec<Summary> {
    vec![
        Summary::scalar("loss", value),
        histogram("weights", value),
        picture("maps", step, colour),
    ]
}

/// How the first file of a run ends.
#[derive(Clone, Copy, PartialEq)]
enum End {
    /// In the middle of a record: the process was killed.
    Cut,
    /// In zeros: the power failed.
    Zeros,
}

/// Steps 1 to 7 of a run, and a part of step 8.
fn ended_run(run: &Path, end: End) {
    let mut file = EventFile::create(run).unwrap();
    file.write_graph(&graph()).unwrap();
    file.write_step(1, vec![picture("input", 1, png::ColorType::Grayscale)])
        .unwrap();
    for at in 1..=7 {
        file.write_step(at, step(at, 0.25, png::ColorType::Grayscale))
            .unwrap();
    }
    let whole = file.bytes_written();
    file.write_step(8, step(8, 0.25, png::ColorType::Grayscale))
        .unwrap();
    let file = File::options().write(true).open(file.path()).unwrap();
    if end == End::Zeros {
        file.set_len(whole).unwrap();
    }
    file.set_len(whole + 30).unwrap();
}

fn graph() -> Graph {
    let node = |name: &str, op: &str, inputs: &[&str], shape: &[i64]| GraphNode {
        name: name.to_owned(),
        op: op.to_owned(),
        inputs: inputs.iter().map(|&input| input.to_owned()).collect(),
        shape: Some(shape.to_vec()),
        attributes: BTreeMap::new(),
    };
    let mut graph = Graph {
        nodes: vec![
            node("input", "Input", &[], &[-1, 3, 32, 32]),
            node("features/conv1_1", "Conv2d", &["input"], &[-1, 64, 32, 32]),
            node(
                "features/relu1_1",
                "ReLU",
                &["features/conv1_1"],
                &[-1, 64, 32, 32],
            ),
        ],
    };
    graph.nodes[1]
        .attributes
        .insert("kernel".to_owned(), "3 x 3".to_owned());
    graph
}

/// Width and mode of each picture of a tag, with its step.
fn pictures(view: &Value, tag: &str) -> Value {
    let steps = view["images"][tag]["steps"].as_array().unwrap();
    let shown = |step: &Value| json!([step[0], step[2][0][0], step[2][0][2]]);
    steps.iter().map(shown).collect()
}

#[test]
fn a_continued_run_shows_every_step_once_in_both_loaders() {
    let logdir = tempfile::tempdir().unwrap();
    let runs = [("cut", End::Cut), ("zeros", End::Zeros)];
    for (run, end) in runs {
        let run = logdir.path().join(run);
        ended_run(&run, end);
        let mut file = EventFile::resume(&run, 5).unwrap();
        assert_eq!(file.write_graph(&graph()).unwrap(), 0);
        for at in 5..=9 {
            file.write_step(at, step(at, 0.5, png::ColorType::Rgb))
                .unwrap();
        }
    }

    let both = read(logdir.path());
    let value = |at: i64| if at < 5 { 0.25 } else { 0.5 };
    let mode = |at: i64| if at < 5 { "L" } else { "RGB" };
    let every = |shown: &dyn Fn(i64) -> Value| (1..=9).map(shown).collect::<Value>();
    let losses = every(&|at| json!([at, value(at)]));
    let weights = every(&|at| json!([at, [[value(at), value(at), 1.0]]]));
    let maps = every(&|at| json!([at, at + 1, mode(at)]));
    for loader in LOADERS {
        let view = &both[loader];
        for (run, _) in runs {
            let tag = |tag: &str| format!("{run}:{tag}");
            assert_eq!(view["scalar_values"][tag("loss")], losses, "{loader}");
            assert_eq!(view["histograms"][tag("weights")], weights, "{loader}");
            assert_eq!(pictures(view, &tag("maps")), maps, "{loader}");
            assert_eq!(steps(view, &tag("input")), [1], "{loader}");
            let nodes = view["graphs"][run].as_object().unwrap();
            assert_eq!(nodes.len(), 3, "{loader}");
        }
    }
    assert_eq!(both["slow"], both["fast"]);
}

/// A tag that is written every 10 steps, in a run that was killed after step 25 and goes on from
/// step 15.
#[test]
fn an_outdated_tag_is_shown_by_the_fast_loader_until_it_is_written() {
    let logdir = tempfile::tempdir().unwrap();
    for written_at_once in [false, true] {
        let run = logdir.path().join(format!("{written_at_once}"));
        let mut file = EventFile::create(&run).unwrap();
        for at in [0, 10, 20] {
            file.write_step(at, vec![histogram("sparse", 0.25)])
                .unwrap();
        }
        file.write_step(25, vec![Summary::scalar("loss", 0.25)])
            .unwrap();
        let mut file = EventFile::resume(&run, 15).unwrap();
        let mut first = vec![Summary::scalar("loss", 0.5)];
        if written_at_once {
            let tags: Vec<_> = file.outdated_tags().collect();
            assert_eq!(tags, ["loss", "sparse"]);
            first.push(histogram("sparse", 0.5));
        }
        file.write_step(15, first).unwrap();
    }

    let both = read(logdir.path());
    let shown = |loader: &str, run: &str| -> Vec<Value> {
        let values = both[loader]["histograms"][format!("{run}:sparse")].as_array();
        values
            .unwrap()
            .iter()
            .map(|value| value[0].clone())
            .collect()
    };
    assert_eq!(shown("slow", "false"), [0, 10]);
    assert_eq!(shown("fast", "false"), [0, 10, 20]);
    for loader in LOADERS {
        assert_eq!(shown(loader, "true"), [0, 10, 15]);
        assert_eq!(both[loader]["scalars"]["false:loss"], json!([15]));
    }
}

#[test]
fn the_graphs_tab_draws_the_model() {
    let logdir = tempfile::tempdir().unwrap();
    let mut file = EventFile::create(&logdir.path().join("run")).unwrap();
    file.write_graph(&graph()).unwrap();
    file.write_step(0, vec![Summary::scalar("loss", 0.5)])
        .unwrap();
    let both = read(logdir.path());
    for loader in LOADERS {
        assert_eq!(
            both[loader]["graphs"]["run"],
            json!({
                "input": ["Input", [], [[-1, 3, 32, 32]], {}],
                "features/conv1_1":
                    ["Conv2d", ["input"], [[-1, 64, 32, 32]], {"kernel": "3 x 3"}],
                "features/relu1_1": ["ReLU", ["features/conv1_1"], [[-1, 64, 32, 32]], {}],
            }),
            "{loader}"
        );
    }
}

fn session(lr: f64, augment: bool) -> SessionStart {
    SessionStart {
        hparams: BTreeMap::from([
            ("lr".to_owned(), HparamValue::Number(lr)),
            ("augment".to_owned(), HparamValue::Flag(augment)),
            ("optimizer".to_owned(), HparamValue::Text("sgd".to_owned())),
        ]),
        group: String::new(),
        started: 1_700_000_000.0,
    }
}

fn ended(status: SessionStatus) -> Summary {
    Summary::hparams(Hparams::End(SessionEnd {
        status,
        ended: 1_700_000_100.0,
    }))
}

#[test]
fn the_hparams_tab_compares_runs() {
    let logdir = tempfile::tempdir().unwrap();
    let runs = [
        ("a", session(0.1, true), [0.25, 0.5], SessionStatus::Success),
        (
            "b/c",
            session(0.01, false),
            [0.5, 0.75],
            SessionStatus::Failure,
        ),
    ];
    for (run, start, accuracies, status) in runs {
        let mut file = EventFile::create(&logdir.path().join(run)).unwrap();
        let mut metric = MetricInfo::new("val/accuracy");
        "accuracy".clone_into(&mut metric.title);
        let experiment = Experiment::of(&start, vec![metric]);
        let beginning = [Hparams::Experiment(experiment), Hparams::Start(start)];
        file.write_step(0, beginning.map(Summary::hparams).into())
            .unwrap();
        for (at, accuracy) in (1..).zip(accuracies) {
            let values = [("val/accuracy", accuracy), ("loss", 1.0)];
            let values = values.map(|(tag, value)| Summary::scalar(tag, value));
            file.write_step(at, values.into()).unwrap();
        }
        file.write_step(2, vec![ended(status)]).unwrap();
    }
    let both = read(logdir.path());
    for loader in LOADERS {
        assert_eq!(
            both[loader]["hparams"],
            json!({
                "columns": ["augment", "lr", "optimizer"],
                "results": ["val/accuracy"],
                "rows": {
                    "a": {
                        "settings": {"augment": true, "lr": 0.1, "optimizer": "sgd"},
                        "results": {"val/accuracy": [2, 0.5]},
                        "runs": {"a": "STATUS_SUCCESS"},
                    },
                    "b/c": {
                        "settings": {"augment": false, "lr": 0.01, "optimizer": "sgd"},
                        "results": {"val/accuracy": [2, 0.75]},
                        "runs": {"b/c": "STATUS_FAILURE"},
                    },
                },
            }),
            "{loader}"
        );
    }
}

/// Without an experiment all scalars of the runs are results. A run that goes on keeps its
/// settings, and the end that it has said once.
#[test]
fn the_hparams_of_a_continued_run_are_those_of_its_beginning() {
    let logdir = tempfile::tempdir().unwrap();
    for (run, failed) in [("failed", true), ("killed", false)] {
        let run = logdir.path().join(run);
        let mut file = EventFile::create(&run).unwrap();
        let start = Summary::hparams(Hparams::Start(session(0.1, true)));
        file.write_step(0, vec![start]).unwrap();
        for at in 1..=7 {
            file.write_step(at, vec![Summary::scalar("loss", 0.25)])
                .unwrap();
        }
        if failed {
            file.write_step(7, vec![ended(SessionStatus::Failure)])
                .unwrap();
        }
        let mut file = EventFile::resume(&run, 5).unwrap();
        for at in 5..=6 {
            file.write_step(at, vec![Summary::scalar("loss", 0.5)])
                .unwrap();
        }
        file.write_step(6, vec![ended(SessionStatus::Success)])
            .unwrap();
    }
    let both = read(logdir.path());
    for loader in LOADERS {
        let hparams = &both[loader]["hparams"];
        assert_eq!(hparams["results"], json!(["loss"]), "{loader}");
        for (run, status) in [("failed", "STATUS_FAILURE"), ("killed", "STATUS_SUCCESS")] {
            let row = &hparams["rows"][run];
            assert_eq!(row["settings"]["lr"], 0.1, "{loader}");
            assert_eq!(row["results"]["loss"], json!([6, 0.5]), "{loader}");
            assert_eq!(row["runs"][run], status, "{loader}");
        }
    }
}
