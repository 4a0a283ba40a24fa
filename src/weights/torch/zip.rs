//! `torch.save` since `PyTorch` 1.6: a zip archive with `data.pkl` and one entry a storage.
//!
//! Source: `caffe2/serialize/inline_container.h` of `PyTorch`, which documents the layout.

use std::collections::HashMap;
use std::io::{self, Read};

use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive, ZipReadOptions};

use super::super::error::WeightsErrorKind;
use super::super::location::Location;
use super::super::pickle::{Heap, Id, load};
use super::super::source::Source;

/// Largest `data.pkl` that is unpacked: it holds names and shapes, and `NumPy` arrays.
const MAX_PICKLE: u64 = 100 << 20;

const MAX_BYTE_ORDER: u64 = 64;

pub(super) fn open(
    source: &Source,
    heap: &mut Heap,
) -> Result<(Id, HashMap<String, Location>), WeightsErrorKind> {
    let mut archive = ZipArchive::new(source.whole()).map_err(no_archive)?;
    let names: Vec<String> = (0..archive.len())
        .filter_map(|index| Some(archive.name_for_index(index)?.ok()?.into_owned()))
        .collect();
    let root = root(&names)?;

    let order = read(&mut archive, &format!("{root}byteorder"), MAX_BYTE_ORDER)?;
    if order.is_some_and(|order| order.trim_ascii() == b"big") {
        return Err(WeightsErrorKind::NotWeights(
            "was saved on a big-endian machine: load and save it again on a little-endian one"
                .into(),
        ));
    }
    let limit = MAX_PICKLE.max(source.len());
    let pickle = read(&mut archive, &format!("{root}data.pkl"), limit)?;
    let pickle = pickle.unwrap_or_default();
    let top = load(&mut pickle.as_slice(), heap)?;

    let storages = storages(source, archive, &format!("{root}data/"), heap)?;
    Ok((top, storages))
}

/// The folder inside the archive that holds `data.pkl`, with its slash.
fn root(names: &[String]) -> Result<String, WeightsErrorKind> {
    let has = |part: &str| names.iter().any(|name| format!("/{name}").contains(part));
    let ends_in = |ending: &str| names.iter().find(|name| name.ends_with(ending));
    if has("/constants.pkl") && has("/code/") {
        return Err(WeightsErrorKind::NotWeights(
            "is a TorchScript archive, not a state dict; in Python, `torch.save(torch.jit.load(FILE).state_dict(), \"weights.pth\")` saves what vggscope reads".into(),
        ));
    }
    let roots = names.iter().filter_map(|name| {
        let root = name.strip_suffix("data.pkl")?;
        (root.is_empty() || root.ends_with('/')).then_some(root)
    });
    if let Some(root) = roots.min_by_key(|root| root.len()) {
        return Ok(root.to_owned());
    }
    Err(WeightsErrorKind::NotWeights(if ends_in(".npy").is_some() {
        "is a NumPy archive (.npz); in Python, `torch.save({k: torch.tensor(v) for k, v in numpy.load(FILE).items()}, \"weights.pth\")` saves what vggscope reads".into()
    } else if ends_in(".weights.h5").is_some() {
        "is a Keras model, which vggscope does not read; expected .pth, .safetensors or .bpk".into()
    } else if let Some(inner) = ends_in(".pth")
        .or(ends_in(".pt"))
        .or(ends_in(".safetensors"))
    {
        format!("is a zip archive with `{inner}` in it: unpack it and pass that")
    } else {
        "is a zip archive without `data.pkl`: torch.save did not write it".into()
    }))
}

fn storages(
    source: &Source,
    mut archive: ZipArchive<Source>,
    folder: &str,
    heap: &Heap,
) -> Result<HashMap<String, Location>, WeightsErrorKind> {
    let mut storages = HashMap::with_capacity(heap.storages.len());
    for key in heap.storages.keys() {
        let Some(index) = archive.index_for_name(&format!("{folder}{key}")) else {
            continue;
        };
        let entry = archive.by_index_raw(index).map_err(damaged)?;
        let (len, crc32) = (entry.size(), entry.crc32());
        let is_plain =
            entry.compression() == CompressionMethod::Stored && entry.compressed_size() == len;
        let start = entry.data_start();
        drop(entry);
        let location = match start {
            Some(start) if is_plain => Location::Plain {
                part: source.part(start, len),
                crc32: Some(crc32).filter(|&crc32| crc32 != 0),
            },
            _ => Location::Compressed {
                archive: archive.clone(),
                index,
                skip: 0,
                len,
            },
        };
        storages.insert(key.clone(), location);
    }
    Ok(storages)
}

/// Reads a whole entry of at most `limit` bytes, if it is there.
fn read(
    archive: &mut ZipArchive<Source>,
    name: &str,
    limit: u64,
) -> Result<Option<Vec<u8>>, WeightsErrorKind> {
    let Some(index) = archive.index_for_name(name) else {
        return Ok(None);
    };
    let crc32 = archive.by_index_raw(index).map_err(damaged)?.crc32();
    // `compute_crc32=False` writes 0 everywhere.
    let options = ZipReadOptions::new().ignore_crc32(crc32 == 0);
    let entry = archive
        .by_index_with_options(index, options)
        .map_err(damaged)?;
    let mut bytes = Vec::new();
    match entry.take(limit + 1).read_to_end(&mut bytes) {
        Ok(_) if bytes.len() as u64 <= limit => Ok(Some(bytes)),
        Ok(_) => Err(WeightsErrorKind::Damaged(format!(
            "`{name}` in it is larger than {limit} bytes"
        ))),
        Err(error) => Err(WeightsErrorKind::Damaged(format!(
            "`{name}` in it cannot be read: {error}"
        ))),
    }
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
