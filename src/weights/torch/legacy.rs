//! `torch.save` from `PyTorch` 0.1.10 to 1.5, and with `_use_new_zipfile_serialization=False`:
//! five pickles (magic, protocol, machine, the object, the storages' keys), then the storages in
//! the keys' order, each an `i64` count and its bytes. torchvision's published VGG files are this.
//!
//! Source: `_legacy_save` and `_legacy_load` in `torch/serialization.py`.

use std::collections::HashMap;
use std::io::{BufReader, Read, Seek};

use super::super::entry::Entry;
use super::super::error::WeightsErrorKind;
use super::super::location::Location;
use super::super::pickle::{Heap, load};
use super::super::source::Source;
use super::walk::tensors;

/// The only version of the format.
const PROTOCOL: usize = 1001;

/// Bytes of the count before each storage.
const COUNT: u64 = 8;

/// Parses the pickles; no tensor is read.
pub(in crate::weights) fn open(source: &Source) -> Result<Vec<Entry>, WeightsErrorKind> {
    let mut heap = Heap::new(source.len());
    let mut input = BufReader::new(source.whole());
    let mut next = || load(&mut input, &mut heap);
    let [_magic, protocol, _machine, root, keys] = [next()?, next()?, next()?, next()?, next()?];
    if heap.count(protocol) != Some(PROTOCOL) {
        return damaged(format!(
            "its protocol is not {PROTOCOL}, the only one of torch.save's legacy format"
        ));
    }
    let Some(keys) = heap.seq(keys) else {
        return damaged("its storage keys are not a list".to_owned());
    };

    let mut storages = HashMap::with_capacity(keys.len());
    let mut at = input.stream_position()?;
    for &key in keys {
        let key = heap.text(key).unwrap_or_default();
        let Some(&[count, element]) = heap.storages.get(&key) else {
            return damaged(format!("it lists a storage `{key}` that nothing uses"));
        };
        let (start, bytes) = (at + COUNT, (count * element) as u64);
        let end = start.saturating_add(bytes);
        if end > source.len() {
            return Err(WeightsErrorKind::Truncated(format!(
                "storage `{key}` of {bytes} bytes starts at {start}, the file has {}",
                source.len()
            )));
        }
        let mut found = [0; 8];
        source.part(at, COUNT).read_exact(&mut found)?;
        if u64::from_le_bytes(found) != count as u64 {
            return damaged(format!(
                "storage `{key}` has another size than its pickle says"
            ));
        }
        let part = source.part(start, bytes);
        storages.insert(key, Location::Plain { part, crc32: None });
        at = end;
    }
    tensors(&heap, root, &storages)
}

fn damaged<T>(how: String) -> Result<T, WeightsErrorKind> {
    Err(WeightsErrorKind::Damaged(how))
}
