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
use std::path::Path;

use super::dtype::DType;
use super::error::WeightsErrorKind;
use super::location::Location;
use super::tensor::RawTensor;

/// Parses the pack's header; no tensor is read.
pub(super) fn open(path: &Path) -> Result<Vec<RawTensor>, WeightsErrorKind> {
    let tensors = burn_pack::Reader::from_file_exact(path)
        .and_then(burn_pack::Reader::into_tensors)
        .map_err(|error| match &error {
            burn_pack::Error::ValidationError(detail) if detail.contains("truncated") => {
                WeightsErrorKind::Truncated(detail.clone())
            }
            _ => WeightsErrorKind::Damaged(format!("as a Burn pack: {error}")),
        })?;
    let mut tensors: Vec<RawTensor> = tensors.into_iter().map(raw).collect();
    if has_burn_layout(&tensors) {
        for tensor in &mut tensors {
            transpose_linear(tensor);
        }
    }
    Ok(tensors)
}

fn raw(tensor: burn_pack::Tensor) -> RawTensor {
    RawTensor {
        name: tensor.name.clone(),
        torch_name: Some(torch_name(&tensor.name)),
        shape: tensor.shape.to_vec(),
        dtype: DType::named(&format!("{:?}", tensor.dtype).to_lowercase()),
        stride: None,
        location: Location::Pack(tensor),
    }
}

/// Whether linear weights are `[inputs, outputs]`, judged by the lengths of their biases.
///
/// If all linear layers are square, Burn's own layout is assumed.
fn has_burn_layout(tensors: &[RawTensor]) -> bool {
    let shapes: HashMap<&str, &[usize]> = tensors
        .iter()
        .map(|tensor| (tensor.name.as_str(), tensor.shape.as_slice()))
        .collect();
    !tensors.iter().any(|tensor| {
        let stem = tensor.name.strip_suffix("weight");
        let bias = stem.and_then(|stem| shapes.get(format!("{stem}bias").as_str()));
        matches!(
            (tensor.shape.as_slice(), bias),
            ([outputs, inputs], Some([bias])) if outputs == bias && inputs != bias
        )
    })
}

fn transpose_linear(tensor: &mut RawTensor) {
    if let [inputs, outputs] = *tensor.shape
        && tensor.name.ends_with("weight")
    {
        tensor.shape = vec![outputs, inputs];
        tensor.stride = Some(vec![1, outputs]);
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
