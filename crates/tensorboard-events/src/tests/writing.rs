use std::io;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::{Disk, GRAY, picture};
use crate::error::EventFileError;
use crate::file::EventFile;
use crate::histogram::Histogram;
use crate::read::{Content, Event, EventReader};
use crate::series::StepError;
use crate::summary::{Summary, Value};

fn begin(disk: &Disk) -> EventFile<Disk> {
    EventFile::begin(disk.clone(), "runs/a/events").unwrap()
}

fn read(bytes: &[u8]) -> Vec<Event> {
    EventReader::new(bytes, "written")
        .collect::<Result<_, _>>()
        .unwrap()
}

/// Every summary of a file: step, tag, description, value.
fn summaries(bytes: &[u8]) -> Vec<(i64, String, String, Value)> {
    let mut found = Vec::new();
    for event in read(bytes) {
        if let Content::Summaries(summaries) = event.content {
            for summary in summaries {
                let value = summary.value.unwrap();
                found.push((event.step, summary.tag, summary.description, value));
            }
        }
    }
    found
}

#[test]
fn a_new_file_has_its_version_and_a_session_and_is_flushed() {
    let disk = Disk::new();
    let file = begin(&disk);
    let events = read(&disk.bytes());
    let contents: Vec<_> = events.iter().map(|event| &event.content).collect();
    assert_eq!(
        contents,
        [
            &Content::FileVersion("brain.Event:2".to_owned()),
            &Content::SessionStart
        ]
    );
    assert!(events.iter().all(|event| event.wall_time > 1.6e9));
    assert_eq!(disk.0.borrow().flushes, 1);
    assert_eq!(file.bytes_written(), disk.bytes().len() as u64);
}

#[test]
fn a_step_is_one_write_and_one_flush() {
    let disk = Disk::new();
    let mut file = begin(&disk);
    let before = file.bytes_written();
    let bytes = file
        .write_step(
            0,
            vec![picture("a"), picture("b"), Summary::scalar("c", 1.0)],
        )
        .unwrap();
    assert_eq!(disk.0.borrow().writes, 2);
    assert_eq!(disk.0.borrow().flushes, 2);
    assert_eq!(file.bytes_written(), before + bytes);
    assert_eq!(file.bytes_written(), disk.bytes().len() as u64);
    assert_eq!(summaries(&disk.bytes()).len(), 3);
}

#[test]
fn only_the_first_value_of_a_tag_is_described() {
    let disk = Disk::new();
    let mut file = begin(&disk);
    file.write_step(1, vec![picture("a")]).unwrap();
    file.write_step(2, vec![picture("a"), picture("b")])
        .unwrap();
    let described: Vec<_> = summaries(&disk.bytes())
        .into_iter()
        .map(|(step, tag, description, _)| (step, tag, description))
        .collect();
    let expected = [(1, "a", "a picture"), (2, "a", ""), (2, "b", "a picture")];
    assert_eq!(
        described,
        expected.map(|(step, tag, text)| (step, tag.to_owned(), text.to_owned()))
    );
}

#[test]
fn a_step_that_cannot_follow_leaves_the_file_as_it_was() {
    let disk = Disk::new();
    let mut file = begin(&disk);
    file.write_step(5, vec![picture("maps"), picture("kernels")])
        .unwrap();
    let before = disk.bytes();

    let cases = [
        (
            5,
            vec![Summary::scalar("new", 0.0), picture("maps")],
            "tag `maps` is at step 5 already, expected a later step",
        ),
        (
            -1,
            vec![picture("kernels")],
            "tag `kernels` is at step 5 already, expected a later step",
        ),
        (
            6,
            vec![picture("maps"), picture("new"), picture("maps")],
            "tag `maps` has two values, expected one per step; use two tags",
        ),
        (
            6,
            vec![Summary::text("maps", "not a picture")],
            "tag `maps` has images, found text; choose another tag",
        ),
    ];
    for (step, summaries, message) in cases {
        let error = file.write_step(step, summaries).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("cannot write step {step} to `runs/a/events`")
        );
        let source = std::error::Error::source(&error).unwrap();
        assert_eq!(source.to_string(), message);
        assert_eq!(disk.bytes(), before);
    }

    // Nothing of the refused steps is remembered: `new` begins here, with its metadata.
    file.write_step(0, vec![picture("new")]).unwrap();
    file.write_step(6, vec![picture("maps")]).unwrap();
    let (step, tag, description, _) = summaries(&disk.bytes()).swap_remove(2);
    assert_eq!(
        (step, tag.as_str(), description.as_str()),
        (0, "new", "a picture")
    );
}

#[test]
fn a_summary_that_no_reader_takes_is_refused() {
    let disk = Disk::new();
    let mut file = begin(&disk);
    let before = disk.bytes();
    // Never touched, so no machine has to have it.
    let huge = vec![0; usize::try_from(i32::MAX).unwrap()];
    let error = file
        .write_step(3, vec![Summary::image("maps", "", 1, 1, vec![huge])])
        .unwrap_err();
    assert!(
        matches!(
            error,
            EventFileError::Step {
                step: 3,
                source: StepError::TooLarge { .. },
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(disk.bytes(), before);
    file.write_step(3, vec![picture("maps")]).unwrap();
}

#[test]
fn a_full_disk_leaves_the_whole_steps_and_ends_the_file() {
    let whole = {
        let disk = Disk::new();
        let mut file = begin(&disk);
        file.write_step(1, vec![picture("a"), picture("b")])
            .unwrap();
        disk.bytes().len()
    };
    // From no room for the second step at all to all of it but a byte.
    for room in [whole, whole + 1, whole + 100, whole + 200] {
        let disk = Disk::with_room(room);
        let mut file = begin(&disk);
        file.write_step(1, vec![picture("a"), picture("b")])
            .unwrap();
        let error = file
            .write_step(2, vec![picture("a"), picture("b")])
            .unwrap_err();
        assert_eq!(error.to_string(), "cannot write step 2 to `runs/a/events`");
        let source = std::error::Error::source(&error).unwrap();
        assert_eq!(
            source.to_string(),
            "the file ends with the step before, and takes no more"
        );
        let source = source.source().unwrap();
        let source = source.downcast_ref::<io::Error>().unwrap();
        assert_eq!(source.kind(), io::ErrorKind::StorageFull);

        let bytes = disk.bytes();
        assert_eq!(bytes.len(), whole);
        assert_eq!(summaries(&bytes).len(), 2);
        assert_eq!(file.bytes_written(), whole as u64);

        disk.0.borrow_mut().room = usize::MAX;
        let error = file.write_step(3, vec![picture("a")]).unwrap_err();
        assert!(matches!(
            error,
            EventFileError::Step {
                step: 3,
                source: StepError::Refused,
                ..
            }
        ));
        assert_eq!(disk.bytes(), bytes);
        assert_eq!(file.close().unwrap(), whole as u64);
    }
}

#[test]
fn a_failed_flush_is_a_failed_write() {
    let disk = Disk::new();
    let mut file = begin(&disk);
    file.write_step(1, vec![picture("a")]).unwrap();
    let whole = disk.bytes();
    disk.0.borrow_mut().flush_fails = true;
    let error = file.write_step(2, vec![picture("a")]).unwrap_err();
    assert!(matches!(
        error,
        EventFileError::Step {
            step: 2,
            source: StepError::Write(_),
            ..
        }
    ));
    assert_eq!(disk.bytes(), whole);
}

#[test]
fn a_part_that_cannot_be_cut_off_is_said() {
    let disk = Disk::with_room(400);
    let mut file = begin(&disk);
    file.write_step(1, vec![picture("a")]).unwrap();
    let whole = disk.bytes().len();
    disk.0.borrow_mut().truncate_fails = true;
    let error = file
        .write_step(2, vec![picture("a"), picture("b")])
        .unwrap_err();
    assert!(matches!(error, EventFileError::Step { step: 2, .. }));
    let text = std::error::Error::source(&error).unwrap().to_string();
    let expected = format!("cannot be truncated to its {whole} valid bytes (permission denied)");
    assert!(text.contains(&expected), "{text}");
    assert_eq!(summaries(&disk.bytes()[..whole]).len(), 1);
    assert_eq!(disk.bytes().len(), 400);
}

#[test]
fn a_disk_without_room_to_begin_is_an_error() {
    let disk = Disk::new();
    let whole = usize::try_from(begin(&disk).bytes_written()).unwrap();
    for room in [0, 12, whole - 1] {
        let Err(error) = EventFile::begin(Disk::with_room(room), "runs/a/events") else {
            panic!("began with {room} bytes of room");
        };
        assert!(matches!(error, EventFileError::Begin { .. }), "{error}");
    }
}

#[test]
fn close_says_when_the_disk_did_not_take_it() {
    let disk = Disk::new();
    let mut file = begin(&disk);
    file.write_step(1, vec![picture("a")]).unwrap();
    disk.0.borrow_mut().sync_fails = true;
    let error = file.close().unwrap_err();
    assert_eq!(
        error.to_string(),
        "`runs/a/events` was written but may be incomplete on the disk"
    );
}

#[test]
fn a_step_without_summaries_writes_nothing() {
    let disk = Disk::new();
    let mut file = begin(&disk);
    let before = disk.bytes();
    assert_eq!(file.write_step(0, Vec::new()).unwrap(), 0);
    assert_eq!(disk.bytes(), before);
}

/// An image without pictures, or with one of no bytes, is of no use but no accident either.
#[test]
fn empty_values_come_back() {
    let disk = Disk::new();
    let mut file = begin(&disk);
    let values = vec![
        Summary::image("none", "", 0, u32::MAX, Vec::new()),
        Summary::image("empty", "", 1, 1, vec![Vec::new(), GRAY.to_vec()]),
        Summary::text("text", ""),
        Summary::scalar("", -0.0),
    ];
    file.write_step(0, values.clone()).unwrap();
    let found: Vec<_> = summaries(&disk.bytes())
        .into_iter()
        .map(|(_, tag, description, value)| Summary {
            tag,
            description,
            value,
        })
        .collect();
    assert_eq!(found, values);
}

fn value() -> impl Strategy<Value = Value> {
    let pngs = vec(vec(any::<u8>(), 0..300), 0..4);
    prop_oneof![
        (any::<u32>(), any::<u32>(), pngs).prop_map(|(width, height, pngs)| Value::Image {
            width,
            height,
            pngs
        }),
        any::<String>().prop_map(Value::Text),
        // NaN is not equal to itself.
        any::<f32>()
            .prop_filter("a number", |value| !value.is_nan())
            .prop_map(Value::Scalar),
        (
            vec(-1e300..1e300, 5),
            vec((-1e300..1e300, 0..u32::MAX), 0..40)
        )
            .prop_map(|(of, buckets)| {
                let (bucket_limits, counts): (_, Vec<_>) = buckets.into_iter().unzip();
                Value::Histogram(Histogram {
                    min: of[0],
                    max: of[1],
                    num: of[2],
                    sum: of[3],
                    sum_squares: of[4],
                    bucket_limits,
                    bucket_counts: counts.into_iter().map(f64::from).collect(),
                    non_finite: 0,
                })
            }),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        tags in btree_map(any::<String>(), (any::<String>(), value()), 0..5),
        first in any::<i64>(),
        steps in vec(1..1_i64 << 40, 0..4),
    ) {
        let disk = Disk::new();
        let mut file = begin(&disk);
        let mut expected = Vec::new();
        let mut step = Some(first);
        let mut gaps = steps.into_iter();
        let mut described = true;
        while let Some(at) = step {
            let summaries = tags.iter().map(|(tag, (description, value))| Summary {
                tag: tag.clone(),
                description: description.clone(),
                value: value.clone(),
            });
            let bytes = file.write_step(at, summaries.clone().collect()).unwrap();
            let hint: u64 = summaries.clone().map(|summary| summary.size_hint()).sum();
            prop_assert!(bytes <= hint, "{} bytes, {} expected", bytes, hint);
            for summary in summaries {
                let description = if described { summary.description } else { String::new() };
                expected.push((at, summary.tag, description, summary.value));
            }
            described = false;
            step = gaps.next().and_then(|gap| at.checked_add(gap));
        }
        prop_assert_eq!(summaries(&disk.bytes()), expected);
    }
}
