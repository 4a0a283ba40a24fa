//! Event files of the library, without the program: values of a training, and continued runs.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::ops::RangeInclusive;
use std::path::Path;

use serde_json::{Value, json};
use tensorboard_events::{
    EventFile, Graph, GraphNode, Histogram, HparamValue, Hparams, Inventory, Summary,
};

use super::{Watch, read, steps};

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

// Verified: TensorBoard 2.21 | a resumed run: every step once | equal
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
    for (run, _) in runs {
        let pass = plain_pass(&logdir.path().join(run));
        for tag in ["loss", "weights", "maps"] {
            assert_eq!(pass[tag], [1, 2, 3, 4, 5, 6, 7, 8, 9], "{run} {tag}");
        }
    }
}

/// The steps of each tag in all event files of a run, read strictly one after the other.
fn plain_pass(run: &Path) -> BTreeMap<String, Vec<i64>> {
    let mut files: Vec<_> = fs::read_dir(run)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut steps = BTreeMap::<_, Vec<_>>::new();
    for file in files {
        let found = Inventory::of(&[file]);
        assert!(found.is_whole(), "{:?}", found.files);
        for (tag, more) in found.tags {
            steps.entry(tag).or_default().extend(more.slow);
        }
    }
    steps
}

/// Writes the given steps, a picture only at each tenth.
fn write(file: &mut EventFile, steps: RangeInclusive<i64>, value: f32) {
    for at in steps {
        let mut summaries = vec![Summary::scalar("loss", value)];
        if at % 10 == 0 {
            summaries.push(picture("sparse", at, png::ColorType::Grayscale));
        }
        file.write_step(at, summaries).unwrap();
    }
}

/// Writes the given steps, and is killed in the middle of one more.
fn write_and_die(mut file: EventFile, steps: RangeInclusive<i64>, value: f32) {
    let next = steps.end() + 1;
    write(&mut file, steps, value);
    let whole = file.bytes_written();
    write(&mut file, next..=next, value);
    let file = File::options().write(true).open(file.path()).unwrap();
    file.set_len(whole + 30).unwrap();
}

/// What both loaders are to show of a run.
fn assert_shown(view: &Value, run: &str, losses: &[(i64, f32)], sparse: &[i64]) {
    for loader in LOADERS {
        let shown = &view[loader];
        let found = &shown["scalar_values"][format!("{run}:loss")];
        assert_eq!(found, &json!(losses), "{loader} {run}");
        assert_eq!(steps(shown, &format!("{run}:sparse")), sparse, "{loader}");
        let nodes = shown["graphs"][run].as_object().unwrap();
        assert_eq!(nodes.len(), 3, "{loader} {run}");
    }
}

/// What a plain pass is to find of a run.
fn assert_in_files(run: &Path, losses: &[(i64, f32)], sparse: &[i64]) {
    let pass = plain_pass(run);
    let at: Vec<_> = losses.iter().map(|&(at, _)| at).collect();
    assert_eq!(pass["loss"], at);
    assert_eq!(pass["sparse"], sparse);
    assert_eq!(pass["__run_graph__"], [0]);
}

/// Steps with the value of the attempt that wrote them.
fn losses<const N: usize>(attempts: [(RangeInclusive<i64>, f32); N]) -> Vec<(i64, f32)> {
    let losses = |(steps, value): (RangeInclusive<i64>, f32)| steps.map(move |at| (at, value));
    attempts.into_iter().flat_map(losses).collect()
}

/// Killed twice; the second time it goes on from before the second file, within it, or behind what
/// is left of it. The sparse tag has its next value after some of its void ones.
#[test]
fn a_run_that_was_killed_twice_shows_every_step_once() {
    let logdir = tempfile::tempdir().unwrap();
    let runs = [("before", 12), ("within", 18), ("end", 31)];
    for (name, from) in runs {
        let run = logdir.path().join(name);
        let mut file = EventFile::create(&run).unwrap();
        file.write_graph(&graph()).unwrap();
        write_and_die(file, 0..=25, 0.0);
        let mut file = EventFile::resume(&run, 15).unwrap();
        assert_eq!(file.write_graph(&graph()).unwrap(), 0);
        write_and_die(file, 15..=30, 1.0);
        let mut file = EventFile::resume(&run, from).unwrap();
        assert_eq!(file.write_graph(&graph()).unwrap(), 0);
        write(&mut file, from..=from + 1, 2.0);
    }
    let both = read(logdir.path());
    assert_eq!(both["slow"], both["fast"]);
    let check = |name: &str, losses: &[_], sparse: &[_]| {
        assert_shown(&both, name, losses, sparse);
        assert_in_files(&logdir.path().join(name), losses, sparse);
    };
    let before = losses([(0..=11, 0.0), (12..=13, 2.0)]);
    check("before", &before, &[0, 10]);
    let within = losses([(0..=14, 0.0), (15..=17, 1.0), (18..=19, 2.0)]);
    check("within", &within, &[0, 10]);
    let end = losses([(0..=14, 0.0), (15..=30, 1.0), (31..=32, 2.0)]);
    check("end", &end, &[0, 10, 20, 30]);
}

/// A TensorBoard that has read the void steps forgets them: all at once, or each tag's when that is
/// written again.
// Verified: TensorBoard 2.21 | the same while TensorBoard runs | equal
#[test]
fn a_running_tensorboard_shows_every_step_of_a_continued_run_once() {
    let logdir = tempfile::tempdir().unwrap();
    let run = logdir.path().join("run");
    let mut file = EventFile::create(&run).unwrap();
    file.write_graph(&graph()).unwrap();
    write_and_die(file, 0..=25, 0.0);
    let mut watch = Watch::open(logdir.path());
    let before = watch.view();
    for loader in LOADERS {
        assert_eq!(steps(&before[loader], "run:sparse"), [0, 10, 20]);
    }

    write_and_die(EventFile::resume(&run, 15).unwrap(), 15..=31, 1.0);
    watch.reload();
    let expected = losses([(0..=14, 0.0), (15..=31, 1.0)]);
    assert_shown(&watch.view(), "run", &expected, &[0, 10, 20, 30]);

    // From before the file that they are reading, of which nothing but its beginning is left then.
    let mut file = EventFile::resume(&run, 12).unwrap();
    write(&mut file, 12..=33, 2.0);
    watch.reload();
    let expected = losses([(0..=11, 0.0), (12..=33, 2.0)]);
    assert_shown(&watch.view(), "run", &expected, &[0, 10, 20, 30]);
    assert_in_files(&run, &expected, &[0, 10, 20, 30]);
}

// Verified: TensorBoard 2.21 | the graph | equal
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

fn session(lr: f64, augment: bool) -> [(String, HparamValue); 3] {
    [
        ("lr".to_owned(), HparamValue::Number(lr)),
        ("augment".to_owned(), HparamValue::Flag(augment)),
        ("optimizer".to_owned(), HparamValue::Text("sgd".to_owned())),
    ]
}

fn start(hparams: &[(String, HparamValue)]) -> Hparams {
    Hparams::start(hparams, "", 1_700_000_000.0)
}

fn ended(success: bool) -> Summary {
    Summary::hparams(Hparams::end(success, 1_700_000_100.0))
}

// Verified: TensorBoard 2.21 | hyperparameters and results | equal
#[test]
fn the_hparams_tab_compares_runs() {
    let logdir = tempfile::tempdir().unwrap();
    let runs = [
        ("a", session(0.1, true), [0.25, 0.5], true),
        ("b/c", session(0.01, false), [0.5, 0.75], false),
    ];
    for (run, settings, accuracies, success) in runs {
        let mut file = EventFile::create(&logdir.path().join(run)).unwrap();
        let experiment = Hparams::experiment(&settings, &["val/accuracy"], 0.0);
        let beginning = [experiment, start(&settings)];
        file.write_step(0, beginning.map(Summary::hparams).into())
            .unwrap();
        for (at, accuracy) in (1..).zip(accuracies) {
            let values = [("val/accuracy", accuracy), ("loss", 1.0)];
            let values = values.map(|(tag, value)| Summary::scalar(tag, value));
            file.write_step(at, values.into()).unwrap();
        }
        file.write_step(2, vec![ended(success)]).unwrap();
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
/// settings, and the end that it has said before the step it goes on from.
#[test]
fn the_hparams_of_a_continued_run_are_those_of_its_beginning() {
    let logdir = tempfile::tempdir().unwrap();
    let runs = [
        ("killed", false, 5, "STATUS_SUCCESS"),
        ("failed", true, 8, "STATUS_FAILURE"),
        ("failed_later", true, 7, "STATUS_SUCCESS"),
    ];
    for (run, failed, from, _) in runs {
        let run = logdir.path().join(run);
        let mut file = EventFile::create(&run).unwrap();
        let start = Summary::hparams(start(&session(0.1, true)));
        file.write_step(0, vec![start]).unwrap();
        for at in 1..=7 {
            file.write_step(at, vec![Summary::scalar("loss", 0.25)])
                .unwrap();
        }
        if failed {
            file.write_step(7, vec![ended(false)]).unwrap();
        }
        drop(file);
        let mut file = EventFile::resume(&run, from).unwrap();
        for at in from..=9 {
            file.write_step(at, vec![Summary::scalar("loss", 0.5)])
                .unwrap();
        }
        file.write_step(9, vec![ended(true)]).unwrap();
    }
    let both = read(logdir.path());
    for loader in LOADERS {
        let hparams = &both[loader]["hparams"];
        assert_eq!(hparams["results"], json!(["loss"]), "{loader}");
        for (run, _, _, status) in runs {
            let row = &hparams["rows"][run];
            assert_eq!(row["settings"]["lr"], 0.1, "{loader}");
            assert_eq!(row["results"]["loss"], json!([9, 0.5]), "{loader}");
            assert_eq!(row["runs"][run], status, "{loader} {run}");
        }
    }
}
