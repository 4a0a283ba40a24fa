//! `torch.save` since `PyTorch` 1.6: a zip archive with `data.pkl` and one entry a storage.
//!
//! Source: `caffe2/serialize/inline_container.h` of `PyTorch`, which documents the layout.

use std::collections::HashMap;
use std::io::{self, BufReader, Read};
use std::sync::{Arc, Mutex};

use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive, ZipReadOptions};

use super::super::pickle::{Heap, Id, load};
use super::super::problem::Problem;
use super::super::source::{Part, Source};
use super::Storage;

/// The archive, shared by the tensors that must be decompressed.
pub(super) type Archive = Arc<Mutex<ZipArchive<BufReader<Part>>>>;

/// Largest `data.pkl`: it holds names and shapes, not the tensors.
const MAX_PICKLE: u64 = 100 << 20;

/// Largest `byteorder` entry.
const MAX_BYTE_ORDER: u64 = 64;

pub(super) fn open(
    source: &Source,
    heap: &mut Heap,
) -> Result<(Id, HashMap<String, Storage>), Problem> {
    let mut archive = ZipArchive::new(BufReader::new(source.whole())).map_err(no_archive)?;
    let names: Vec<String> = (0..archive.len())
        .filter_map(|index| Some(archive.name_for_index(index)?.ok()?.into_owned()))
        .collect();
    let root = root(&names)?;

    let order = read(&mut archive, &format!("{root}byteorder"), MAX_BYTE_ORDER)?;
    if order.is_some_and(|order| order.trim_ascii() == b"big") {
        return Err(Problem::NotWeights(
            "was saved on a big-endian machine: load and save it again on a little-endian one"
                .into(),
        ));
    }
    let pickle = read(&mut archive, &format!("{root}data.pkl"), MAX_PICKLE)?;
    let pickle = pickle.unwrap_or_default();
    let top = load(&mut pickle.as_slice(), heap)?;

    let storages = storages(source, archive, &format!("{root}data/"), heap)?;
    Ok((top, storages))
}

/// The folder inside the archive that holds `data.pkl`, with its slash.
fn root(names: &[String]) -> Result<String, Problem> {
    let has = |wanted: &str| {
        names
            .iter()
            .any(|name| name == wanted || name.ends_with(&format!("/{wanted}")))
    };
    let ends_in = |ending: &str| names.iter().find(|name| name.ends_with(ending));
    let has_code = names
        .iter()
        .any(|name| name.starts_with("code/") || name.contains("/code/"));
    if has("constants.pkl") && has_code {
        return Err(Problem::TorchScript);
    }
    let roots = names.iter().filter_map(|name| {
        let root = name.strip_suffix("data.pkl")?;
        (root.is_empty() || root.ends_with('/')).then_some(root)
    });
    if let Some(root) = roots.min_by_key(|root| root.len()) {
        return Ok(root.to_owned());
    }
    Err(Problem::NotWeights(if ends_in(".npy").is_some() {
        "is a NumPy archive (.npz), which vggscope does not read; expected .pth, .safetensors or .bpk".into()
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

/// Finds every storage that the pickle mentions.
fn storages(
    source: &Source,
    mut archive: ZipArchive<BufReader<Part>>,
    folder: &str,
    heap: &Heap,
) -> Result<HashMap<String, Storage>, Problem> {
    enum Found {
        Plain(Part, Option<u32>),
        Compressed(usize, u64),
    }
    let mut found = Vec::with_capacity(heap.storages.len());
    for key in heap.storages.keys() {
        let Some(index) = archive.index_for_name(&format!("{folder}{key}")) else {
            continue;
        };
        let entry = archive
            .by_index_raw(index)
            .map_err(|error| damaged(&error))?;
        let plain = entry.compression() == CompressionMethod::Stored
            && entry.size() == entry.compressed_size();
        found.push((
            key.clone(),
            match entry.data_start() {
                Some(start) if plain => Found::Plain(
                    source.part(start, entry.size()),
                    Some(entry.crc32()).filter(|&crc32| crc32 != 0),
                ),
                _ => Found::Compressed(index, entry.size()),
            },
        ));
    }
    let archive = Arc::new(Mutex::new(archive));
    let storages = found.into_iter().map(|(key, found)| {
        let storage = match found {
            Found::Plain(part, crc32) => Storage::Plain { part, crc32 },
            Found::Compressed(index, len) => Storage::Compressed {
                archive: Arc::clone(&archive),
                index,
                len,
            },
        };
        (key, storage)
    });
    Ok(storages.collect())
}

/// Reads a whole entry of at most `limit` bytes, if it is there.
fn read(
    archive: &mut ZipArchive<BufReader<Part>>,
    name: &str,
    limit: u64,
) -> Result<Option<Vec<u8>>, Problem> {
    let Some(index) = archive.index_for_name(name) else {
        return Ok(None);
    };
    let crc32 = archive
        .by_index_raw(index)
        .map_err(|error| damaged(&error))?
        .crc32();
    // `compute_crc32=False` writes 0 everywhere.
    let options = ZipReadOptions::new().ignore_crc32(crc32 == 0);
    let mut entry = archive
        .by_index_with_options(index, options)
        .map_err(|error| damaged(&error))?;
    let mut bytes = Vec::new();
    (&mut entry)
        .take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Problem::Damaged(format!("`{name}` in it cannot be read: {error}")))?;
    if bytes.len() as u64 > limit {
        return Err(Problem::Damaged(format!(
            "`{name}` in it is larger than {limit} bytes"
        )));
    }
    Ok(Some(bytes))
}

/// A zip archive's directory comes last, so a file that was cut has none.
fn no_archive(error: ZipError) -> Problem {
    match error {
        ZipError::Io(error) if error.kind() != io::ErrorKind::UnexpectedEof => error.into(),
        _ => Problem::Truncated("the zip archive's directory is not at its end".into()),
    }
}

fn damaged(error: &ZipError) -> Problem {
    Problem::Damaged(format!("as a zip archive: {error}"))
}
