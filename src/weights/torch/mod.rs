//! What `torch.save` writes: a container, a pickle in it, and the tensors the pickle lists.

mod legacy;
mod walk;
mod zip;

use std::io::BufReader;

use super::error::WeightsErrorKind;
use super::pickle::{Heap, load};
use super::source::Source;

pub(super) use legacy::open as open_legacy;
pub(super) use walk::NUMPY_ARRAY;
pub(super) use zip::{open as open_zip, other_archive};

/// Says why a plain pickle is not read: what it calls, else that `torch.save` did not write it.
pub(super) fn refuse_pickle(source: &Source) -> WeightsErrorKind {
    match load(&mut BufReader::new(source.whole()), &mut Heap::new(source.len())) {
        Err(error) => error,
        Ok(_) => WeightsErrorKind::NotWeights(
            "is a plain pickle: save the state dict with torch.save (NumPy's arrays as tensors), not with pickle.dump"
                .into(),
        ),
    }
}
