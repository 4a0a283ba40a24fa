//! `torch.save` from `PyTorch` 0.1.10 to 1.5, and with `_use_new_zipfile_serialization=False`:
//! five pickles (magic, protocol, machine, the object, the storages' keys), then the storages in
//! the keys' order, each an `i64` count and its bytes. torchvision's published VGG files are this.
//!
//! Source: `_legacy_save` and `_legacy_load` in `torch/serialization.py`.

use std::collections::HashMap;
use std::io::{BufReader, Read, Seek};

use super::super::error::WeightsErrorKind;
use super::super::location::Location;
use super::super::pickle::{Heap, Id, load};
use super::super::source::Source;

/// The only version of the format.
const PROTOCOL: usize = 1001;

/// Bytes of the count before each storage.
const COUNT: u64 = 8;

pub(super) fn open(
    source: &Source,
    heap: &mut Heap,
) -> Result<(Id, HashMap<String, Location>), WeightsErrorKind> {
    let mut input = BufReader::new(source.whole());
    load(&mut input, heap)?;
    let protocol = load(&mut input, heap)?;
    if heap.count(protocol) != Some(PROTOCOL) {
        return damaged(format!(
            "its protocol is not {PROTOCOL}, the only one of torch.save's legacy format"
        ));
    }
    load(&mut input, heap)?;
    let root = load(&mut input, heap)?;
    let keys = load(&mut input, heap)?;
    let Some(keys) = heap.seq(keys) else {
        return damaged("its storage keys are not a list".to_owned());
    };

    let mut storages = HashMap::with_capacity(keys.len());
    let mut at = input.stream_position()?;
    for &key in keys {
        let key = heap.text(key).unwrap_or_default();
        let Some(&(bytes, size)) = heap.storages.get(&key) else {
            return damaged(format!("it lists a storage `{key}` that nothing uses"));
        };
        let start = at + COUNT;
        let end = start.saturating_add(bytes as u64);
        if end > source.len() {
            return Err(WeightsErrorKind::Truncated(format!(
                "storage `{key}` of {bytes} bytes starts at {start}, the file has {}",
                source.len()
            )));
        }
        let mut count = [0; 8];
        source.part(at, COUNT).read_exact(&mut count)?;
        if u64::from_le_bytes(count).checked_mul(size as u64) != Some(bytes as u64) {
            return damaged(format!(
                "storage `{key}` has another size than its pickle says"
            ));
        }
        let part = source.part(start, bytes as u64);
        storages.insert(key, Location::Plain { part, crc32: None });
        at = end;
    }
    Ok((root, storages))
}

fn damaged<T>(how: String) -> Result<T, WeightsErrorKind> {
    Err(WeightsErrorKind::Damaged(how))
}
