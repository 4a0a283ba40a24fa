use std::collections::BTreeMap;

use protobuf::Message;
use tensorboard_proto::event::{Event, Event_oneof_what};
use tensorboard_proto::graph::GraphDef;
use tensorboard_proto::plugin_hparams::{HParamsPluginData, HParamsPluginData_oneof_data as Data};

use super::{Disk, TRAINING};
use crate::file::EventFile;
use crate::graph::{Graph, GraphNode};
use crate::histogram::Histogram;
use crate::hparams::{HparamValue, Hparams};
use crate::read::{Content, EventReader};
use crate::record::RecordReader;
use crate::summary::{Summary, Value};

fn graph() -> Graph {
    let text = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    let node = |name: &str, op: &str, inputs: &[&str]| GraphNode {
        name: name.to_owned(),
        op: op.to_owned(),
        inputs: inputs.iter().map(|&input| input.to_owned()).collect(),
        ..GraphNode::default()
    };
    Graph {
        nodes: vec![
            GraphNode {
                shape: Some(vec![-1, 3, 32, 32]),
                ..node("input", "Input", &[])
            },
            GraphNode {
                shape: Some(vec![-1, 64, 32, 32]),
                attributes: BTreeMap::from([text("kernel", "3 x 3"), text("padding", "1")]),
                ..node("features/conv1_1", "Conv2d", &["input"])
            },
            node("loss", "CrossEntropy", &["features/conv1_1:0", "^input"]),
        ],
    }
}

fn hparams() -> [Hparams; 3] {
    let settings = [
        ("augment".to_owned(), HparamValue::Flag(false)),
        ("lr".to_owned(), HparamValue::Number(0.1)),
        ("optimizer".to_owned(), HparamValue::Text("sgd".to_owned())),
    ];
    let started = 1_700_000_000.5;
    let metrics = ["val/accuracy", "val/loss"];
    let mut experiment = Hparams::experiment(&settings, &metrics, started);
    // What the fixture has beyond what this crate writes.
    let Data::experiment(message) = &mut experiment.0 else {
        panic!("{experiment:?}");
    };
    message.set_description("VGG on *shapes*".to_owned());
    message.hparam_infos[1].set_display_name("learning rate".to_owned());
    message.hparam_infos[2].set_description("*how*".to_owned());
    message.metric_infos[0].set_display_name("accuracy".to_owned());
    message.metric_infos[0].set_description("of 1".to_owned());
    [
        experiment,
        Hparams::start(&settings, "group", started),
        Hparams::end(false, 1_700_000_009.5),
    ]
}

fn summaries() -> Vec<Summary> {
    let [experiment, start, end] = hparams().map(Summary::hparams);
    let weights = Histogram::of(&[0.5, 0.25, 1.0, 1.0], 3);
    let weights = Summary::histogram("weights", weights);
    vec![experiment, start, weights, end]
}

/// What `make_training_fixtures.py` has TensorBoard write, written by this tool.
fn ours() -> Vec<u8> {
    let disk = Disk::new();
    let clock = || 1_700_000_000.25;
    let mut file = EventFile::begin_at(disk.clone(), "new".into(), 5, clock).unwrap();
    file.clock = || 1_700_000_001.0;
    file.write_graph(&graph()).unwrap();
    file.clock = || 1_700_000_001.5;
    file.write_step(5, summaries()).unwrap();
    disk.bytes()
}

fn records(bytes: &[u8]) -> Vec<Vec<u8>> {
    RecordReader::new(bytes).collect::<Result<_, _>>().unwrap()
}

/// Takes out the bytes in which the order of a map is free, and gives what they say.
fn parsed(record: &[u8]) -> (Event, Option<GraphDef>, Option<HParamsPluginData>) {
    let mut event = Event::parse_from_bytes(record).unwrap();
    let (mut graph, mut hparams) = (None, None);
    match &mut event.what {
        Some(Event_oneof_what::graph_def(bytes)) => {
            graph = Some(GraphDef::parse_from_bytes(&std::mem::take(bytes)).unwrap());
        }
        Some(Event_oneof_what::summary(summary)) if summary.value[0].metadata.is_some() => {
            let data = summary.value[0].mut_metadata().mut_plugin_data();
            let content = std::mem::take(&mut data.content);
            hparams = Some(HParamsPluginData::parse_from_bytes(&content).unwrap());
        }
        _ => {}
    }
    (event, graph, hparams)
}

#[test]
fn events_of_a_training_are_tensorboards() {
    let (ours, theirs) = (records(&ours()), records(TRAINING));
    assert_eq!(ours.len(), theirs.len());
    for (ours, theirs) in ours.iter().zip(&theirs) {
        let expected = parsed(theirs);
        assert_eq!(parsed(ours), expected);
        assert_eq!(ours.len(), theirs.len(), "{expected:?}");
    }
}

#[test]
fn reads_a_training_that_tensorboard_wrote() {
    let events: Vec<_> = EventReader::new(TRAINING, "training.tfevents")
        .map(|event| event.unwrap())
        .collect();
    assert_eq!(events[1].content, Content::SessionStart);
    assert_eq!(events[1].step, 5);
    let written = graph().message();
    assert_eq!(events[2].content, Content::Graph(Some(written)));
    let values = events[3..].iter().map(|event| match &event.content {
        Content::Summaries(summaries) => summaries[0].clone(),
        other => panic!("{other:?}"),
    });
    for (found, expected) in values.zip(summaries()) {
        assert_eq!(found.tag, expected.tag);
        assert_eq!(found.plugin, expected.value.plugin());
        assert_eq!(found.value, Some(expected.value));
    }
}

#[test]
fn values_of_a_training_in_another_form_are_none() {
    let content = |at: usize| hparams()[at].message().write_to_bytes().unwrap();
    let start = || content(1);
    let cases = [
        (1, start(), true),
        // Another version.
        (1, [start(), vec![0x08, 1]].concat(), false),
        // Another message, none, and no message.
        (1, content(2), false),
        (1, Vec::new(), false),
        (1, b"\x1a\xff".to_vec(), false),
        // Any status.
        (2, b"\x22\x02\x08\x03".to_vec(), true),
        (2, b"\x22\x02\x08\x01".to_vec(), true),
    ];
    for (tag, content, readable) in cases {
        let summary = Summary::hparams(hparams()[tag].clone());
        let disk = Disk::new();
        let mut file = EventFile::begin(disk.clone(), "new").unwrap();
        file.write_step(0, vec![summary]).unwrap();
        let mut event = Event::parse_from_bytes(&records(&disk.bytes())[2]).unwrap();
        let value = &mut event.mut_summary().value[0];
        value.mut_metadata().mut_plugin_data().content = content.clone();
        let found = read_one(&event);
        let Content::Summaries(found) = found else {
            panic!("{found:?}");
        };
        assert_eq!(found[0].value.is_some(), readable, "{content:?}");
    }
}

#[test]
fn bytes_that_say_no_graph_are_none() {
    let cases: [(&[u8], bool); 4] = [
        (b"", true),
        (b"\x0a\x03\x0a\x01a", true),
        // A length that is not there, and one inside.
        (b"\x0a\xff", false),
        (b"\x0a\x06\x0a\x01a\x22\x05b", false),
    ];
    for (bytes, readable) in cases {
        let mut event = Event::new();
        event.set_graph_def(bytes.to_vec());
        let Content::Graph(graph) = read_one(&event) else {
            panic!("{event:?}");
        };
        assert_eq!(graph.is_some(), readable, "{bytes:?}");
    }
}

fn read_one(event: &Event) -> Content {
    let mut bytes = records(TRAINING)[0].clone();
    let mut file = Vec::new();
    for data in [std::mem::take(&mut bytes), event.write_to_bytes().unwrap()] {
        crate::record::append(&mut file, |buffer| {
            buffer.extend_from_slice(&data);
            Ok::<_, std::convert::Infallible>(())
        })
        .unwrap();
    }
    let mut events = EventReader::new(file.as_slice(), "one");
    events.nth(1).unwrap().unwrap().content
}

#[test]
fn a_graph_that_cannot_be_drawn_is_refused() {
    let disk = Disk::new();
    let mut file = EventFile::begin(disk.clone(), "runs/a/events").unwrap();
    let before = disk.bytes();
    let change = |change: fn(&mut Graph)| {
        let mut graph = graph();
        change(&mut graph);
        graph
    };
    let cases = [
        (
            change(|graph| graph.nodes[1].name.clear()),
            "node 1 (`Conv2d`) has no name",
        ),
        (
            change(|graph| "input".clone_into(&mut graph.nodes[2].name)),
            "two nodes are called `input`, expected different names",
        ),
        (
            change(|graph| "inputs".clone_into(&mut graph.nodes[1].inputs[0])),
            "node `features/conv1_1` takes from `inputs`, which is no node of the graph",
        ),
    ];
    for (graph, message) in cases {
        let error = file.write_graph(&graph).unwrap_err();
        let text = "cannot write the model's graph to `runs/a/events`";
        assert_eq!(error.to_string(), text);
        let source = std::error::Error::source(&error).unwrap();
        assert_eq!(source.to_string(), message);
        assert_eq!(disk.bytes(), before);
    }
    assert!(file.write_graph(&graph()).unwrap() > 0);
    let after = disk.bytes();
    assert_eq!(file.write_graph(&graph()).unwrap(), 0);
    assert_eq!(disk.bytes(), after);
}

#[test]
fn a_graph_that_does_not_fit_ends_the_file() {
    let whole = EventFile::begin(Disk::new(), "").unwrap().bytes_written();
    let whole = usize::try_from(whole).unwrap();
    let disk = Disk::with_room(whole + 50);
    let mut file = EventFile::begin(disk.clone(), "events").unwrap();
    assert!(file.write_graph(&graph()).is_err());
    assert_eq!(disk.bytes().len(), whole);
    assert!(file.write_graph(&graph()).is_err());
    assert!(file.write_step(1, vec![Summary::scalar("a", 0.0)]).is_err());
}

#[test]
fn hparams_are_written_once() {
    let mut file = EventFile::begin(Disk::new(), "events").unwrap();
    let start = || Summary::hparams(hparams()[1].clone());
    file.write_step(0, vec![start()]).unwrap();
    let error = file.write_step(1, vec![start()]).unwrap_err();
    assert_eq!(
        std::error::Error::source(&error).unwrap().to_string(),
        "tag `_hparams_/session_start_info` has been written already, expected it once a run"
    );
}

#[test]
fn kinds_of_settings_come_back() {
    let settings = [
        ("a".to_owned(), HparamValue::Text("b".to_owned())),
        ("b".to_owned(), HparamValue::Number(2.0)),
        ("c".to_owned(), HparamValue::Flag(true)),
    ];
    let value = Hparams::experiment(&settings, &[], 0.0);
    let disk = Disk::new();
    let mut file = EventFile::begin(disk.clone(), "events").unwrap();
    let bytes = file.write_step(0, vec![Summary::hparams(value.clone())]);
    assert!(bytes.unwrap() <= Summary::hparams(value.clone()).size_hint());
    let events: Vec<_> = EventReader::new(disk.bytes().as_slice(), "")
        .map(|event| event.unwrap().content)
        .collect();
    let Content::Summaries(found) = &events[2] else {
        panic!("{events:?}");
    };
    assert_eq!(found[0].value, Some(Value::Hparams(value)));
}
