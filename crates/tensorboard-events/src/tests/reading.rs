use std::convert::Infallible;

use proptest::collection::vec;
use proptest::prelude::*;
use protobuf::{CodedOutputStream, Message};
use tensorboard_proto::event::Event as Message_;
use tensorboard_proto::graph::GraphDef;
use tensorboard_proto::node_def::NodeDef;

use super::{FOREIGN, GOLDEN, GRAY, RGB};
use crate::file::EventFile;
use crate::histogram::Histogram;
use crate::hparams::{HparamValue, Hparams};
use crate::read::{Content, Event, EventReader, ReadError, ReadSummary};
use crate::record::{self, Damage, RecordError, RecordReader};
use crate::summary::{Summary, Value};

pub(super) fn read(bytes: &[u8]) -> (Vec<Event>, Option<ReadError>) {
    let mut events = Vec::new();
    for event in EventReader::new(bytes, "some.tfevents") {
        match event {
            Ok(event) => events.push(event),
            Err(error) => return (events, Some(error)),
        }
    }
    (events, None)
}

pub(super) fn file(events: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for event in events {
        record::append(&mut bytes, |bytes| {
            bytes.extend_from_slice(event);
            Ok::<_, Infallible>(())
        })
        .unwrap();
    }
    bytes
}

pub(super) fn version() -> Vec<u8> {
    let mut event = Message_::new();
    event.set_file_version("brain.Event:2".to_owned());
    event.write_to_bytes().unwrap()
}

pub(super) fn summary(
    tag: &str,
    plugin: &str,
    description: &str,
    value: Option<Value>,
) -> ReadSummary {
    ReadSummary {
        tag: tag.to_owned(),
        plugin: plugin.to_owned(),
        description: description.to_owned(),
        value,
    }
}

pub(super) fn image(pngs: &[&[u8]]) -> Value {
    Value::Image {
        width: 3,
        height: 2,
        pngs: pngs.iter().map(|png| png.to_vec()).collect(),
    }
}

#[test]
fn data_for_other_programs_are_read_as_they_were_written() {
    let strings = vec![b"{}".to_vec(), vec![0, 255, 128], Vec::new()];
    let data = |tag: &str| Summary::data(tag, "ours", strings.clone());
    let folder = tempfile::tempdir().unwrap();
    let mut file = EventFile::create(folder.path()).unwrap();
    file.write_step(1, vec![data("a"), data("b")]).unwrap();
    file.write_step(2, vec![data("a")]).unwrap();
    let other = file.write_step(3, vec![Summary::data("a", "others", Vec::new())]);
    assert!(other.is_err(), "{other:?}");
    let path = file.path().to_owned();
    file.close().unwrap();
    let read = EventReader::open(&path)
        .unwrap()
        .filter_map(|event| match event.unwrap().content {
            Content::Summaries(all) => Some(all),
            _ => None,
        });
    let expected = |tag: &str| ReadSummary {
        tag: tag.to_owned(),
        plugin: "ours".to_owned(),
        description: String::new(),
        value: Some(data(tag).value),
    };
    let read: Vec<ReadSummary> = read.flatten().collect();
    assert_eq!(read, ["a", "b", "a"].map(expected));
}

#[test]
fn reads_what_tensorboard_wrote() {
    let (events, error) = read(GOLDEN);
    assert!(error.is_none());
    let tag = "feature_maps/00_conv1_1";
    let description = "layer `conv1_1`, shape [1, 64, 224, 224] \u{d7} 2";
    let config = "| key | value |\n|---|---|\n| seed | 7 |";
    let scalar = |value| Some(Value::Scalar(value));
    let expected = [
        summary(tag, "images", description, Some(image(&[GRAY]))),
        summary("input", "images", "", Some(image(&[RGB, RGB]))),
        summary("config", "text", "", Some(Value::Text(config.to_owned()))),
        summary("loss", "scalars", "", scalar(0.1)),
        summary(tag, "images", "", Some(image(&[RGB]))),
        summary("loss", "scalars", "", scalar(-1e-30)),
        summary("before", "scalars", "", scalar(f32::INFINITY)),
    ];
    assert_eq!(
        events[0].content,
        Content::FileVersion("brain.Event:2".to_owned())
    );
    assert_eq!(events[1].content, Content::SessionStart);
    assert_eq!(events.len(), 2 + expected.len());
    for (event, expected) in events[2..].iter().zip(expected) {
        assert_eq!(event.content, Content::Summaries(vec![expected]));
    }
    let times: Vec<_> = events.iter().map(|event| event.wall_time).collect();
    assert_eq!(times[..2], [1_700_000_000.25; 2]);
    assert_eq!(times[2..6], [1_700_000_001.5; 4]);
    assert_eq!(
        times[6..],
        [1_700_000_002.75, 1_700_000_002.75, 1_700_000_003.0]
    );
    let steps: Vec<_> = events.iter().map(|event| event.step).collect();
    assert_eq!(steps, [0, 0, 0, 0, 0, 0, 1 << 40, 1 << 40, -5]);
    assert_eq!(events[0].offset, 0);
    assert_eq!(events[1].offset, 24 + 16);
}

#[test]
fn steps_over_what_others_write() {
    let (events, error) = read(FOREIGN);
    assert!(error.is_none());
    let contents: Vec<_> = events.into_iter().map(|event| event.content).collect();
    let expected = [
        Content::FileVersion("brain.Event:2".to_owned()),
        // A node without a name.
        Content::Graph(Some(GraphDef {
            node: vec![NodeDef::new()].into(),
            ..GraphDef::new()
        })),
        Content::Other,
        Content::Other,
        Content::Summaries(vec![
            summary("old/loss", "scalars", "", Some(Value::Scalar(0.5))),
            summary(
                "old/image",
                "images",
                "",
                Some(Value::Image {
                    width: 1,
                    height: 1,
                    pngs: vec![Vec::new()],
                }),
            ),
            summary(
                "old/histogram",
                "histograms",
                "",
                Some(Value::Histogram(Histogram {
                    max: 1.0,
                    num: 2.0,
                    bucket_limits: vec![0.5, 1.0],
                    bucket_counts: vec![1.0, 1.0],
                    ..Histogram::default()
                })),
            ),
        ]),
        Content::Summaries(vec![summary(
            "_hparams_/session_start_info",
            "hparams",
            "",
            Some(Value::Hparams(Hparams::start(
                &[("lr".to_owned(), HparamValue::Number(0.1))],
                "trial",
                0.0,
            ))),
        )]),
        Content::Summaries(vec![summary(
            "loss",
            "scalars",
            "",
            Some(Value::Scalar(0.25)),
        )]),
    ];
    assert_eq!(contents, expected);
}

#[test]
fn any_changed_byte_is_found() {
    let (whole, _) = read(GOLDEN);
    for at in 0..GOLDEN.len() {
        let mut bytes = GOLDEN.to_vec();
        bytes[at] ^= 0x10;
        let (events, error) = read(&bytes);
        let Some(ReadError::Record { source, .. }) = error else {
            panic!("byte {at}: {error:?}");
        };
        assert!(source.offset <= at as u64);
        assert_eq!(whole[events.len()].offset, source.offset);
        assert_eq!(events, whole[..events.len()]);
    }
}

#[test]
fn any_cut_leaves_the_events_before_it() {
    let (whole, _) = read(GOLDEN);
    for at in 0..GOLDEN.len() {
        let (events, error) = read(&GOLDEN[..at]);
        assert_eq!(events, whole[..events.len()]);
        let end = whole[events.len()].offset;
        match error {
            None => assert_eq!(end, at as u64),
            Some(ReadError::Record {
                source:
                    RecordError {
                        offset,
                        damage: Damage::Truncated,
                    },
                ..
            }) => assert_eq!(offset, end),
            other => panic!("cut at {at}: {other:?}"),
        }
    }
}

#[test]
fn a_file_that_is_no_event_file_is_refused() {
    let mut other = Message_::new();
    other.set_file_version("brain.Event:3".to_owned());
    let (events, error) = read(&file(&[&other.write_to_bytes().unwrap()]));
    assert!(events.is_empty());
    assert_eq!(
        error.unwrap().to_string(),
        "`some.tfevents` begins with the version \"brain.Event:3\", expected the version \
         `brain.Event:2` of an event file"
    );

    let (_, error) = read(&file(&[b""]));
    assert!(matches!(error, Some(ReadError::Version { .. })));
    let (_, error) = read(b"step,loss\n1,0.5\n2,0.25\n");
    assert!(matches!(
        error,
        Some(ReadError::Record {
            source: RecordError {
                offset: 0,
                damage: Damage::HeaderCrc
            },
            ..
        })
    ));
}

#[test]
fn a_wall_time_that_is_no_time_ends_the_file() {
    for wall_time in [f64::NAN, f64::INFINITY] {
        let mut event = Message_::new();
        event.set_wall_time(wall_time);
        let event = event.write_to_bytes().unwrap();
        let (events, error) = read(&file(&[&version(), &event, &version()]));
        assert_eq!(events.len(), 1);
        assert!(matches!(
            error,
            Some(ReadError::Record {
                source: RecordError {
                    offset: 31,
                    damage: Damage::WallTime(_)
                },
                ..
            })
        ));
    }
}

/// Lengths that the generated messages reserve memory for, which ends the program, and depths that
/// later readers of groups recurse into (RUSTSEC-2024-0437).
#[test]
fn hostile_lengths_and_depths_are_errors() {
    let huge_length = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
    let mut cases = vec![b"\x0b".repeat(1 << 20), b"\xf3\x3f".repeat(1 << 19)];
    for field in 1..=15_u32 {
        for path in [
            &[][..],
            &[5],
            &[5, 1],
            &[5, 1, 8],
            &[5, 1, 9],
            &[5, 1, 9, 1],
            &[5, 1, 8, 2],
            &[5, 1, 5],
        ] {
            cases.push(nest(path, &[&[tag(field)], &huge_length[..]].concat()));
            cases.push(nest(path, &[&[tag(field)], &huge_length[4..]].concat()));
        }
    }
    for case in cases {
        let (events, error) = read(&file(&[&version(), &case]));
        assert_eq!(events.len(), 1);
        assert!(
            matches!(
                error,
                Some(ReadError::Record {
                    source: RecordError {
                        offset: 31,
                        damage: Damage::Malformed(_)
                    },
                    ..
                })
            ),
            "{error:?}"
        );
    }
}

proptest! {
    /// Bytes that no program wrote, under checksums that fit them.
    #[test]
    fn any_data_is_an_event_or_an_error(data in vec(any::<u8>(), 0..300)) {
        read(&file(&[&version(), &data]));
    }

    /// As above, but near enough to an event to get far.
    #[test]
    fn a_changed_event_is_an_event_or_an_error(
        event in 0..9_usize,
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        length in any::<prop::sample::Index>(),
    ) {
        let mut data = RecordReader::new(GOLDEN).nth(event).unwrap().unwrap();
        for (at, byte) in changes {
            let at = at.index(data.len());
            data[at] = byte;
        }
        data.truncate(length.index(data.len() + 1));
        read(&file(&[&version(), &data]));
    }
}

/// The tag of a length-delimited field.
pub(super) fn tag(field: u32) -> u8 {
    u8::try_from(field << 3 | 2).unwrap()
}

/// `inner` as the content of the message in field `path[n]` of the message in … field `path[0]`.
pub(super) fn nest(path: &[u32], inner: &[u8]) -> Vec<u8> {
    let mut bytes = inner.to_vec();
    for &field in path.iter().rev() {
        let mut outer = Vec::new();
        let mut stream = CodedOutputStream::vec(&mut outer);
        stream.write_bytes(field, &bytes).unwrap();
        stream.flush().unwrap();
        drop(stream);
        bytes = outer;
    }
    bytes
}
