//! What this build and this machine offer, for `vggscope doctor`.

use burn::tensor::{Device, Distribution, FloatDType, Tensor};

use super::accelerator::library;
use super::choice::{DeviceChoice, Unavailable};
use super::error::{BackendError, caught};
use super::operations::convolve;
use super::precision::allow_tf32;

/// What this build and this machine offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Survey {
    pub(crate) libtorch: Option<Libtorch>,
    /// The devices that can be used, best first.
    pub(crate) devices: Vec<DeviceChoice>,
}

/// The libtorch this program was linked with, and what it reports at run time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Libtorch {
    /// The folder it was loaded from where the system reports it, else the one it was linked from.
    pub(crate) dir: String,
    pub(crate) version: &'static str,
    pub(crate) built_with_cuda: bool,
    /// Whether its CUDA part is loaded.
    pub(crate) has_cuda: bool,
    /// NVIDIA GPUs that it can use.
    pub(crate) cuda_devices: usize,
    /// Whether it can use cuDNN.
    pub(crate) has_cudnn: bool,
    /// Whether it can use Apple's GPU.
    pub(crate) has_mps: bool,
    pub(crate) threads: i32,
}

/// An NVIDIA GPU, as its driver describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gpu {
    pub(crate) name: String,
    /// The compute capability: major and minor.
    pub(crate) capability: [i32; 2],
    /// Units: bytes.
    pub(crate) memory: usize,
    /// Units: bytes.
    pub(crate) free_memory: usize,
}

/// How far a convolution on a GPU is from the CPU's, relative to its norm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Trial {
    pub(crate) float32: f64,
    pub(crate) tf32: f64,
}

/// Finds the available devices without opening one.
pub(crate) fn survey() -> Survey {
    let libtorch = library().map(|library| library.survey());
    let mut devices = Vec::new();
    if let Some(found) = &libtorch {
        devices.extend((0..found.cuda_devices).map(DeviceChoice::LibtorchCuda));
        devices.extend(found.has_mps.then_some(DeviceChoice::LibtorchMps));
        devices.push(DeviceChoice::LibtorchCpu);
    }
    devices.push(DeviceChoice::Flex);
    Survey { libtorch, devices }
}

impl Libtorch {
    /// Why it has not the CUDA device of this number; `None` where it has.
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

/// Computes a convolution of VGG16 on a device, and on the CPU in double precision.
pub(crate) fn try_convolution(device: &Device) -> Result<Trial, BackendError> {
    caught(|| {
        let host = Device::flex();
        let normal = Distribution::Normal(0.0, 1.0);
        let x = Tensor::<4>::random([1, 128, 56, 56], normal, &host);
        let kernels = Tensor::<4>::random([128, 128, 3, 3], normal, &host);
        let double = |values: &Tensor<4>| values.clone().cast(FloatDType::F64);
        let expected = convolve(double(&x), double(&kernels), None);
        let [x, kernels] = [x, kernels].map(|input| Tensor::from_data(input.into_data(), device));
        let norm = |values: Tensor<4>| (values.clone() * values).sum().into_scalar::<f64>().sqrt();
        let error = |tf32: bool| {
            allow_tf32(tf32);
            let found = convolve(x.clone(), kernels.clone(), None).into_data();
            let found = double(&Tensor::from_data(found, &host));
            norm(found - expected.clone()) / norm(expected.clone())
        };
        let [float32, tf32] = [false, true].map(error);
        Trial { float32, tf32 }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::test_devices;

    #[test]
    fn the_cpu_is_near_itself() {
        for device in test_devices() {
            let trial = try_convolution(&device).unwrap();
            assert!(trial.float32 > 0.0 && trial.float32 < 2e-6, "{trial:?}");
            assert!(trial.tf32 < 2e-6, "{trial:?}");
        }
    }

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
