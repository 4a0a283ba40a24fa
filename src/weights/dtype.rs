//! Element types, and turning stored elements into `f32`.

use std::fmt;
use std::io::{self, Read};

use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};
use half::{bf16, f16};

/// Elements converted at a time: large enough for the system call not to show, small enough to
/// stay in the cache while they are converted.
const PIECE: usize = 256 * 1024;

// Files are little-endian, and their bytes are taken as they are.
const _: () = assert!(cfg!(target_endian = "little"));

/// What tensors are called that have no numbers of each element, or none.
pub(super) const SPARSE: &str = "a sparse tensor";
pub(super) const META: &str = "a meta tensor, which has no values";

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DType {
    F32,
    F16,
    BF16,
    F64,
    /// `int64`, as counters are (`num_batches_tracked`), and places in the constants of exported networks.
    I64,
    I32,
    /// `bool`: masks in the constants of exported networks.
    Bool,
    /// Anything else, under `PyTorch`'s name (`qint8`, `complex64`): listed, never read.
    Other(String),
}

/// The types of graphs, by their numbers there.
const NUMBERED: [&str; 14] = [
    "of an unknown type",
    "uint8",
    "int8",
    "int16",
    "int32",
    "int64",
    "float16",
    "float32",
    "float64",
    "complex32",
    "complex64",
    "complex128",
    "bool",
    "bfloat16",
];

impl DType {
    /// Bytes of one element, if it is a type that can be read.
    pub(super) fn size(&self) -> Option<usize> {
        match self {
            Self::F16 | Self::BF16 => Some(2),
            Self::F32 | Self::I32 => Some(4),
            Self::F64 | Self::I64 => Some(8),
            Self::Bool => Some(1),
            Self::Other(_) => None,
        }
    }

    /// Whether a parameter can be of it.
    pub(crate) fn is_float(&self) -> bool {
        matches!(self, Self::F32 | Self::F16 | Self::BF16 | Self::F64)
    }

    /// The type of a number in a graph that `torch.export` wrote.
    ///
    /// Source: `ScalarType` in `torch/_export/serde/schema.py`.
    pub(crate) fn numbered(number: u32) -> Self {
        let place = usize::try_from(number).unwrap_or(usize::MAX);
        Self::named(NUMBERED.get(place).copied().unwrap_or(NUMBERED[0]))
    }

    /// The type that `PyTorch` (without `torch.`) or another format calls `name`.
    pub(super) fn named(name: &str) -> Self {
        match name {
            "float32" | "float" | "f32" => Self::F32,
            "float16" | "half" | "f16" => Self::F16,
            "bfloat16" | "bf16" => Self::BF16,
            "float64" | "double" | "f64" => Self::F64,
            "int64" | "i64" => Self::I64,
            "int32" | "i32" => Self::I32,
            "bool" => Self::Bool,
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
            Self::I64 => "int64",
            Self::I32 => "int32",
            Self::Bool => "bool",
            Self::Other(name) => name,
        })
    }
}

/// Fills `out` with the next elements of `reader`, of type `dtype`.
///
/// `float64` is rounded to the nearest `f32`, as `Tensor.float()` does: values past its range
/// become infinite.
pub(super) fn decode(reader: &mut dyn Read, dtype: &DType, out: &mut [f32]) -> io::Result<()> {
    match dtype {
        DType::F32 => {
            let mut pieces = out.chunks_mut(PIECE);
            pieces.try_for_each(|piece| reader.read_exact(bytemuck::cast_slice_mut(piece)))
        }
        DType::F16 => decode_as(reader, out, |bits: &[u16], piece| {
            let values = bits.reinterpret_cast::<f16>();
            values.convert_to_f32_slice(piece);
        }),
        DType::BF16 => decode_as(reader, out, |bits: &[u16], piece| {
            let values = bits.reinterpret_cast::<bf16>();
            values.convert_to_f32_slice(piece);
        }),
        #[expect(clippy::cast_possible_truncation, reason = "rounding is the point")]
        DType::F64 => decode_as(reader, out, each(|value: f64| value as f32)),
        DType::I64 => decode_as(reader, out, each(|value: i64| value as f32)),
        DType::I32 => decode_as(reader, out, each(|value: i32| value as f32)),
        DType::Bool => decode_as(reader, out, each(|value: u8| f32::from(value.min(1)))),
        DType::Other(_) => Err(io::ErrorKind::Unsupported.into()),
    }
}

fn each<T: Copy>(of: impl Fn(T) -> f32) -> impl Fn(&[T], &mut [f32]) {
    move |values, out| {
        for (out, value) in out.iter_mut().zip(values) {
            *out = of(*value);
        }
    }
}

fn decode_as<T: bytemuck::Pod>(
    reader: &mut dyn Read,
    out: &mut [f32],
    convert: impl Fn(&[T], &mut [f32]),
) -> io::Result<()> {
    let mut buffer = vec![T::zeroed(); out.len().min(PIECE)];
    for piece in out.chunks_mut(PIECE) {
        let values = &mut buffer[..piece.len()];
        reader.read_exact(bytemuck::cast_slice_mut(values))?;
        convert(values, piece);
    }
    Ok(())
}
