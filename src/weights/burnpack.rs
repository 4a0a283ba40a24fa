//! Burn packs (`.bpk`), as `burn-store` writes a module's parameters.
//!
//! Names are the module's field paths, in which an enum's variant is a part. Burn's conventions are
//! converted to torchvision's, so that the rest of the program sees one layout: `gamma` and `beta`
//! of a batch norm become `weight` and `bias`, and a linear weight, which Burn stores as
//! `[inputs, outputs]`, is read as `[outputs, inputs]`. A pack in torchvision's names or layout is
//! left as it is.
//!
//! Source: <https://docs.rs/burn-pack/0.22.1>, `burn-nn` 0.22.1 (`Linear`, `BatchNorm`).

use std::collections::HashMap;
use std::io::Read as _;
use std::path::Path;

use burn_pack::{HEADER_SIZE, Header, TENSOR_ALIGNMENT, aligned_data_section_start};

use super::dtype::DType;
use super::entry::Entry;
use super::error::WeightsErrorKind;
use super::location::Location;
use super::source::Source;
use super::tensor::Tensor;

pub(super) fn open(source: &Source, path: &Path) -> Result<Vec<Entry>, WeightsErrorKind> {
    let mut head = Vec::new();
    source.part(0, HEADER_SIZE as u64).read_to_end(&mut head)?;
    let metadata = Header::from_bytes(&head).map_err(damaged)?.metadata_size;
    let found = source.len();
    // The crate makes room for as much as is promised.
    if HEADER_SIZE as u64 + u64::from(metadata) > found {
        return Err(WeightsErrorKind::Truncated(format!(
            "as a Burn pack it has a header of {metadata} bytes, the file has {found}"
        )));
    }
    let tensors = burn_pack::Reader::from_file_exact(path)
        .and_then(burn_pack::Reader::into_tensors)
        .map_err(damaged)?;
    let start = aligned_data_section_start(metadata as usize) as u64;
    let sizes = tensors.iter().map(|tensor| tensor.byte_len() as u64);
    let expected = sizes.fold(start, |sum, size| {
        sum.saturating_add(size.next_multiple_of(TENSOR_ALIGNMENT))
    });
    if found > expected {
        return Err(WeightsErrorKind::Damaged(format!(
            "its header describes at most {expected} bytes, the file has {found}"
        )));
    }
    let mut entries: Vec<Entry> = tensors.into_iter().map(entry).collect();
    if has_burn_layout(&entries) {
        entries.iter_mut().for_each(transpose_linear);
    }
    Ok(entries)
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn damaged(error: burn_pack::Error) -> WeightsErrorKind {
    match &error {
        burn_pack::Error::ValidationError(detail) if detail.contains("truncated") => {
            WeightsErrorKind::Truncated(detail.clone())
        }
        _ => WeightsErrorKind::Damaged(format!("as a Burn pack: {error}")),
    }
}

fn entry(tensor: burn_pack::Tensor) -> Entry {
    let name = Some(torch_name(&tensor.name));
    let raw_name = tensor.name.clone();
    let tensor = Tensor {
        shape: tensor.shape.to_vec(),
        dtype: DType::named(&format!("{:?}", tensor.dtype).to_lowercase()),
        stride: None,
        location: Location::Pack(tensor),
    };
    Entry {
        name,
        ..Entry::new(raw_name, tensor)
    }
}

/// Whether linear weights are `[inputs, outputs]`, judged by the lengths of their biases.
///
/// If all linear layers are square, Burn's own layout is assumed.
fn has_burn_layout(entries: &[Entry]) -> bool {
    let named = entries
        .iter()
        .map(|entry| (entry.raw_name(), entry.shape()));
    let shapes: HashMap<&str, &[usize]> = named.collect();
    !entries.iter().any(|entry| {
        let stem = entry.raw_name.strip_suffix("weight");
        let bias = stem.and_then(|stem| shapes.get(format!("{stem}bias").as_str()));
        matches!(
            (entry.shape(), bias),
            ([outputs, inputs], Some([bias])) if outputs == bias && inputs != bias
        )
    })
}

fn transpose_linear(entry: &mut Entry) {
    if let [inputs, outputs] = *entry.tensor.shape
        && entry.raw_name.ends_with("weight")
    {
        entry.tensor.shape = vec![outputs, inputs];
        entry.tensor.stride = Some(vec![1, outputs]);
    }
}

/// torchvision's spelling of a Burn module's field path.
fn torch_name(path: &str) -> String {
    let parts: Vec<&str> = path
        .split('.')
        // `features.0.Convolution.weight`: the variant of an enum.
        .filter(|part| !part.starts_with(|c: char| c.is_ascii_uppercase()))
        .map(|part| match part {
            "gamma" => "weight",
            "beta" => "bias",
            // The three layers of this crate's classifier, by torchvision's index.
            "hidden1" => "0",
            "hidden2" => "3",
            "output" => "6",
            other => other,
        })
        .collect();
    parts.join(".")
}
