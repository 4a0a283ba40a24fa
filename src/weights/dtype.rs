//! Element types, and turning stored elements into `f32`.

use std::fmt;
use std::io::{self, Read};

use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};
use half::{bf16, f16};

/// Elements converted at a time: large enough for the system call not to show, small enough to
/// stay in the cache while they are converted.
const PIECE: usize = 256 * 1024;

/// The type of a tensor's elements in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DType {
    /// `float32`
    F32,
    /// `float16`
    F16,
    /// `bfloat16`
    BF16,
    /// `float64`
    F64,
    /// Anything else, under `PyTorch`'s name (`int64`, `qint8`, `complex64`): listed, never read.
    Other(String),
}

impl DType {
    /// Bytes of one element, if it is a type that can be read.
    pub(super) fn size(&self) -> Option<usize> {
        match self {
            Self::F16 | Self::BF16 => Some(2),
            Self::F32 => Some(4),
            Self::F64 => Some(8),
            Self::Other(_) => None,
        }
    }

    /// The type that `PyTorch` (without `torch.`) or another format calls `name`.
    pub(super) fn named(name: &str) -> Self {
        match name {
            "float32" | "float" | "f32" => Self::F32,
            "float16" | "half" | "f16" => Self::F16,
            "bfloat16" | "bf16" => Self::BF16,
            "float64" | "double" | "f64" => Self::F64,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "float32",
            Self::F16 => "float16",
            Self::BF16 => "bfloat16",
            Self::F64 => "float64",
            Self::Other(name) => name,
        })
    }
}

/// Fills `out` with the next elements of `reader`, little-endian and of type `dtype`.
///
/// `float64` is rounded to the nearest `f32`, as `Tensor.float()` does: values past its range
/// become infinite.
pub(super) fn decode(reader: &mut dyn Read, dtype: &DType, out: &mut [f32]) -> io::Result<()> {
    match dtype {
        DType::F32 => {
            for piece in out.chunks_mut(PIECE) {
                reader.read_exact(bytemuck::cast_slice_mut(piece))?;
                for value in piece {
                    *value = f32::from_bits(u32::from_le(value.to_bits()));
                }
            }
        }
        DType::F16 => decode_as(reader, out, |bits: &mut [u16], piece| {
            u16s_from_le(bits)
                .reinterpret_cast::<f16>()
                .convert_to_f32_slice(piece);
        })?,
        DType::BF16 => decode_as(reader, out, |bits: &mut [u16], piece| {
            u16s_from_le(bits)
                .reinterpret_cast::<bf16>()
                .convert_to_f32_slice(piece);
        })?,
        DType::F64 => decode_as(reader, out, |bits: &mut [u64], piece| {
            for (value, bits) in piece.iter_mut().zip(bits) {
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "rounding to f32 is the point"
                )]
                let rounded = f64::from_bits(u64::from_le(*bits)) as f32;
                *value = rounded;
            }
        })?,
        DType::Other(_) => return Err(io::ErrorKind::Unsupported.into()),
    }
    Ok(())
}

fn decode_as<T: bytemuck::Pod>(
    reader: &mut dyn Read,
    out: &mut [f32],
    convert: impl Fn(&mut [T], &mut [f32]),
) -> io::Result<()> {
    let mut buffer = vec![T::zeroed(); out.len().min(PIECE)];
    for piece in out.chunks_mut(PIECE) {
        let values = buffer.get_mut(..piece.len()).unwrap_or_default();
        reader.read_exact(bytemuck::cast_slice_mut(values))?;
        convert(values, piece);
    }
    Ok(())
}

fn u16s_from_le(bits: &mut [u16]) -> &[u16] {
    for value in &mut *bits {
        *value = u16::from_le(*value);
    }
    bits
}
