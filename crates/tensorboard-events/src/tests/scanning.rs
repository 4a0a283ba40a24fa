use std::cell::Cell;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::Path;
use std::rc::Rc;

use proptest::collection::vec;
use proptest::prelude::*;
use protobuf::Message;
use tensorboard_proto::event as proto;

use super::{Disk, FOREIGN, GOLDEN, TRAINING};
use crate::file::EventFile;
use crate::graph::{Graph, GraphNode};
use crate::read::{Content, EventReader, ReadError};
use crate::record;
use crate::scan::{Kept, kept};
use crate::summary::Summary;

fn kept_of(bytes: &[u8], first_step: i64) -> Result<Kept, ReadError> {
    let length = bytes.len() as u64;
    kept(Cursor::new(bytes), Path::new("events"), length, first_step)
}

/// What stays, by reading everything.
fn expected(bytes: &[u8], first_step: i64) -> Kept {
    let mut events = EventReader::new(bytes, "events");
    let mut kept = Kept::default();
    while let Some(Ok(event)) = events.next() {
        let frame = matches!(
            event.content,
            Content::FileVersion(_) | Content::SessionStart
        );
        if !frame && event.step >= first_step {
            break;
        }
        kept.graph |= matches!(event.content, Content::Graph(_));
        kept.length = events.offset();
    }
    kept
}

/// A file with a graph, and a picture of `size` bytes and a loss at each of `steps`.
fn written(steps: &[i64], size: usize) -> Vec<u8> {
    let disk = Disk::new();
    let mut file = EventFile::begin(disk.clone(), "events").unwrap();
    let nodes = vec![GraphNode {
        name: "input".to_owned(),
        ..GraphNode::default()
    }];
    file.write_graph(&Graph { nodes }).unwrap();
    for &step in steps {
        let picture = Summary::image("maps", "", 1, 1, vec![vec![7; size]]);
        file.write_step(step, vec![picture, Summary::scalar("loss", 0.5)])
            .unwrap();
    }
    disk.bytes()
}

#[test]
fn files_of_tensorboard_are_kept_up_to_a_step() {
    for bytes in [GOLDEN, FOREIGN, TRAINING] {
        for first_step in [i64::MIN, -5, 0, 1, 2, 3, 5, 7, 1 << 40, i64::MAX] {
            assert_eq!(
                kept_of(bytes, first_step).unwrap(),
                expected(bytes, first_step)
            );
        }
    }
    assert_eq!(
        kept_of(GOLDEN, i64::MAX).unwrap().length,
        GOLDEN.len() as u64
    );
}

#[test]
fn the_beginning_of_a_file_stays_whatever_its_step() {
    let disk = Disk::new();
    let mut file = EventFile::begin_at(disk.clone(), "events".into(), 10, || 1.7e9).unwrap();
    let beginning = file.bytes_written();
    file.write_step(10, vec![Summary::scalar("loss", 0.5)])
        .unwrap();
    let kept = kept_of(&disk.bytes(), -3).unwrap();
    assert_eq!((kept.length, kept.graph), (beginning, false));
}

/// A graph has step 0, which other writers may say, and others still may put elsewhere.
#[test]
fn a_graph_is_found_in_any_order_of_fields() {
    let mut event = proto::Event::new();
    event.set_wall_time(1.7e9);
    event.set_graph_def(vec![1]);
    let without_step = event.write_to_bytes().unwrap();
    let step_last = [without_step.as_slice(), &[0x10, 4]].concat();
    let step_first = [&[0x10, 4], without_step.as_slice()].concat();
    event.set_step(4);
    let in_order = event.write_to_bytes().unwrap();
    for (graph, step) in [
        (without_step, 0),
        (step_last, 4),
        (step_first, 4),
        (in_order, 4),
    ] {
        let mut bytes = written(&[], 0)[..40].to_vec();
        record::append(&mut bytes, |buffer| {
            buffer.extend_from_slice(&graph);
            Ok::<_, io::Error>(())
        })
        .unwrap();
        assert!(kept_of(&bytes, step + 1).unwrap().graph);
        let kept = kept_of(&bytes, step).unwrap();
        assert_eq!((kept.length, kept.graph), (40, false));
    }
}

/// The end of a session is a value like others, where its step stands behind it too.
#[test]
fn only_the_beginnings_of_sessions_stay() {
    for (status, stays) in [
        (proto::SessionLog_SessionStatus::START, true),
        (proto::SessionLog_SessionStatus::STOP, false),
    ] {
        let mut event = proto::Event::new();
        event.set_wall_time(1.7e9);
        event.mut_session_log().set_status(status);
        let mut bytes = written(&[], 0)[..40].to_vec();
        record::append(&mut bytes, |buffer| {
            buffer.extend(event.write_to_bytes()?);
            buffer.extend([0x10, 9]);
            Ok::<_, protobuf::ProtobufError>(())
        })
        .unwrap();
        let whole = bytes.len() as u64;
        let length = kept_of(&bytes, 5).unwrap().length;
        assert_eq!(length, if stays { whole } else { 40 });
    }
}

/// Counts the bytes that are read.
struct Counted<R>(R, Rc<Cell<usize>>);

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.0.read(buffer)?;
        self.1.set(self.1.get() + count);
        Ok(count)
    }
}

impl<R: Seek> Seek for Counted<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

#[test]
fn pictures_are_not_read() {
    let bytes = written(&(1..=64).collect::<Vec<_>>(), 1 << 20);
    let read = Rc::new(Cell::new(0));
    let source = || Counted(Cursor::new(&bytes), Rc::clone(&read));
    let length = bytes.len() as u64;
    let expected = expected(&bytes, 60);

    let mut events = EventReader::new(BufReader::new(source()), "events");
    let found = events.before(60, length).unwrap();
    assert_eq!(found.length, expected.length);
    // A few KiB a record.
    assert!(read.get() < 128 * (20 << 10), "{} bytes", read.get());
    let end = found.length - found.end;
    assert!((16 << 20..35 << 20).contains(&end), "{end} bytes");

    read.set(0);
    let found = kept(source(), Path::new("events"), length, 60).unwrap();
    assert_eq!(found, expected);
    assert!(read.get() < 40 << 20, "{} bytes", read.get());
}

#[test]
fn damaged_data_is_found_at_the_end_only() {
    let whole = written(&(1..=40).collect::<Vec<_>>(), 1 << 20);
    let starts: Vec<_> = EventReader::new(whole.as_slice(), "events")
        .map(|event| event.unwrap().offset)
        .collect();
    for (at, found) in [
        (starts.len() - 1, true),
        (starts.len() - 10, true),
        (4, false),
    ] {
        let start = usize::try_from(starts[at]).unwrap();
        let mut bytes = whole.clone();
        bytes[start + 40] ^= 1;
        let kept = kept_of(&bytes, 100).unwrap();
        let expected = if found { start } else { bytes.len() };
        assert_eq!(kept.length, expected as u64);
    }
}

#[test]
fn what_is_no_event_file_is_an_error() {
    let mut other = Vec::new();
    record::append(&mut other, |buffer| {
        buffer.extend_from_slice(b"\x1a\x0dbrain.Event:3");
        Ok::<_, io::Error>(())
    })
    .unwrap();
    let golden = GOLDEN;
    let mut dated = Vec::new();
    record::append(&mut dated, |buffer| {
        buffer.extend_from_slice(b"\x09\0\0\0\0\0\0\xf0?\x1a\x0dbrain.Event:3");
        Ok::<_, io::Error>(())
    })
    .unwrap();
    let mut damaged = golden.to_vec();
    damaged[14] ^= 1;
    let rest = golden[40..].to_vec();
    for bytes in [b"notes".to_vec(), other, dated, damaged, rest] {
        let error = kept_of(&bytes, 0).unwrap_err();
        assert!(matches!(error, ReadError::Version { .. }), "{error}");
    }
    // The process ended before its first write, or in the middle of it, or the power before it was on the disk.
    assert_eq!(kept_of(&[], 0).unwrap(), Kept::default());
    assert_eq!(kept_of(&golden[..20], 0).unwrap(), Kept::default());
    assert_eq!(kept_of(&[0; 100], 0).unwrap(), Kept::default());
}

/// Of a file that ends with a damaged graph there is none, so that the run gets another.
#[test]
fn a_graph_that_is_damaged_does_not_stay() {
    let mut bytes = written(&[], 0);
    let whole = kept_of(&bytes, 1).unwrap();
    assert!(whole.graph && whole.length == bytes.len() as u64);
    let graph = bytes.len() - 5;
    bytes[graph] ^= 1;
    let kept = kept_of(&bytes, 1).unwrap();
    assert_eq!(kept, expected(&bytes, 1));
    assert!(!kept.graph && kept.length < whole.length);
}

#[test]
fn a_source_that_fails_is_an_error() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }
    impl Seek for Broken {
        fn seek(&mut self, _: SeekFrom) -> io::Result<u64> {
            Ok(0)
        }
    }
    let error = kept(Broken, Path::new("events"), 100, 0).unwrap_err();
    assert!(matches!(error, ReadError::Record { .. }), "{error}");
}

/// Whatever the read that fails: what was not read is not taken for damaged, and cut off.
#[test]
fn a_read_that_fails_is_no_damage() {
    struct Failing<'a>(Cursor<&'a [u8]>, usize);
    impl Read for Failing<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let left = self.1.checked_sub(1);
            self.1 = left.ok_or(io::ErrorKind::BrokenPipe)?;
            let few = buffer.len().min(16);
            self.0.read(&mut buffer[..few])
        }
    }
    impl Seek for Failing<'_> {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.0.seek(to)
        }
    }
    let bytes = written(&[1, 2, 3], 40);
    let length = bytes.len() as u64;
    let read = |reads| {
        let source = Failing(Cursor::new(&bytes), reads);
        kept(source, Path::new("events"), length, i64::MAX)
    };
    let failed = (0..).map_while(|reads| read(reads).err());
    let failed: Vec<ReadError> = failed.collect();
    assert!(failed.len() > 50, "{}", failed.len());
    for error in &failed {
        assert!(matches!(error, ReadError::Record { .. }), "{error}");
    }
    assert_eq!(
        read(failed.len()).unwrap(),
        kept_of(&bytes, i64::MAX).unwrap()
    );
}

proptest! {
    #[test]
    fn a_file_is_kept_as_if_all_of_it_was_read(
        gaps in vec(1..1_i64 << 20, 0..5),
        first in -3..3_i64,
        size in 0..20_000_usize,
        cut in any::<prop::sample::Index>(),
        zeros in 0..40_usize,
        first_step in -4..1_i64 << 21,
    ) {
        let steps: Vec<_> = gaps.iter().scan(first, |step, gap| {
            *step += gap;
            Some(*step)
        }).collect();
        let mut bytes = written(&steps, size);
        // The version is whole, or it would be no event file.
        let cut = 40 + cut.index(bytes.len() - 39);
        bytes.truncate(cut);
        bytes.resize(cut + zeros, 0);
        let expected = expected(&bytes, first_step);
        prop_assert_eq!(kept_of(&bytes, first_step).unwrap(), expected);
    }
}
