//! What `torch.save` writes: a container, a pickle in it, and the tensors the pickle lists.

mod legacy;
mod walk;
mod zip;

use std::collections::HashMap;
use std::io::BufReader;

use super::entry::Entry;
use super::error::WeightsErrorKind;
use super::location::Location;
use super::pickle::{Heap, Id, load};
use super::source::Source;

pub(super) use legacy::open as open_legacy;
pub(super) use walk::NUMPY_ARRAY;
pub(super) use zip::open as open_zip;

/// The tensors of a checkpoint.
#[derive(Debug)]
pub(super) struct Checkpoint {
    pub(super) entries: Vec<Entry>,
    /// A description of the file's root.
    pub(super) root: String,
}

/// The value that a checkpoint's pickle makes, and where the storages that it names are.
struct Saved {
    heap: Heap,
    root: Id,
    storages: HashMap<String, Location>,
}

/// Says why a plain pickle is not read: what it calls, else that `torch.save` did not write it.
pub(super) fn refuse_pickle(source: &Source) -> WeightsErrorKind {
    match load(&mut BufReader::new(source.whole()), &mut Heap::new()) {
        Err(error) => error,
        Ok(_) => WeightsErrorKind::NotWeights(
            "is a plain pickle: save the state dict with torch.save (NumPy's arrays as tensors), not with pickle.dump"
                .into(),
        ),
    }
}
