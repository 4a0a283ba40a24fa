//! `torch.save` since `PyTorch` 1.6: a zip archive with `data.pkl` and one entry a storage.
//!
//! Source: `caffe2/serialize/inline_container.h` of `PyTorch`, which documents the layout.

use std::collections::HashMap;
use std::io::{self, BufReader, Read};

use zip::read::{ArchiveOffset, Config, ZipFile};
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive, ZipReadOptions};

use super::super::error::WeightsErrorKind;
use super::super::foreign;
use super::super::location::Location;
use super::super::pickle::{Heap, Id, load};
use super::super::source::Source;
use super::walk::{Checkpoint, Saved};

/// Bytes that are unpacked of `data.pkl`, or as many as the file has: it holds names and shapes.
const MAX_PICKLE: u64 = 100 << 20;

const MAX_BYTE_ORDER: u64 = 64;

/// Parses the pickle; no tensor is read.
pub(in crate::weights) fn open(source: &Source) -> Result<Checkpoint, WeightsErrorKind> {
    // `ArchiveOffset::Detect` takes the directory's start by its size, too late by the zip64 records that torch writes
    // behind it: it is another entry's where the first one's is as long as those, with names of 21 bytes.
    let config = Config {
        archive_offset: ArchiveOffset::Known(0),
    };
    let mut archive = ZipArchive::with_config(config, source.whole()).map_err(no_archive)?;
    let names: Vec<String> = (0..archive.len())
        .filter_map(|index| Some(archive.name_for_index(index)?.ok()?.into_owned()))
        .collect();
    let folder = folder(&names)?;

    let mut order = Vec::new();
    if let Some(entry) = entry(&mut archive, &format!("{folder}byteorder"))? {
        entry.take(MAX_BYTE_ORDER).read_to_end(&mut order)?;
    }
    if order.trim_ascii() == b"big" {
        return Err(WeightsErrorKind::NotWeights(
            "was saved on a big-endian machine: load and save it again on a little-endian one"
                .into(),
        ));
    }
    let mut heap = Heap::new(source.len());
    let root = match entry(&mut archive, &format!("{folder}data.pkl"))? {
        Some(pickle) => pickled(pickle.take(MAX_PICKLE.max(source.len())), &mut heap)?,
        None => return Err(WeightsErrorKind::NotWeights(foreign::archive(&names))),
    };

    let mut storages = HashMap::with_capacity(heap.storages.len());
    for key in heap.storages.keys() {
        if let Some(index) = archive.index_for_name(&format!("{folder}data/{key}")) {
            storages.insert(key.clone(), location(source, &mut archive, index)?);
        }
    }
    let saved = Saved {
        heap,
        root,
        storages,
    };
    saved.collect()
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

fn location(
    source: &Source,
    archive: &mut ZipArchive<Source>,
    index: usize,
) -> Result<Location, WeightsErrorKind> {
    let entry = archive.by_index_raw(index).map_err(damaged)?;
    let (len, crc32) = (entry.size(), entry.crc32());
    let is_plain =
        entry.compression() == CompressionMethod::Stored && entry.compressed_size() == len;
    let start = entry.data_start().filter(|_| is_plain);
    drop(entry);
    Ok(match start {
        Some(start) => Location::Plain {
            part: source.part(start, len),
            crc32: Some(crc32).filter(|&crc32| crc32 != 0),
        },
        None => Location::Compressed {
            archive: archive.clone(),
            index,
            skip: 0,
            len,
        },
    })
}

/// An entry, to be read from its beginning.
fn entry<'a>(
    archive: &'a mut ZipArchive<Source>,
    name: &str,
) -> Result<Option<ZipFile<'a, Source>>, WeightsErrorKind> {
    let Some(index) = archive.index_for_name(name) else {
        return Ok(None);
    };
    let crc32 = archive.by_index_raw(index).map_err(damaged)?.crc32();
    // `compute_crc32=False` writes 0 everywhere.
    let options = ZipReadOptions::new().ignore_crc32(crc32 == 0);
    let entry = archive.by_index_with_options(index, options);
    entry.map(Some).map_err(damaged)
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

/// A zip archive's directory comes last, so a truncated file has none.
fn no_archive(error: ZipError) -> WeightsErrorKind {
    match error {
        ZipError::Io(error) if error.kind() != io::ErrorKind::UnexpectedEof => error.into(),
        _ => WeightsErrorKind::Truncated("the zip archive's directory is not at its end".into()),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn damaged(error: ZipError) -> WeightsErrorKind {
    WeightsErrorKind::Damaged(format!("as a zip archive: {error}"))
}
