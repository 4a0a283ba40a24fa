//! Burn packs (`.bpk`), as `burn-store` writes a module's parameters.
//!
//! Names are the module's field paths, in which an enum's variant is a part. Burn's habits are
//! turned into torchvision's, so that the rest of the program sees one layout: `gamma` and `beta`
//! of a batch norm are called `weight` and `bias`, and a linear weight, which Burn keeps as
//! `[inputs, outputs]`, is read as `[outputs, inputs]`. A pack that already has torchvision's
//! names or layout is left as it is.
//!
//! Source: <https://docs.rs/burn-pack/0.22.1>, `burn-nn` 0.22.1 (`Linear`, `BatchNorm`).

use std::collections::HashMap;
use std::io::{self, Read};
use std::path::Path;

use burn_pack::DType as PackType;

use super::dtype::DType;
use super::problem::Problem;
use super::tensor::{Place, RawTensor, invalid};

/// Bytes taken from the file at a time, so that a tensor is never in memory twice.
const PIECE: usize = 4 << 20;

/// Parses the pack's header; no tensor is read.
pub(super) fn open(path: &Path) -> Result<Vec<RawTensor>, Problem> {
    let tensors = burn_pack::Reader::from_file_exact(path)
        .and_then(burn_pack::Reader::into_tensors)
        .map_err(|error| match &error {
            burn_pack::Error::ValidationError(detail) if detail.contains("truncated") => {
                Problem::Truncated(detail.clone())
            }
            _ => Problem::Damaged(format!("as a Burn pack: {error}")),
        })?;
    let mut tensors: Vec<RawTensor> = tensors.into_iter().map(raw).collect();
    if has_burn_layout(&tensors) {
        for tensor in &mut tensors {
            turn_to_torch(tensor);
        }
    }
    Ok(tensors)
}

fn raw(tensor: burn_pack::Tensor) -> RawTensor {
    let dtype = match tensor.dtype {
        PackType::F32 => DType::F32,
        PackType::F16 => DType::F16,
        PackType::BF16 => DType::BF16,
        PackType::F64 => DType::F64,
        other => DType::Other(format!("{other:?}").to_lowercase()),
    };
    RawTensor {
        name: tensor.name.clone(),
        torch_name: Some(torch_name(&tensor.name)),
        shape: tensor.shape.to_vec(),
        dtype,
        stride: None,
        place: Place::Pack(PackReader { tensor, at: 0 }),
    }
}

/// Whether linear weights are `[inputs, outputs]`, which their biases tell.
///
/// A pack whose linear layers are all square says nothing; Burn's own layout is assumed then.
fn has_burn_layout(tensors: &[RawTensor]) -> bool {
    let shapes: HashMap<&str, &[usize]> = tensors
        .iter()
        .map(|tensor| (tensor.name.as_str(), tensor.shape.as_slice()))
        .collect();
    !tensors.iter().any(|tensor| {
        let bias = tensor
            .name
            .strip_suffix("weight")
            .and_then(|stem| shapes.get(format!("{stem}bias").as_str()));
        matches!(
            (tensor.shape.as_slice(), bias),
            ([outputs, inputs], Some([bias])) if outputs == bias && inputs != bias
        )
    })
}

fn turn_to_torch(tensor: &mut RawTensor) {
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

/// Reads a pack's tensor from its first byte to its last.
#[derive(Clone)]
pub(super) struct PackReader {
    tensor: burn_pack::Tensor,
    at: usize,
}

impl Read for PackReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.tensor.to_bytes().map_err(io::Error::other)?;
        let end = bytes.len().min(self.at + buffer.len().min(PIECE));
        let piece = bytes
            .view(self.at, end)
            .map_err(|error| invalid(format!("no view of the pack: {error:?}")))?;
        let piece = piece
            .read(burn_std::Reader::new())
            .map_err(|error| io::Error::other(format!("{error:?}")))?;
        buffer
            .get_mut(..piece.len())
            .unwrap_or_default()
            .copy_from_slice(piece);
        self.at = end;
        Ok(piece.len())
    }
}
