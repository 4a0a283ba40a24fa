//! VGG's convolution as an extension operation, so that a backend can compute its gradients itself
//! (`autograd.rs` for libtorch) instead of by the operations that Burn derives.

use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::ops::ConvOptions;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;

#[cfg(feature = "libtorch")]
use burn_tch::LibTorch;

/// A 3 x 3 convolution of stride 1 and padding 1, differentiable on a device with gradients.
///
/// Shapes: `x` `[batch, in, height, width]`, `kernels` `[out, in, 3, 3]`, `bias` `[out]`; the result
/// `[batch, out, height, width]`.
pub(crate) fn convolve(x: Tensor<4>, kernels: Tensor<4>, bias: Tensor<1>) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as Convolution>::convolve(
        x.into_dispatch(),
        kernels.into_dispatch(),
        bias.into_dispatch(),
    ))
}

/// The operation, by default Burn's own.
#[backend_extension(LibTorch: cfg(feature = "libtorch"), Flex, Autodiff)]
pub(crate) trait Convolution: Backend {
    fn convolve(
        x: FloatTensor<Self>,
        kernels: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let same_size = ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
        Self::conv2d(x, kernels, Some(bias), same_size)
    }
}

impl Convolution for Flex {}
impl<C: CheckpointStrategy> Convolution for Autodiff<Flex, C> {}
#[cfg(feature = "libtorch")]
impl Convolution for LibTorch {}
