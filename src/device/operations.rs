//! Operations that a backend computes itself, in another way than Burn would.

use burn::backend::ops::{ConvOptions, FloatTensorOps};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, TensorMetadata, backend_extension};
use burn::tensor::{DType, FloatDType, Tensor};

/// A 3 x 3 convolution of stride 1 and padding 1, differentiable on a device with gradients.
///
/// Shapes: `x` `[batch, in, height, width]`, `kernels` `[out, in, 3, 3]`, `bias` `[out]`; the result
/// `[batch, out, height, width]`, in the numbers of `x`.
pub(crate) fn convolve(x: Tensor<4>, kernels: Tensor<4>, bias: Option<Tensor<1>>) -> Tensor<4> {
    // One operation for all: a bias of 0 changes nothing.
    let bias = bias.unwrap_or_else(|| Tensor::zeros([kernels.dims()[0]], &x.device()));
    let (kernels, bias) = (kernels.cast(x.dtype()), bias.cast(x.dtype()));
    let same_size = ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
    Tensor::from_dispatch(<Dispatch as Operations>::convolve(
        x.into_dispatch(),
        kernels.into_dispatch(),
        bias.into_dispatch(),
        same_size,
    ))
}

/// A convolution of maps of the backend, `[batch, in, height, width]`, all in the same numbers.
pub(crate) fn convolve_with(
    x: FloatTensor<Dispatch>,
    kernels: FloatTensor<Dispatch>,
    bias: Option<FloatTensor<Dispatch>>,
    options: ConvOptions<2>,
) -> FloatTensor<Dispatch> {
    let bias = bias.unwrap_or_else(|| {
        let zeros =
            Dispatch::float_zeros([kernels.shape()[0]].into(), &x.device(), FloatDType::F32);
        match x.dtype() {
            DType::F16 => Dispatch::float_cast(zeros, FloatDType::F16),
            DType::BF16 => Dispatch::float_cast(zeros, FloatDType::BF16),
            _ => zeros,
        }
    });
    <Dispatch as Operations>::convolve(x, kernels, bias, options)
}

/// Batch normalization of maps of the backend, `[batch, channels, …]`, with statistics that are given: `[channels]` each.
pub(crate) fn batch_norm(
    x: FloatTensor<Dispatch>,
    weight: FloatTensor<Dispatch>,
    bias: FloatTensor<Dispatch>,
    mean: FloatTensor<Dispatch>,
    variance: FloatTensor<Dispatch>,
    epsilon: f64,
) -> FloatTensor<Dispatch> {
    <Dispatch as Operations>::normalize(x, weight, bias, mean, variance, epsilon)
}

/// In this order in memory too, where libtorch's convolutions keep the order of what they get.
pub(crate) fn planar(x: Tensor<4>) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as Operations>::planar(x.into_dispatch()))
}

/// The Euclidean norm of all values, shape `[1]`; on a device without gradients.
pub(crate) fn norm<const D: usize>(x: Tensor<D>) -> Tensor<1> {
    Tensor::from_dispatch(<Dispatch as Operations>::norm(x.into_dispatch()))
}

/// The hyperparameters of a step, as in `torch.optim.SGD`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Descent {
    pub(crate) learning_rate: f64,
    pub(crate) momentum: f64,
    pub(crate) nesterov: bool,
    /// Weight decay, added to the gradient.
    pub(crate) weight_decay: f64,
}

/// One step of SGD with momentum: the new parameter and the new velocity, all of one shape and without gradients. A
/// first step has a velocity of zeros.
///
/// Source: the algorithm in the documentation of `torch.optim.SGD`, with dampening 0.
pub(crate) fn descend<const D: usize>(
    parameter: Tensor<D>,
    gradient: Tensor<D>,
    velocity: Tensor<D>,
    descent: Descent,
) -> (Tensor<D>, Tensor<D>) {
    let (parameter, velocity) = <Dispatch as Operations>::descend(
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

#[backend_extension(LibTorch: cfg(feature = "libtorch"), Flex: cfg(feature = "flex"), Autodiff)]
pub(crate) trait Operations: Backend {
    fn convolve(
        x: FloatTensor<Self>,
        kernels: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        options: ConvOptions<2>,
    ) -> FloatTensor<Self> {
        Self::conv2d(x, kernels, Some(bias), options)
    }

    fn normalize(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self> {
        Self::batch_norm(x, weight, bias, mean, variance, epsilon)
    }

    /// Where the order makes no difference, nothing.
    fn planar(x: FloatTensor<Self>) -> FloatTensor<Self> {
        x
    }

    /// All squares are written before they are summed.
    fn norm(x: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::float_sqrt(Self::float_sum(Self::float_mul(x.clone(), x)))
    }

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

#[cfg(feature = "flex")]
mod flex {
    use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
    use burn::backend::{Autodiff, Flex};

    use super::Operations;

    impl Operations for Flex {}
    impl<C: CheckpointStrategy> Operations for Autodiff<Flex, C> {}
}
