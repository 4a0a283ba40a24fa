//! `.safetensors`: a JSON header, then the tensors' bytes.
//!
//! Source: <https://github.com/huggingface/safetensors>, crate 0.8.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use safetensors::tensor::Metadata;

use super::dtype::DType;
use super::entry::Entry;
use super::error::{WeightsError, WeightsErrorKind};
use super::location::Location;
use super::source::Source;
use super::tensor::Tensor;

const LENGTH_FIELD: u64 = 8;

/// The largest header that the format allows.
pub(super) const MAX_HEADER: u64 = 100_000_000;

/// Parses the header, and says where the tensors begin; none is read.
///
/// The crate's own `SafeTensors::read_metadata` needs the whole file in memory or in a map, which
/// needs `unsafe`; its header type checks names, shapes and offsets too.
fn header(source: &Source) -> Result<(Metadata, u64), WeightsErrorKind> {
    let len = source.len();
    let check = |needed: u64| match needed.checked_sub(len) {
        None | Some(0) => Ok(()),
        Some(_) => Err(WeightsErrorKind::Truncated(format!(
            "its header needs {needed} bytes, the file has {len}"
        ))),
    };
    check(LENGTH_FIELD)?;
    let mut length = [0; 8];
    source.whole().read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    if length > MAX_HEADER {
        let what = "it is no safetensors file".to_owned();
        return Err(WeightsErrorKind::Damaged(what));
    }
    let data_start = LENGTH_FIELD + length;
    check(data_start)?;
    let json = BufReader::new(source.part(LENGTH_FIELD, length));
    let metadata: Metadata = serde_json::from_reader(json)
        .map_err(|error| WeightsErrorKind::Damaged(format!("safetensors header: {error}")))?;
    let expected = data_start.saturating_add(metadata.data_len() as u64);
    check(expected)?;
    if len > expected {
        return Err(WeightsErrorKind::Damaged(format!(
            "its header describes {expected} bytes, the file has {len}"
        )));
    }
    Ok((metadata, data_start))
}

/// A file of any tensors, its header, and where the tensors begin.
pub(crate) fn safetensors_header(path: &Path) -> Result<(Source, Metadata, u64), WeightsError> {
    let open = || {
        let source = Source::new(File::open(path)?)?;
        let (metadata, data_start) = header(&source)?;
        Ok((source, metadata, data_start))
    };
    open().map_err(|kind| WeightsError::new(path, kind))
}

/// Lists the tensors; none is read.
pub(super) fn open(source: &Source) -> Result<Vec<Entry>, WeightsErrorKind> {
    let (metadata, data_start) = header(source)?;
    let entries = metadata.offset_keys().into_iter().filter_map(|name| {
        let info = metadata.info(&name)?;
        let (start, end) = info.data_offsets;
        let tensor = Tensor {
            dtype: DType::named(&format!("{:?}", info.dtype).to_lowercase()),
            shape: info.shape.clone(),
            stride: None,
            location: Location::Plain {
                part: source.part(data_start + start as u64, (end - start) as u64),
                crc32: None,
            },
        };
        Some(Entry::new(name, tensor))
    });
    Ok(entries.collect())
}
