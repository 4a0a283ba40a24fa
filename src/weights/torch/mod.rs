//! What `torch.save` writes: a container, a pickle in it, and the tensors the pickle lists.

mod legacy;
mod walk;
mod zip;

use std::collections::HashMap;
use std::io::BufReader;

use super::error::WeightsErrorKind;
use super::pickle::{Heap, load};
use super::sniff::Format;
use super::source::Source;

pub(super) use walk::Checkpoint;

/// Parses a checkpoint's pickles; no tensor is read.
pub(super) fn open(source: &Source, format: Format) -> Result<Checkpoint, WeightsErrorKind> {
    let mut heap = Heap::new();
    let (root, storages) = match format {
        Format::TorchZip => zip::open(source, &mut heap)?,
        Format::TorchLegacy => legacy::open(source, &mut heap)?,
        _ => {
            let mut input = BufReader::new(source.whole());
            (load(&mut input, &mut heap)?, HashMap::new())
        }
    };
    walk::collect(&heap, root, &storages)
}
