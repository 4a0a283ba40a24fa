//! The Euclidean norm of a tensor, in one pass where the backend has it.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;

#[cfg(feature = "libtorch")]
use burn_tch::{LibTorch, TchTensor};

/// The Euclidean norm of all values, shape `[1]`. `x` must be on a device without gradients, as
/// gradients themselves are.
pub(crate) fn norm<const D: usize>(x: Tensor<D>) -> Tensor<1> {
    Tensor::from_dispatch(<Dispatch as Norm>::norm(x.into_dispatch()))
}

/// The operation, by default from Burn's own, which write all squares before they are summed.
#[backend_extension(LibTorch: cfg(feature = "libtorch"), Flex)]
pub(crate) trait Norm: Backend {
    fn norm(x: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::float_sqrt(Self::float_sum(Self::float_mul(x.clone(), x)))
    }
}

impl Norm for Flex {}

#[cfg(feature = "libtorch")]
impl Norm for LibTorch {
    fn norm(x: FloatTensor<Self>) -> FloatTensor<Self> {
        TchTensor::new(x.tensor.norm().reshape(1))
    }
}
