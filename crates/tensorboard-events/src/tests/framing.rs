use std::convert::Infallible;
use std::io::{self, Read};

use proptest::collection::vec;
use proptest::prelude::*;
use tensorboard_rs::record_writer::RecordWriter;

use crate::record::{Damage, OVERHEAD, RecordError, RecordReader, append};

fn framed<D: AsRef<[u8]>>(records: impl IntoIterator<Item = D>) -> Vec<u8> {
    let mut buffer = Vec::new();
    for data in records {
        append(&mut buffer, |buffer| {
            buffer.extend_from_slice(data.as_ref());
            Ok::<_, Infallible>(())
        })
        .unwrap();
    }
    buffer
}

/// The whole records before the first error, and the error.
fn read(bytes: &[u8]) -> (Vec<Vec<u8>>, Option<RecordError>) {
    let mut records = Vec::new();
    for record in RecordReader::new(bytes) {
        match record {
            Ok(data) => records.push(data),
            Err(error) => return (records, Some(error)),
        }
    }
    (records, None)
}

/// The bytes of `tf.summary.scalar("accuracy", 0.99, step=77)`, dumped from TensorFlow's file;
/// source: `tensorboard/data/server/tf_record.rs`, `test_success`.
// Verified: TensorFlow | the framing of records | to the byte
#[test]
fn framing_is_tensorflows() {
    let first = b"\x09\x00\x00\x80\x38\x99\xd6\xd7\x41\x1a\x0dbrain.Event:2";
    let second = b"\x09\xc4\x05\xb7\x3d\x99\xd6\xd7\x41\x10\x4d\x2a\x25\
        \x0a\x23\x0a\x08accuracy\x42\x0a\x08\x01\x12\x00\x22\x04\xa4\x70\x7d\x3f\
        \x4a\x0b\x0a\x09\x0a\x07scalars";
    let expected = [
        b"\x18\x00\x00\x00\x00\x00\x00\x00\xa3\x7f\x4b\x22".as_slice(),
        first,
        b"\x12\x4b\x36\xab",
        b"\x32\x00\x00\x00\x00\x00\x00\x00\x24\x19\x56\xec",
        second,
        b"\xa5\x5b\x64\x33",
    ]
    .concat();
    let records = [first.to_vec(), second.to_vec()];
    assert_eq!(framed(&records), expected);
    let (found, error) = read(&expected);
    assert_eq!(found, records);
    assert!(error.is_none());
}

#[test]
fn an_error_while_filling_leaves_the_buffer_as_it_was() {
    let mut buffer = framed([b"first"]);
    let before = buffer.clone();
    let result = append(&mut buffer, |buffer| {
        buffer.extend_from_slice(b"half");
        Err("no more")
    });
    assert_eq!(result, Err("no more"));
    assert_eq!(buffer, before);
}

#[test]
fn a_length_that_no_message_has_is_said_before_it_is_read() {
    for length in [u64::MAX, u64::MAX - 3, i64::MAX as u64, 1 << 40, 1 << 31] {
        let mut bytes = framed([b"whole"]);
        let whole = bytes.len() as u64;
        let crc = crc32c::crc32c(&length.to_le_bytes());
        let masked = crc.rotate_right(15).wrapping_add(0xa282_ead8);
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&masked.to_le_bytes());
        bytes.extend_from_slice(b"not so many");
        let (records, error) = read(&bytes);
        assert_eq!(records, [b"whole"]);
        assert!(
            matches!(error, Some(RecordError { offset, damage: Damage::TooLong(said) }) if (offset, said) == (whole, length))
        );
    }
    // The longest that one may be is not there.
    let longest = u64::from(i32::MAX.unsigned_abs());
    let crc = crc32c::crc32c(&longest.to_le_bytes());
    let masked = crc.rotate_right(15).wrapping_add(0xa282_ead8);
    let bytes = [&longest.to_le_bytes()[..], &masked.to_le_bytes(), b"short"].concat();
    let (_, error) = read(&bytes);
    assert!(matches!(
        error,
        Some(RecordError {
            offset: 0,
            damage: Damage::Truncated
        })
    ));
}

#[test]
fn the_first_error_is_the_last_item() {
    let mut bytes = framed([b"one", b"two"]);
    bytes[13] ^= 1;
    let mut reader = RecordReader::new(bytes.as_slice());
    assert!(matches!(
        reader.next(),
        Some(Err(RecordError {
            offset: 0,
            damage: Damage::DataCrc
        }))
    ));
    assert!(reader.next().is_none());
    assert_eq!(reader.offset(), 0);
}

#[test]
fn a_source_that_fails_is_told_apart_from_damage() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }
    let whole = framed([b"one"]);
    let mut reader = RecordReader::new(whole.as_slice().chain(Broken));
    assert_eq!(reader.next().unwrap().unwrap(), b"one");
    match reader.next() {
        Some(Err(RecordError {
            offset,
            damage: Damage::Io(source),
        })) => {
            assert_eq!(offset, whole.len() as u64);
            assert_eq!(source.kind(), io::ErrorKind::BrokenPipe);
        }
        other => panic!("{other:?}"),
    }
}

/// Gives one byte at a time, as a pipe may.
struct Slowly<'a>(&'a [u8]);

impl Read for Slowly<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = buffer.len().min(1);
        self.0.read(&mut buffer[..count])
    }
}

fn records() -> impl Strategy<Value = Vec<Vec<u8>>> {
    vec(vec(any::<u8>(), 0..200), 1..6)
}

proptest! {
    #[test]
    fn framing_equals_tensorboard_rs(records in records()) {
        let mut expected = Vec::new();
        let mut writer = RecordWriter::new(&mut expected);
        for data in &records {
            writer.write(data).unwrap();
        }
        prop_assert_eq!(framed(&records), expected);
    }

    #[test]
    fn what_is_framed_is_read(records in records()) {
        let bytes = framed(&records);
        let length = records.iter().map(|data| framed_size(data)).sum::<usize>();
        prop_assert_eq!(bytes.len(), length);
        let mut reader = RecordReader::new(Slowly(&bytes));
        let found: Vec<_> = reader.by_ref().collect::<Result<_, _>>().unwrap();
        prop_assert_eq!(found, records);
        prop_assert_eq!(reader.offset(), length as u64);
    }

    #[test]
    fn a_changed_byte_is_found_in_its_record(
        records in records(),
        at in any::<prop::sample::Index>(),
        change in 1..=u8::MAX,
    ) {
        let mut bytes = framed(&records);
        let at = at.index(bytes.len());
        bytes[at] ^= change;
        let (found, error) = read(&bytes);
        let (index, start) = record_at(&records, at);
        prop_assert_eq!(&found, &records[..index]);
        match error {
            Some(RecordError { offset, damage: Damage::HeaderCrc }) => {
                prop_assert_eq!(offset, start as u64);
                prop_assert!(at < start + 12);
            }
            Some(RecordError { offset, damage: Damage::DataCrc }) => {
                prop_assert_eq!(offset, start as u64);
                prop_assert!(at >= start + 12);
            }
            other => prop_assert!(false, "{other:?}"),
        }
    }

    #[test]
    fn a_cut_leaves_the_records_before_it(
        records in records(),
        at in any::<prop::sample::Index>(),
    ) {
        let bytes = framed(&records);
        let at = at.index(bytes.len());
        let (found, error) = read(&bytes[..at]);
        let (index, start) = record_at(&records, at);
        prop_assert_eq!(&found, &records[..index]);
        match error {
            None => prop_assert_eq!(at, start),
            Some(RecordError { offset, damage: Damage::Truncated }) => {
                prop_assert!(at > start);
                prop_assert_eq!(offset, start as u64);
            }
            other => prop_assert!(false, "{other:?}"),
        }
    }
}

fn framed_size(data: &[u8]) -> usize {
    data.len() + usize::try_from(OVERHEAD).unwrap()
}

/// Which record the byte `at` belongs to, and where that begins.
fn record_at(records: &[Vec<u8>], at: usize) -> (usize, usize) {
    let mut start = 0;
    for (index, data) in records.iter().enumerate() {
        let end = start + framed_size(data);
        if at < end {
            return (index, start);
        }
        start = end;
    }
    panic!("byte {at} is behind the last record");
}
