//! Reading the floats of a tensor, in pieces where the device allows it.

use burn::tensor::{Tensor, TensorData};

use super::guard::first_line;
use super::precision::in_float32;
#[cfg(feature = "libtorch")]
use super::{apart::is_apart, clock::Mark, traffic};

#[cfg(feature = "libtorch")]
use burn::backend::{BackendTensor, DispatchTensorKind};
#[cfg(feature = "libtorch")]
use burn_tch::TchTensor;

/// The values of a tensor without gradients, row by row.
///
/// On libtorch's CPU each [`read`](Self::read) copies its piece; elsewhere all were fetched at once, from a GPU into
/// page-locked memory.
pub(crate) struct TensorFloats(Source);

enum Source {
    /// One dimension, on the CPU.
    #[cfg(feature = "libtorch")]
    Torch(TchTensor),
    Whole(TensorData),
}

impl TensorFloats {
    /// The values of `tensor`, any shape, row-major.
    pub(crate) fn new<const D: usize>(tensor: Tensor<D>) -> Result<Self, String> {
        let tensor = in_float32(tensor);
        #[cfg(feature = "libtorch")]
        if let Some(row) = in_a_row(tensor.clone()) {
            return Ok(Self(Source::Torch(row)));
        }
        #[cfg(feature = "libtorch")]
        if let Some(copied) = from_gpu(tensor.clone()) {
            return Ok(Self(Source::Torch(copied?)));
        }
        let whole = tensor.try_into_data();
        let whole = whole.map_err(|error| first_line(&error.to_string()))?;
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
    pub(crate) fn read(&self, at: usize, out: &mut [f32]) -> Result<(), String> {
        match &self.0 {
            #[cfg(feature = "libtorch")]
            Source::Torch(row) => {
                let number = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
                let piece = row.tensor.f_narrow(0, number(at), number(out.len()));
                piece
                    .and_then(|piece| piece.f_copy_data(out, out.len()))
                    .map_err(|error| first_line(&error.to_string()))
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

/// All values of a tensor without gradients, row by row.
pub(crate) fn values<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, String> {
    let floats = TensorFloats::new(tensor)?;
    let mut values = vec![0.0; floats.count()];
    floats.read(0, &mut values)?;
    Ok(values)
}

/// All values of several tensors without gradients, on one device; a GPU is asked once.
pub(crate) fn all_values(tensors: Vec<Tensor<1>>) -> Result<Vec<Vec<f32>>, String> {
    if tensors.len() < 2 || !tensors.iter().all(is_on_gpu) {
        return tensors.into_iter().map(values).collect();
    }
    let lengths: Vec<usize> = tensors.iter().map(|tensor| tensor.dims()[0]).collect();
    let all = TensorFloats::new(Tensor::cat(
        tensors.into_iter().map(in_float32).collect(),
        0,
    ))?;
    let mut at = 0;
    let part = |length| {
        let mut part = vec![0.0; length];
        all.read(at, &mut part)?;
        at += length;
        Ok(part)
    };
    lengths.into_iter().map(part).collect()
}

/// Whether a tensor is on an NVIDIA GPU.
fn is_on_gpu(tensor: &Tensor<1>) -> bool {
    #[cfg(feature = "libtorch")]
    if let DispatchTensorKind::LibTorch(BackendTensor::Float(tensor)) =
        tensor.clone().into_dispatch().kind
    {
        return is_apart(tensor.tensor.device());
    }
    let _ = tensor;
    false
}

/// Whether `maps` `[batch, channels, height, width]` lie channels-last in libtorch's CPU memory, so that
/// [`TensorFloats`] reads `maps.permute([0, 2, 3, 1])` without a copy. False on every other device.
///
/// A single channel has both layouts; it counts as channels-last.
pub(crate) fn is_channels_last(maps: &Tensor<4>) -> bool {
    #[cfg(feature = "libtorch")]
    let interleaved = in_a_row(maps.clone().permute([0, 2, 3, 1])).is_some();
    #[cfg(not(feature = "libtorch"))]
    let interleaved = {
        let _ = maps;
        false
    };
    interleaved
}

/// The tensor as one dimension, if it is contiguous on libtorch's CPU.
#[cfg(feature = "libtorch")]
fn in_a_row<const D: usize>(tensor: Tensor<D>) -> Option<TchTensor> {
    let DispatchTensorKind::LibTorch(BackendTensor::Float(tensor)) = tensor.into_dispatch().kind
    else {
        return None;
    };
    let readable = tensor.tensor.device() == tch::Device::Cpu
        && tensor.tensor.kind() == tch::Kind::Float
        && tensor.tensor.is_contiguous();
    // With the tensor's storage, or Burn would take it for unshared and write into it.
    readable.then(|| TchTensor::from_existing(tensor.tensor.view(-1), tensor.storage))
}

/// All values of a tensor on an NVIDIA GPU, in a row on the CPU.
#[cfg(feature = "libtorch")]
fn from_gpu<const D: usize>(tensor: Tensor<D>) -> Option<Result<TchTensor, String>> {
    let DispatchTensorKind::LibTorch(BackendTensor::Float(tensor)) = tensor.into_dispatch().kind
    else {
        return None;
    };
    let tensor = tensor.tensor;
    let device = tensor.device();
    let copy = || {
        let row = tensor.f_contiguous()?.f_view(-1)?;
        let (non_blocking, copy) = (true, false);
        row.f_to_device_(tch::Device::Cpu, tch::Kind::Float, non_blocking, copy)
    };
    device.is_cuda().then(|| {
        let row = copy().map_err(|error: tch::TchError| first_line(&error.to_string()))?;
        traffic::copied(row.numel() * size_of::<f32>());
        Mark::of(device).wait()?;
        traffic::waited();
        Ok(TchTensor::new(row))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    /// `0..48` as `[2, 4, 3, 2]`, planar and channels-last in memory.
    fn both_layouts(device: &Device) -> [Tensor<4>; 2] {
        let values: Vec<f32> = (0_u8..48).map(f32::from).collect();
        let planar = Tensor::<4>::from_data(TensorData::new(values, [2, 4, 3, 2]), device);
        let interleaved = planar.clone().permute([0, 2, 3, 1]).into_data();
        let interleaved = Tensor::<4>::from_data(interleaved, device).permute([0, 3, 1, 2]);
        [planar, interleaved]
    }

    fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        let floats = TensorFloats::new(tensor).unwrap();
        let mut out = vec![0.0; floats.count()];
        let (first, rest) = out.split_at_mut(5);
        floats.read(0, first).unwrap();
        floats.read(5, rest).unwrap();
        assert!(floats.read(40, &mut [0.0; 9]).is_err());
        out
    }

    #[test]
    fn values_are_read_row_by_row_whatever_the_layout() {
        for device in devices() {
            let [planar, interleaved] = both_layouts(&device);
            let expected: Vec<f32> = (0_u8..48).map(f32::from).collect();
            assert_eq!(values(planar), expected);
            assert_eq!(values(interleaved), expected);
        }
    }

    fn devices() -> Vec<Device> {
        vec![
            Device::flex(),
            #[cfg(feature = "libtorch")]
            Device::libtorch(),
        ]
    }

    #[test]
    fn channels_last_is_found_on_libtorch_only() {
        let found = |device: &Device| both_layouts(device).map(|maps| is_channels_last(&maps));
        assert_eq!(found(&Device::flex()), [false, false]);
        #[cfg(feature = "libtorch")]
        assert_eq!(found(&Device::libtorch()), [false, true]);
    }
}
