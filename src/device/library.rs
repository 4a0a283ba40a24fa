//! What libtorch offers beyond Burn: all of it stands behind [`Library`].

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use burn::backend::DispatchTensor;
use burn::tensor::{Device, Tensor};
use feature_grid::Floats;

use super::choice::{DeviceChoice, Unavailable};
use super::error::BackendError;

/// A library of devices that is part of this build, and what its devices do that Burn has no word for.
pub(super) trait Library: Sync {
    fn survey(&self) -> Libtorch;

    fn open(&self, choice: DeviceChoice) -> Device;

    /// Whether feature maps can become grids on a device. Apple's GPU has no double precision.
    fn draws(&self, device: &Device) -> bool;

    /// Whether a device has a memory of its own and works while the host goes on: an NVIDIA GPU.
    fn is_asynchronous(&self, device: &Device) -> bool;

    /// What follows all that a device was asked for; `None` where it has computed when its operations return.
    fn event(&self, device: &Device) -> Option<Arc<dyn Event>>;

    /// Copies values to a device without waiting for the work that is queued there, which `Tensor::from_data` would:
    /// `[values]`, without gradients.
    fn upload(&self, values: &[f32], device: &Device) -> Tensor<1>;

    /// Starts one copy of all parts: of double precision as it is, of others, from 0 to 255, a byte each.
    fn read_back(&self, parts: Vec<Tensor<1>>) -> Result<HostBytes, BackendError>;

    /// The values of a tensor, row by row, where they lie so in the host's memory; nothing is copied.
    fn in_place(&self, tensor: DispatchTensor) -> Option<Box<dyn Floats + Send + Sync>>;

    fn gpu(&self, device: &Device) -> Option<Result<Gpu, BackendError>>;
}

/// Copies bytes that have arrived, from a number on, into all of a slice.
pub(super) type HostBytes = Arc<dyn Fn(usize, &mut [u8]) -> Result<(), BackendError> + Send + Sync>;

pub(crate) trait Event: Any + Send + Sync {
    fn wait(&self) -> Result<(), BackendError>;

    /// How long the device worked from an earlier moment to this one, once it is over; `None` where it cannot say.
    fn since(&self, earlier: &dyn Event) -> Option<Duration>;
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "what libtorch is asked")]
pub(crate) struct Libtorch {
    /// The folder it was loaded from where the system reports it, else the one it was linked from.
    pub(crate) dir: String,
    pub(crate) version: String,
    pub(crate) built_with_cuda: bool,
    pub(crate) has_cuda: bool,
    pub(crate) cuda_devices: usize,
    pub(crate) has_cudnn: bool,
    pub(crate) has_mps: bool,
    pub(crate) threads: i32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gpu {
    pub(crate) name: String,
    pub(crate) capability: [i32; 2],
    /// Units: bytes.
    pub(crate) memory: usize,
    /// Units: bytes.
    pub(crate) free_memory: usize,
}

impl Libtorch {
    pub(crate) fn why_no_cuda(&self, number: usize) -> Option<Unavailable> {
        if number < self.cuda_devices {
            return None;
        }
        Some(if self.cuda_devices > 0 {
            Unavailable::OtherNumber(self.cuda_devices)
        } else if !self.built_with_cuda {
            Unavailable::CpuOnly
        } else if !self.has_cuda {
            Unavailable::NotLinked
        } else {
            Unavailable::NoGpu
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_gpu_says_what_was_found() {
        let mut found = Libtorch::default();
        assert_eq!(found.why_no_cuda(0), Some(Unavailable::CpuOnly));
        found.built_with_cuda = true;
        assert_eq!(found.why_no_cuda(0), Some(Unavailable::NotLinked));
        found.has_cuda = true;
        assert_eq!(found.why_no_cuda(0), Some(Unavailable::NoGpu));
        found.cuda_devices = 2;
        assert_eq!(found.why_no_cuda(2), Some(Unavailable::OtherNumber(2)));
        assert_eq!(found.why_no_cuda(1), None);
    }
}
