//! What this build and this machine offer, for `vggscope doctor`.

use burn::tensor::{Device, Distribution, FloatDType, Tensor};

use super::accelerator::library;
use super::choice::DeviceChoice;
use super::error::{BackendError, caught};
use super::library::{Library, Libtorch};
use super::operations::convolve;
use super::precision::allow_tf32;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Survey {
    pub(crate) libtorch: Option<Libtorch>,
    /// The devices that can be used, best first.
    pub(crate) devices: Vec<DeviceChoice>,
}

/// How far a convolution on a GPU is from the CPU's, relative to its norm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Trial {
    pub(crate) float32: f64,
    pub(crate) tf32: f64,
}

pub(crate) fn survey() -> Survey {
    let libtorch = library().map(Library::survey);
    let mut devices = Vec::new();
    if let Some(found) = &libtorch {
        devices.extend((0..found.cuda_devices).map(DeviceChoice::LibtorchCuda));
        devices.extend(found.has_mps.then_some(DeviceChoice::LibtorchMps));
        devices.push(DeviceChoice::LibtorchCpu);
    }
    devices.extend(cfg!(feature = "flex").then_some(DeviceChoice::Flex));
    Survey { libtorch, devices }
}

/// Computes a convolution of VGG16 on a device, and on the CPU in double precision.
pub(crate) fn try_convolution(device: &Device) -> Result<Trial, BackendError> {
    caught(|| {
        let host = host();
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

fn host() -> Device {
    #[cfg(feature = "flex")]
    return Device::flex();
    #[cfg(not(feature = "flex"))]
    Device::libtorch()
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
}
