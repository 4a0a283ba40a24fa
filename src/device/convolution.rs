//! VGG's convolution as an operation of our own, so that a backend may bring better gradients than
//! those that Burn derives.

use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::ops::ConvOptions;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;

#[cfg(feature = "libtorch")]
use super::{onednn, winograd};
#[cfg(feature = "libtorch")]
use burn::backend::{LibTorch, libtorch::TchTensor};

/// A 3 x 3 convolution of stride 1 that keeps the picture's size, with gradients where the device has
/// them.
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

/// The kernels in the order in which the device computes with them, for input of the shape `input`
/// (`[batch, in, height, width]`); input of another shape is computed rightly, but not as fast.
///
/// The result is good for [`convolve`] and nothing else. On a device with no such order it is the
/// kernels as they are.
pub(crate) fn pack(kernels: Tensor<4>, input: [usize; 4]) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as Convolution>::pack(
        kernels.into_dispatch(),
        input,
    ))
}

/// The operation; Burn's own unless a backend has a better one.
#[backend_extension(LibTorch: cfg(feature = "libtorch"), Flex, Autodiff)]
pub(crate) trait Convolution: Backend {
    fn convolve(
        x: FloatTensor<Self>,
        kernels: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        by_burn::<Self>(x, kernels, bias)
    }

    fn pack(kernels: FloatTensor<Self>, input: [usize; 4]) -> FloatTensor<Self> {
        let _ = input;
        kernels
    }
}

/// Burn's own convolution, with a border of 1.
fn by_burn<B: Backend>(
    x: FloatTensor<B>,
    kernels: FloatTensor<B>,
    bias: FloatTensor<B>,
) -> FloatTensor<B> {
    let same_size = ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
    B::conv2d(x, kernels, Some(bias), same_size)
}

impl Convolution for Flex {}
impl<C: CheckpointStrategy> Convolution for Autodiff<Flex, C> {}
#[cfg(feature = "libtorch")]
impl Convolution for LibTorch {
    fn convolve(
        x: FloatTensor<Self>,
        kernels: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let (maps, kernel, shift) = (&x.tensor, &kernels.tensor, &bias.tensor);
        let packed = winograd::convolve(maps, kernel, shift)
            .or_else(|| onednn::convolve(maps, kernel, shift));
        match packed {
            Some(maps) => TchTensor::new(maps),
            None => by_burn::<Self>(x, kernels, bias),
        }
    }

    fn pack(kernels: FloatTensor<Self>, input: [usize; 4]) -> FloatTensor<Self> {
        if let Some(packed) = winograd::pack(&kernels.tensor, input) {
            return TchTensor::new(packed);
        }
        match onednn::pack(&kernels.tensor, input) {
            // Packed kernels have no address to tell storages apart by; that of the plain ones will do.
            Some(packed) => TchTensor {
                tensor: packed,
                storage: kernels.storage,
            },
            None => kernels,
        }
    }
}
