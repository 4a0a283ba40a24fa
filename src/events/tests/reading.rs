use std::convert::Infallible;

use proptest::collection::vec;
use proptest::prelude::*;
use protobuf::{CodedOutputStream, Message};
use tensorboard_proto::event::Event as Message_;

use super::super::hparams::{HparamValue, Hparams, SessionStart};
use super::super::read::{Content, Event, EventReader, ReadError, ReadSummary};
use super::super::record::{self, RecordError, RecordReader};
use super::super::summary::Value;
use super::{FOREIGN, GOLDEN, GREY, RGB};

fn read(bytes: &[u8]) -> (Vec<Event>, Option<ReadError>) {
    let mut events = Vec::new();
    for event in EventReader::new(bytes, "some.tfevents") {
        match event {
            Ok(event) => events.push(event),
            Err(error) => return (events, Some(error)),
        }
    }
    (events, None)
}

fn file(events: &[&[u8]]) -> Vec<u8> {
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

fn version() -> Vec<u8> {
    let mut event = Message_::new();
    event.set_file_version("brain.Event:2".to_owned());
    event.write_to_bytes().unwrap()
}

fn summary(tag: &str, plugin: &str, description: &str, value: Option<Value>) -> ReadSummary {
    ReadSummary {
        tag: tag.to_owned(),
        plugin: plugin.to_owned(),
        description: description.to_owned(),
        value,
    }
}

fn image(pngs: &[&[u8]]) -> Value {
    Value::Image {
        width: 3,
        height: 2,
        pngs: pngs.iter().map(|png| png.to_vec()).collect(),
    }
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
        summary(tag, "images", description, Some(image(&[GREY]))),
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
        Content::Graph(None),
        Content::Other,
        Content::Other,
        Content::Summaries(vec![
            summary("old/loss", "", "", None),
            summary("old/image", "", "", None),
            summary("old/histogram", "", "", None),
        ]),
        Content::Summaries(vec![summary(
            "_hparams_/session_start_info",
            "hparams",
            "",
            Some(Value::Hparams(Hparams::Start(SessionStart {
                hparams: [("lr".to_owned(), HparamValue::Number(0.1))].into(),
                group: "trial".to_owned(),
                started: 0.0,
            }))),
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
        assert!(source.offset() <= at as u64);
        assert_eq!(whole[events.len()].offset, source.offset());
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
                source: RecordError::Truncated { offset },
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
         `brain.Event:2`: it is no event file that this program reads"
    );

    let (_, error) = read(&file(&[b""]));
    assert!(matches!(error, Some(ReadError::Version { .. })));
    let (_, error) = read(b"step,loss\n1,0.5\n2,0.25\n");
    assert!(matches!(
        error,
        Some(ReadError::Record {
            source: RecordError::HeaderCrc { offset: 0 },
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
            Some(ReadError::WallTime { offset: 31, .. })
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
        ] {
            cases.push(nest(path, &[&[tag(field)], &huge_length[..]].concat()));
            cases.push(nest(path, &[&[tag(field)], &huge_length[4..]].concat()));
        }
    }
    for case in cases {
        let (events, error) = read(&file(&[&version(), &case]));
        assert_eq!(events.len(), 1);
        assert!(
            matches!(error, Some(ReadError::Malformed { offset: 31, .. })),
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
fn tag(field: u32) -> u8 {
    u8::try_from(field << 3 | 2).unwrap()
}

/// `inner` as the content of the message in field `path[n]` of the message in … field `path[0]`.
fn nest(path: &[u32], inner: &[u8]) -> Vec<u8> {
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

/// Values under a plugin's name that its tab could not show either.
#[test]
fn values_of_another_form_are_none() {
    let strings = |shape: &[u8], strings: &[&[u8]]| {
        let mut tensor = vec![0x08, 7];
        tensor.extend(nest(&[2], shape));
        for string in strings {
            tensor.extend(nest(&[8], string));
        }
        tensor
    };
    let dim = |size: u8| nest(&[2], &[0x08, size]);
    let cases = [
        ("images", strings(&dim(3), &[b"3", b"2", GREY]), true),
        ("images", strings(&dim(2), &[b"3", b"2"]), true),
        ("images", strings(&dim(4), &[b"3", b"2", GREY]), false),
        ("images", strings(b"", &[b"3", b"2", GREY]), false),
        ("images", strings(&dim(3), &[b"three", b"2", GREY]), false),
        (
            "images",
            strings(&dim(3), &[b"4294967296", b"2", GREY]),
            false,
        ),
        ("images", strings(&dim(1), &[b"3"]), false),
        ("text", strings(b"", &[b"markdown"]), true),
        ("text", strings(b"", &[b"one", b"two"]), false),
        ("text", strings(b"", &[b"\xff"]), false),
        ("text", strings(b"", &[]), false),
        ("scalars", strings(b"", &[b"0.5"]), false),
        (
            "scalars",
            b"\x08\x01\x12\x00\x2a\x04\x00\x00\x00\x3f".to_vec(),
            true,
        ),
        (
            "scalars",
            b"\x08\x01\x12\x00\x2d\x00\x00\x00\x3f".to_vec(),
            true,
        ),
        (
            "scalars",
            b"\x08\x01\x12\x00\x22\x04\x00\x00\x00\x3f".to_vec(),
            true,
        ),
        ("scalars", b"\x08\x01\x12\x00".to_vec(), false),
        (
            "scalars",
            b"\x08\x01\x12\x00\x22\x03\x00\x00\x3f".to_vec(),
            false,
        ),
        (
            "scalars",
            [
                b"\x08\x01\x2d\x00\x00\x00\x3f".to_vec(),
                nest(&[2], &dim(1)),
            ]
            .concat(),
            false,
        ),
        (
            "other",
            b"\x08\x01\x12\x00\x2d\x00\x00\x00\x3f".to_vec(),
            false,
        ),
    ];
    for (plugin, tensor, readable) in cases {
        assert_eq!(is_read(plugin, &tensor), readable, "{plugin} {tensor:?}");
    }
}

#[test]
fn histograms_of_another_form_are_none() {
    let dim = |size: u8| nest(&[2], &[0x08, size]);
    let doubles = |sizes: &[u8], numbers: &[u8]| {
        let shape: Vec<u8> = sizes.iter().flat_map(|&size| dim(size)).collect();
        [vec![0x08, 2], nest(&[2], &shape), nest(&[4], numbers)].concat()
    };
    let cases = [
        (doubles(&[1, 3], &[0; 24]), true),
        (doubles(&[0, 3], &[]), true),
        (doubles(&[3, 1], &[0; 24]), false),
        (doubles(&[2, 3], &[0; 24]), false),
        (doubles(&[3], &[0; 24]), false),
        (doubles(&[1, 3], &[0; 23]), false),
        (doubles(&[1, 3], &[0; 32]), false),
        (
            [
                vec![0x08, 2],
                nest(&[2], &[dim(1), dim(3)].concat()),
                nest(&[6], &[0; 24]),
            ]
            .concat(),
            true,
        ),
        (
            [doubles(&[2, 3], &[0; 24]), nest(&[6], &[0; 24])].concat(),
            false,
        ),
    ];
    for (tensor, readable) in cases {
        assert_eq!(is_read("histograms", &tensor), readable, "{tensor:?}");
    }
}

/// Whether the first value of a tag is understood.
fn is_read(plugin: &str, tensor: &[u8]) -> bool {
    let value = [
        nest(&[1], b"tag"),
        nest(&[9, 1, 1], plugin.as_bytes()),
        nest(&[8], tensor),
    ];
    let event = nest(&[5, 1], &value.concat());
    let (events, error) = read(&file(&[&version(), &event]));
    assert!(error.is_none(), "{error:?}");
    let Content::Summaries(summaries) = &events[1].content else {
        panic!("{events:?}");
    };
    assert_eq!(summaries[0].plugin, plugin);
    summaries[0].value.is_some()
}
