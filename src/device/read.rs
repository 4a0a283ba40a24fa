//! Floats out of a tensor, in pieces where the device allows it.

use burn::tensor::{Tensor, TensorData};

#[cfg(feature = "libtorch")]
use burn::backend::{BackendTensor, DispatchTensorKind, libtorch::TchTensor};

/// The values of a tensor without gradients, row by row.
///
/// On libtorch's CPU they are copied out piece by piece, as they are asked for; elsewhere they were
/// fetched as a whole.
pub(crate) struct TensorFloats(Source);

enum Source {
    /// One dimension, on the CPU.
    #[cfg(feature = "libtorch")]
    Torch(TchTensor),
    Whole(TensorData),
}

impl TensorFloats {
    /// Takes over `tensor`.
    ///
    /// # Errors
    ///
    /// The device does not hand the values over; its own words.
    pub(crate) fn new<const D: usize>(tensor: Tensor<D>) -> Result<Self, String> {
        #[cfg(feature = "libtorch")]
        if let Some(row) = in_a_row(tensor.clone()) {
            return Ok(Self(Source::Torch(row)));
        }
        let whole = tensor.try_into_data().map_err(|error| error.to_string())?;
        Ok(Self(Source::Whole(whole)))
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        match &self.0 {
            #[cfg(feature = "libtorch")]
            Source::Torch(row) => row.tensor.numel(),
            Source::Whole(data) => data.num_elements(),
        }
    }

    /// Copies the values from number `at` on into all of `out`.
    ///
    /// # Errors
    ///
    /// There are not so many; the backend's own words.
    pub(crate) fn read(&self, at: usize, out: &mut [f32]) -> Result<(), String> {
        match &self.0 {
            #[cfg(feature = "libtorch")]
            Source::Torch(row) => {
                let number = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
                let piece = row.tensor.f_narrow(0, number(at), number(out.len()));
                piece
                    .and_then(|piece| piece.f_copy_data(out, out.len()))
                    .map_err(|error| error.to_string())
            }
            Source::Whole(data) => {
                let all = data.as_slice::<f32>();
                let all = all.map_err(|error| format!("{error:?}"))?;
                let piece = at.checked_add(out.len()).and_then(|end| all.get(at..end));
                out.copy_from_slice(piece.ok_or("there are not so many values")?);
                Ok(())
            }
        }
    }

    /// All of them, where they were fetched as a whole.
    pub(crate) fn slice(&self) -> Option<&[f32]> {
        match &self.0 {
            #[cfg(feature = "libtorch")]
            Source::Torch(_) => None,
            Source::Whole(data) => data.as_slice().ok(),
        }
    }
}

/// The tensor as one dimension, if it lies on the CPU in that order.
#[cfg(feature = "libtorch")]
fn in_a_row<const D: usize>(tensor: Tensor<D>) -> Option<TchTensor> {
    let DispatchTensorKind::LibTorch(BackendTensor::Float(tensor)) = tensor.into_dispatch().kind
    else {
        return None;
    };
    let readable = tensor.tensor.device() == tch::Device::Cpu
        && tensor.tensor.kind() == tch::Kind::Float
        && tensor.tensor.is_contiguous();
    // With the tensor's storage, or Burn would think itself alone with it.
    readable.then(|| TchTensor::from_existing(tensor.tensor.view(-1), tensor.storage))
}
