//! What an NVIDIA GPU is, and whether it computes what the CPU computes.

#[cfg(feature = "libtorch")]
use burn::backend::{BackendTensor, DispatchTensorKind};
#[cfg(feature = "libtorch")]
use burn::tensor::Tensor as BurnTensor;
#[cfg(feature = "libtorch")]
use tch::{Kind, TchError, Tensor};

#[cfg(feature = "libtorch")]
use super::{
    convolution::in_single_precision,
    driver::{asked, context},
    guard::{first_line, guarded},
};

/// An NVIDIA GPU.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Gpu {
    pub(crate) name: String,
    /// The compute capability.
    pub(crate) capability: (i32, i32),
    /// All of its memory, and what is free. Units: bytes.
    pub(crate) memory: (usize, usize),
}

/// How far a convolution on a GPU is from the CPU's, relative to its norm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Trial {
    pub(crate) float32: f64,
    pub(crate) tf32: f64,
}

/// What the driver says of a GPU.
#[cfg(feature = "libtorch")]
pub(crate) fn gpu(number: usize) -> Result<Gpu, String> {
    let context = context(number)?;
    asked(|| {
        let (free, all) = context.mem_get_info()?;
        Ok(Gpu {
            name: context.name()?,
            capability: context.compute_capability()?,
            memory: (all, free),
        })
    })
}

/// What is free of the memory of the NVIDIA GPU that a tensor is on; `None` where it is elsewhere. Units: bytes.
#[cfg(feature = "libtorch")]
pub(crate) fn free_memory(maps: &BurnTensor<4>) -> Option<u64> {
    let DispatchTensorKind::LibTorch(BackendTensor::Float(maps)) =
        maps.clone().into_dispatch().kind
    else {
        return None;
    };
    match maps.tensor.device() {
        tch::Device::Cuda(number) => Some(gpu(number).ok()?.memory.1 as u64),
        _ => None,
    }
}

/// Computes a convolution of VGG16 on the GPU of this number and on the CPU.
#[cfg(feature = "libtorch")]
pub(crate) fn try_convolution(number: usize) -> Result<Trial, String> {
    try_on(tch::Device::Cuda(number))
}

#[cfg(feature = "libtorch")]
fn try_on(device: tch::Device) -> Result<Trial, String> {
    let convolve = || -> Result<Trial, TchError> {
        let random = |shape: &[i64]| Tensor::f_randn(shape, (Kind::Float, tch::Device::Cpu));
        let inputs = [
            random(&[1, 128, 56, 56])?,
            random(&[128, 128, 3, 3])?,
            random(&[128])?,
        ];
        let double = |input: &Tensor| input.f_to_kind(Kind::Double);
        let [x, kernels, bias] = &inputs;
        let (one, padding) = ([1, 1], [1, 1]);
        let bias_of_double = Some(double(bias)?);
        let expected =
            double(x)?.f_conv2d(&double(kernels)?, bias_of_double, one, padding, one, 1)?;
        let [x, kernels, bias] = [x, kernels, bias].map(|input| input.f_to_device(device));
        let (x, kernels, bias) = (x?, kernels?, bias?);
        let apart = |found: &Tensor| {
            let found = double(&found.f_to_device(tch::Device::Cpu)?)?;
            let apart = found.f_sub(&expected)?.f_norm()?.f_double_value(&[])?;
            Ok::<_, TchError>(apart / expected.f_norm()?.f_double_value(&[])?)
        };
        Ok(Trial {
            float32: apart(&in_single_precision(&x, &kernels, &bias))?,
            tf32: apart(&x.f_conv2d(&kernels, Some(&bias), one, padding, one, 1)?)?,
        })
    };
    guarded(convolve)?.map_err(|error| first_line(&error.to_string()))
}

#[cfg(not(feature = "libtorch"))]
pub(crate) fn gpu(_: usize) -> Result<Gpu, String> {
    Err("this build has no libtorch".to_owned())
}

#[cfg(not(feature = "libtorch"))]
pub(crate) fn free_memory(_: &burn::tensor::Tensor<4>) -> Option<u64> {
    None
}

#[cfg(not(feature = "libtorch"))]
pub(crate) fn try_convolution(_: usize) -> Result<Trial, String> {
    Err("this build has no libtorch".to_owned())
}

#[cfg(all(test, feature = "libtorch"))]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_is_near_itself() {
        let trial = try_on(tch::Device::Cpu).unwrap();
        assert!(trial.float32 > 0.0 && trial.float32 < 2e-6, "{trial:?}");
        assert!(trial.tf32 < 2e-6, "{trial:?}");
    }

    #[test]
    fn a_gpu_that_is_not_there_is_an_error() {
        assert!(gpu(1_000).is_err());
    }
}
