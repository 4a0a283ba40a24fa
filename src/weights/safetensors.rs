//! `.safetensors`: a JSON header, then the tensors' bytes.
//!
//! Source: <https://github.com/huggingface/safetensors>, crate 0.8.

use std::io::{BufReader, Read};

use safetensors::tensor::Metadata;

use super::dtype::DType;
use super::entry::Entry;
use super::error::WeightsErrorKind;
use super::location::Location;
use super::source::Source;
use super::tensor::Tensor;

const LENGTH_FIELD: u64 = 8;

/// The largest header that the format allows.
pub(super) const MAX_HEADER: u64 = 100_000_000;

/// Parses the header; no tensor is read.
///
/// The crate's own `SafeTensors::read_metadata` needs the whole file in memory or in a map, which
/// needs `unsafe`; its header type checks names, shapes and offsets too.
pub(super) fn open(source: &Source) -> Result<Vec<Entry>, WeightsErrorKind> {
    let mut length = [0; 8];
    source.whole().read_exact(&mut length)?;
    let header_len = u64::from_le_bytes(length).min(MAX_HEADER);
    let data_start = LENGTH_FIELD + header_len;
    let len = source.len();
    if data_start > len {
        return Err(WeightsErrorKind::Truncated(format!(
            "its header needs {data_start} bytes, the file has {len}"
        )));
    }
    let header = BufReader::new(source.part(LENGTH_FIELD, header_len));
    let metadata: Metadata = serde_json::from_reader(header)
        .map_err(|error| WeightsErrorKind::Damaged(format!("safetensors header: {error}")))?;

    let expected = data_start.saturating_add(metadata.data_len() as u64);
    if len < expected {
        return Err(WeightsErrorKind::Truncated(format!(
            "its header promises {expected} bytes, the file has {len}"
        )));
    }
    if len > expected {
        return Err(WeightsErrorKind::Damaged(format!(
            "its header describes {expected} bytes, the file has {len}"
        )));
    }
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
