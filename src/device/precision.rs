//! In which numbers a network computes.

use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::{FloatDType, Tensor};

/// The numbers of the forward pass. Weights stay float32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Precision {
    /// float32, 24 bits of precision.
    #[default]
    F32,
    /// float32, but an NVIDIA GPU may compute convolutions with TF32: products of 11 bits.
    Tf32,
    /// bfloat16, 8 bits of precision.
    Bf16,
    /// float16, 11 bits of precision, up to 65504.
    F16,
}

impl Precision {
    pub(crate) fn description(self) -> &'static str {
        match self {
            Self::F32 => "float32",
            Self::Tf32 => "float32, convolutions with TF32",
            Self::Bf16 => "bfloat16",
            Self::F16 => "float16",
        }
    }

    pub(crate) fn is_reduced(self) -> bool {
        matches!(self, Self::Bf16 | Self::F16)
    }

    pub(crate) fn cast<const D: usize>(self, values: Tensor<D>) -> Tensor<D> {
        match self {
            Self::F32 | Self::Tf32 => in_float32(values),
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

static TF32: AtomicBool = AtomicBool::new(false);

/// With TF32: products of 11 bits, four times as fast on an H100.
pub(super) fn allow_tf32(allowed: bool) {
    TF32.store(allowed, Ordering::Relaxed);
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
    use clap::ValueEnum;

    #[test]
    fn precisions_are_written_as_they_are_typed() {
        for precision in Precision::value_variants() {
            let written = serde_json::to_value(precision).unwrap();
            let read = Precision::from_str(written.as_str().unwrap(), false);
            assert_eq!(read.as_ref(), Ok(precision));
        }
        for name in ["f64", "F32", "float32", ""] {
            assert!(Precision::from_str(name, false).is_err());
        }
    }

    #[test]
    fn values_are_rounded_to_their_numbers() {
        let value = Tensor::<1>::from_floats([1.003_906_3], &Device::flex());
        for (precision, expected) in [
            (Precision::F32, 1.003_906_3),
            (Precision::Tf32, 1.003_906_3),
            (Precision::Bf16, 1.0),
            (Precision::F16, 1.003_906_3),
        ] {
            let rounded = in_float32(precision.cast(value.clone()));
            assert_eq!(rounded.dtype(), DType::F32);
            assert_eq!(
                rounded.into_scalar::<f32>().to_bits(),
                f32::to_bits(expected)
            );
        }
    }
}
