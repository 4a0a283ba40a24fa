//! VGG's convolution as an extension operation, so that a backend can compute its gradients itself
//! (`autograd.rs` for libtorch) instead of by the operations that Burn derives.

use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::ops::ConvOptions;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;

#[cfg(feature = "libtorch")]
use super::precision::is_tf32_allowed;
#[cfg(feature = "libtorch")]
use burn_tch::{LibTorch, TchTensor};

/// A 3 x 3 convolution of stride 1 and padding 1, differentiable on a device with gradients.
///
/// Shapes: `x` `[batch, in, height, width]`, `kernels` `[out, in, 3, 3]`, `bias` `[out]`; the result
/// `[batch, out, height, width]`, in the numbers of `x`.
pub(crate) fn convolve(x: Tensor<4>, mut kernels: Tensor<4>, bias: Option<Tensor<1>>) -> Tensor<4> {
    // One operation for all: a bias of 0 changes nothing.
    let mut bias = bias.unwrap_or_else(|| Tensor::zeros([kernels.dims()[0]], &x.device()));
    if x.dtype() != kernels.dtype() {
        kernels = kernels.cast(x.dtype());
        bias = bias.cast(x.dtype());
    }
    Tensor::from_dispatch(<Dispatch as Convolution>::convolve(
        x.into_dispatch(),
        kernels.into_dispatch(),
        bias.into_dispatch(),
    ))
}

/// Maps of shape `[batch, channels, height, width]` in this order in memory too, where libtorch's convolutions keep
/// the order of what they get.
pub(crate) fn planar(x: Tensor<4>) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as Planar>::planar(x.into_dispatch()))
}

/// The operation; elsewhere the order makes no difference.
#[backend_extension(LibTorch: cfg(feature = "libtorch"), Flex)]
pub(crate) trait Planar: Backend {
    fn planar(x: FloatTensor<Self>) -> FloatTensor<Self> {
        x
    }
}

impl Planar for Flex {}

#[cfg(feature = "libtorch")]
impl Planar for LibTorch {
    fn planar(x: TchTensor) -> TchTensor {
        TchTensor::new(x.tensor.contiguous())
    }
}

/// The operation, by default Burn's own.
#[backend_extension(LibTorch: cfg(feature = "libtorch"), Flex, Autodiff)]
pub(crate) trait Convolution: Backend {
    fn convolve(
        x: FloatTensor<Self>,
        kernels: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        same_size::<Self>(x, kernels, bias)
    }
}

fn same_size<B: Backend>(
    x: FloatTensor<B>,
    kernels: FloatTensor<B>,
    bias: FloatTensor<B>,
) -> FloatTensor<B> {
    let same_size = ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
    B::conv2d(x, kernels, Some(bias), same_size)
}

impl Convolution for Flex {}
impl<C: CheckpointStrategy> Convolution for Autodiff<Flex, C> {}

/// On CUDA without TF32 unless it is allowed.
#[cfg(feature = "libtorch")]
impl Convolution for LibTorch {
    fn convolve(x: TchTensor, kernels: TchTensor, bias: TchTensor) -> TchTensor {
        if x.tensor.device().is_cuda() && !is_tf32_allowed() {
            TchTensor::new(in_single_precision(
                &x.tensor,
                &kernels.tensor,
                &bias.tensor,
            ))
        } else {
            same_size::<Self>(x, kernels, bias)
        }
    }
}

/// The same convolution by the operation that takes cuDNN's settings one by one.
///
/// Source: `_convolution` in libtorch's `native_functions.yaml`.
#[cfg(feature = "libtorch")]
pub(super) fn in_single_precision(
    x: &tch::Tensor,
    kernels: &tch::Tensor,
    bias: &tch::Tensor,
) -> tch::Tensor {
    let (is_transposed, groups) = (false, 1);
    let (benchmark, deterministic, with_cudnn, with_tf32) = (false, false, true, false);
    x.internal_convolution(
        kernels,
        Some(bias),
        [1, 1],
        [1, 1],
        [1, 1],
        is_transposed,
        [0, 0],
        groups,
        benchmark,
        deterministic,
        with_cudnn,
        with_tf32,
    )
}

#[cfg(all(test, feature = "libtorch"))]
mod tests {
    use super::*;

    #[test]
    fn cudnns_settings_one_by_one_make_the_same_convolution() {
        let random = |shape: &[i64]| tch::Tensor::randn(shape, tch::kind::FLOAT_CPU);
        let (x, kernels, bias) = (random(&[2, 3, 7, 5]), random(&[4, 3, 3, 3]), random(&[4]));
        let expected = x.conv2d(&kernels, Some(&bias), [1, 1], [1, 1], [1, 1], 1);
        let found = in_single_precision(&x, &kernels, &bias);
        assert!(found.allclose(&expected, 1e-5, 1e-5, false));
    }
}
