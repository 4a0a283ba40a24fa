//! In which numbers a network computes.

use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::{FloatDType, Tensor};

/// The numbers of the forward pass. Weights stay float32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Dtype {
    /// float32, 24 bits of precision
    #[default]
    F32,
    /// bfloat16, 8 bits of precision
    Bf16,
    /// float16, 11 bits of precision, up to 65504
    F16,
}

impl Dtype {
    /// PyTorch's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::F32 => "float32",
            Self::Bf16 => "bfloat16",
            Self::F16 => "float16",
        }
    }

    /// The same values in these numbers.
    pub(crate) fn cast<const D: usize>(self, values: Tensor<D>) -> Tensor<D> {
        match self {
            Self::F32 => in_float32(values),
            Self::Bf16 => values.cast(FloatDType::BF16),
            Self::F16 => values.cast(FloatDType::F16),
        }
    }
}

/// The same values as float32, which nothing is done for where they are.
pub(crate) fn in_float32<const D: usize>(values: Tensor<D>) -> Tensor<D> {
    match values.dtype() {
        burn::tensor::DType::F32 => values,
        _ => values.cast(FloatDType::F32),
    }
}

/// Whether cuDNN may use TF32.
static TF32: AtomicBool = AtomicBool::new(false);

/// Lets cuDNN compute convolutions of float32 with TF32: products of 11 bits, four times as fast on an H100.
pub(crate) fn allow_tf32() {
    TF32.store(true, Ordering::Relaxed);
}

#[cfg(feature = "libtorch")]
pub(super) fn is_tf32_allowed() -> bool {
    TF32.load(Ordering::Relaxed)
}

/// What keeps every library of NVIDIA from TF32. libtorch has no other way to say it of the gradients of convolutions,
/// and tch none to say it to libtorch. Source: the documentation of cuBLAS, "Tensor Core Usage".
pub(crate) const NO_TF32: (&str, &str) = ("NVIDIA_TF32_OVERRIDE", "0");

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{DType, Device};

    #[test]
    fn values_are_rounded_to_their_numbers() {
        let value = Tensor::<1>::from_floats([1.003_906_3], &Device::flex());
        for (dtype, expected) in [
            (Dtype::F32, 1.003_906_3),
            (Dtype::Bf16, 1.0),
            (Dtype::F16, 1.003_906_3),
        ] {
            let rounded = in_float32(dtype.cast(value.clone()));
            assert_eq!(rounded.dtype(), DType::F32);
            assert_eq!(
                rounded.into_scalar::<f32>().to_bits(),
                f32::to_bits(expected)
            );
        }
    }
}
