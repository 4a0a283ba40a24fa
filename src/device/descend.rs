//! SGD with momentum, in place.
//!
//! Burn's optimizers allocate a new tensor for every operation: for the 138 million parameters of VGG16
//! three times 553 MB a step, whose page faults take five times as long as the arithmetic.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;

#[cfg(feature = "libtorch")]
use burn_tch::{LibTorch, TchTensor};

/// The hyperparameters of a step, as in `torch.optim.SGD`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Descent {
    pub(crate) learning_rate: f64,
    pub(crate) momentum: f64,
    pub(crate) nesterov: bool,
    /// Weight decay, added to the gradient.
    pub(crate) weight_decay: f64,
}

/// One step: the new parameter and the new velocity, all of one shape and without gradients. A first
/// step has a velocity of zeros.
///
/// Source: the algorithm in the documentation of `torch.optim.SGD`, with dampening 0.
pub(crate) fn descend<const D: usize>(
    parameter: Tensor<D>,
    gradient: Tensor<D>,
    velocity: Tensor<D>,
    descent: Descent,
) -> (Tensor<D>, Tensor<D>) {
    let (parameter, velocity) = <Dispatch as Descend>::descend(
        parameter.into_dispatch(),
        gradient.into_dispatch(),
        velocity.into_dispatch(),
        descent,
    );
    (
        Tensor::from_dispatch(parameter),
        Tensor::from_dispatch(velocity),
    )
}

/// The operation, by default from Burn's own; libtorch has it in place.
#[backend_extension(LibTorch: cfg(feature = "libtorch"), Flex)]
pub(crate) trait Descend: Backend {
    fn descend(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        velocity: FloatTensor<Self>,
        descent: Descent,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let times = |tensor, factor: f64| Self::float_mul_scalar(tensor, factor.into());
        let decay = times(parameter.clone(), descent.weight_decay);
        let gradient = Self::float_add(gradient, decay);
        let velocity = Self::float_add(times(velocity, descent.momentum), gradient.clone());
        let direction = if descent.nesterov {
            Self::float_add(gradient, times(velocity.clone(), descent.momentum))
        } else {
            velocity.clone()
        };
        let update = times(direction, descent.learning_rate);
        (Self::float_sub(parameter, update), velocity)
    }
}

impl Descend for Flex {}

#[cfg(feature = "libtorch")]
impl Descend for LibTorch {
    fn descend(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        velocity: FloatTensor<Self>,
        descent: Descent,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let [mut parameter, mut gradient, mut velocity] = [parameter, gradient, velocity].map(own);
        // On CUDA a number in host memory, as the last factor of `addcmul_`, is an argument of the kernel; a
        // number on the device would be an upload that waits for all queued work.
        // Source: `addcmul_cuda_kernel` in `aten/src/ATen/native/cuda/PointwiseOpsKernel.cu`, libtorch 2.7 and newer.
        let device = match parameter.device() {
            tch::Device::Cuda(_) => tch::Device::Cpu,
            other => other,
        };
        let [decay, momentum, back] = [
            descent.weight_decay,
            descent.momentum,
            -descent.learning_rate,
        ]
        .map(|value| {
            tch::Tensor::from(value)
                .to_kind(tch::Kind::Float)
                .to_device(device)
        });
        let _ = gradient.addcmul_(&parameter, &decay);
        let _ = velocity.g_mul_(&momentum);
        let _ = velocity.g_add_(&gradient);
        if descent.nesterov {
            let _ = gradient.addcmul_(&velocity, &momentum);
            let _ = parameter.addcmul_(&gradient, &back);
        } else {
            let _ = parameter.addcmul_(&velocity, &back);
        }
        (TchTensor::new(parameter), TchTensor::new(velocity))
    }
}

/// The tensor if it is not shared, else a copy.
#[cfg(feature = "libtorch")]
fn own(tensor: TchTensor) -> tch::Tensor {
    if tensor.can_mut() {
        tensor.tensor
    } else {
        tensor.tensor.copy()
    }
}
