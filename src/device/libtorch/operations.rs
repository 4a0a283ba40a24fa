//! Operations as libtorch computes them best.

use burn::backend::ops::{ConvOptions, ModuleOps};
use burn_tch::{LibTorch, TchTensor};

use crate::device::operations::{Descent, Operations};
use crate::device::precision::is_tf32_allowed;

impl Operations for LibTorch {
    /// On CUDA without TF32 unless it is allowed.
    fn convolve(
        x: TchTensor,
        kernels: TchTensor,
        bias: TchTensor,
        options: ConvOptions<2>,
    ) -> TchTensor {
        let is_even = options
            .padding
            .iter()
            .all(|(before, behind)| before == behind);
        if x.tensor.device().is_cuda() && !is_tf32_allowed() && is_even {
            let maps = in_single_precision(&x.tensor, &kernels.tensor, &bias.tensor, &options);
            return TchTensor::new(maps);
        }
        Self::conv2d(x, kernels, Some(bias), options)
    }

    /// In one pass.
    fn normalize(
        x: TchTensor,
        weight: TchTensor,
        bias: TchTensor,
        mean: TchTensor,
        variance: TchTensor,
        epsilon: f64,
    ) -> TchTensor {
        let (is_training, momentum, with_cudnn) = (false, 0.0, true);
        TchTensor::new(x.tensor.batch_norm(
            Some(&weight.tensor),
            Some(&bias.tensor),
            Some(&mean.tensor),
            Some(&variance.tensor),
            is_training,
            momentum,
            epsilon,
            with_cudnn,
        ))
    }

    fn planar(x: TchTensor) -> TchTensor {
        TchTensor::new(x.tensor.contiguous())
    }

    /// In one pass.
    fn norm(x: TchTensor) -> TchTensor {
        TchTensor::new(x.tensor.norm().reshape(1))
    }

    /// In place. Burn's optimizers allocate a new tensor for every operation: for the 138 million parameters of
    /// VGG16 three times 553 MB a step, whose page faults take five times as long as the arithmetic.
    fn descend(
        parameter: TchTensor,
        gradient: TchTensor,
        velocity: TchTensor,
        descent: Descent,
    ) -> (TchTensor, TchTensor) {
        let [mut parameter, mut gradient, mut velocity] = [parameter, gradient, velocity].map(own);
        // On CUDA a number in host memory, as the last factor of `addcmul_`, is an argument of the kernel; a
        // number on the device would be an upload that waits for all queued work.
        // Source: `addcmul_cuda_kernel` in `aten/src/ATen/native/cuda/PointwiseOpsKernel.cu`, libtorch 2.7 and newer.
        let device = match parameter.device() {
            tch::Device::Cuda(_) => tch::Device::Cpu,
            other => other,
        };
        let number = |value: f64| {
            let value = tch::Tensor::from(value);
            value.to_kind(tch::Kind::Float).to_device(device)
        };
        let (decay, momentum) = (number(descent.weight_decay), number(descent.momentum));
        let back = number(-descent.learning_rate);
        // Each returns the tensor that it changed.
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

pub(super) fn signed(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// The tensor if it is not shared, else a copy.
fn own(tensor: TchTensor) -> tch::Tensor {
    if tensor.can_mut() {
        tensor.tensor
    } else {
        tensor.tensor.copy()
    }
}

/// The same convolution by the operation that takes cuDNN's settings one by one.
///
/// Source: `_convolution` in libtorch's `native_functions.yaml`.
fn in_single_precision(
    x: &tch::Tensor,
    kernels: &tch::Tensor,
    bias: &tch::Tensor,
    options: &ConvOptions<2>,
) -> tch::Tensor {
    let sizes = |sizes: [usize; 2]| sizes.map(signed);
    let (is_transposed, groups) = (false, signed(options.groups));
    let (benchmark, deterministic, with_cudnn, with_tf32) = (false, false, true, false);
    x.internal_convolution(
        kernels,
        Some(bias),
        sizes(options.stride),
        sizes(options.padding.map(|(before, _)| before)),
        sizes(options.dilation),
        is_transposed,
        [0, 0],
        groups,
        benchmark,
        deterministic,
        with_cudnn,
        with_tf32,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cudnns_settings_one_by_one_make_the_same_convolution() {
        let random = |shape: &[i64]| tch::Tensor::randn(shape, tch::kind::FLOAT_CPU);
        let (x, kernels, bias) = (random(&[2, 3, 7, 5]), random(&[4, 3, 3, 3]), random(&[4]));
        let expected = x.conv2d(&kernels, Some(&bias), [1, 1], [1, 1], [1, 1], 1);
        let same_size = ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
        let found = in_single_precision(&x, &kernels, &bias, &same_size);
        assert!(found.allclose(&expected, 1e-5, 1e-5, false));
    }
}
