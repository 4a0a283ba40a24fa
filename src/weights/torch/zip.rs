//! `torch.save` since `PyTorch` 1.6: a zip archive with `data.pkl` and one entry a storage.

use std::collections::HashMap;
use std::io::{self, BufReader, Read};

use super::super::archive::Archive;
use super::super::entry::Entry;
use super::super::error::WeightsErrorKind;
use super::super::foreign;
use super::super::pickle::{Heap, Id, load};
use super::super::source::Source;
use super::walk::tensors;

/// Bytes that are unpacked of `data.pkl`, or as many as the file has: it holds names and shapes.
const MAX_PICKLE: u64 = 100 << 20;

/// Parses the pickle; no tensor is read.
pub(in crate::weights) fn open(source: &Source) -> Result<Vec<Entry>, WeightsErrorKind> {
    let mut archive = Archive::open(source)?;
    let names = archive.names();
    let folder = folder(&names)?;
    archive.check_byte_order(folder)?;
    let mut heap = Heap::new(source.len());
    let root = match archive.entry(&format!("{folder}data.pkl"))? {
        Some(pickle) => pickled(pickle.take(MAX_PICKLE.max(source.len())), &mut heap)?,
        None => return Err(WeightsErrorKind::NotWeights(foreign::archive(&names))),
    };

    let mut storages = HashMap::with_capacity(heap.storages.len());
    for key in heap.storages.keys() {
        if let Some(location) = archive.location(&format!("{folder}data/{key}"))? {
            storages.insert(key.clone(), location);
        }
    }
    tensors(&heap, root, &storages)
}

/// The folder inside the archive that holds `data.pkl`, with its slash.
fn folder(names: &[String]) -> Result<&str, WeightsErrorKind> {
    let has = |part: &str| names.iter().any(|name| format!("/{name}").contains(part));
    if has("/constants.pkl") && has("/code/") {
        return Err(WeightsErrorKind::NotWeights(
            "is a TorchScript archive, not a state dict; in Python, `torch.save(torch.jit.load(FILE).state_dict(), \"weights.pth\")` saves what vggscope reads".into(),
        ));
    }
    let folders = names.iter().filter_map(|name| {
        let folder = name.strip_suffix("data.pkl")?;
        (folder.is_empty() || folder.ends_with('/')).then_some(folder)
    });
    let folder = folders.min_by_key(|folder| folder.len());
    folder.ok_or_else(|| WeightsErrorKind::NotWeights(foreign::archive(names)))
}

/// What an archive is that holds no program of `torch.export`.
pub(in crate::weights) fn other_archive(names: &[String]) -> String {
    match folder(names) {
        Ok(_) => "is a state dict of torch.save".to_owned(),
        Err(error) => error.to_string(),
    }
}

/// The value of a pickle, whose checksum is compared at its end.
fn pickled(entry: impl Read, heap: &mut Heap) -> Result<Id, WeightsErrorKind> {
    let mut input = BufReader::new(entry);
    let root = load(&mut input, heap);
    let root = root.and_then(|root| {
        io::copy(&mut input, &mut io::sink())?;
        Ok(root)
    });
    root.map_err(|error| match error {
        WeightsErrorKind::Io(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
            WeightsErrorKind::Damaged(format!("its pickle cannot be read: {error}"))
        }
        error => error,
    })
}
