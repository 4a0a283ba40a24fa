//! The reader of event files, and the inventory that `inspect` shows. Half of the inputs are the data of records whose
//! checksums are right, which no mutation gets past.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use tensorboard_events::{EventReader, Inventory};
use vggscope_fuzz::{bounded, file};

fuzz_target!(|input: &[u8]| {
    bounded(input, || {
        read(input);
        read(&framed(input));
    });
});

fn read(bytes: &[u8]) {
    let events = EventReader::new(Cursor::new(bytes), "events.out.tfevents.1.fuzz");
    let mut last = 0;
    for event in events.map_while(Result::ok) {
        assert!(event.offset >= last);
        last = event.offset;
    }
    let files = [file(bytes)];
    let inventory = Inventory::of(&files);
    assert!(inventory.files[0].whole <= bytes.len() as u64);
}

/// A version, then the pieces of `input` as records: each a length of two bytes, and so many.
fn framed(mut input: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    record(&mut bytes, b"\x09\0\0\0\0\0\0\xf0?\x1a\x0dbrain.Event:2");
    while let Some((length, rest)) = input.split_first_chunk() {
        let length = usize::from(u16::from_le_bytes(*length)).min(rest.len());
        let (data, rest) = rest.split_at(length);
        record(&mut bytes, data);
        input = rest;
    }
    bytes
}

fn record(bytes: &mut Vec<u8>, data: &[u8]) {
    let checksum = |data| {
        crc32c::crc32c(data)
            .rotate_right(15)
            .wrapping_add(0xa282_ead8)
            .to_le_bytes()
    };
    let length = (data.len() as u64).to_le_bytes();
    for part in [&length, &checksum(&length)[..], data, &checksum(data)] {
        bytes.extend_from_slice(part);
    }
}
