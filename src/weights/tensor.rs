//! One tensor of a file, not read yet.

use std::io;

use super::dtype::DType;
use super::location::{Location, invalid};
use super::view::{elements, extent, gather};

/// Largest tensor that is read, in elements (2 GiB as `f32`; VGG's largest has a fifth of it).
///
/// A view can repeat its storage (stride 0), so the file's size alone bounds nothing.
const MAX_ELEMENTS: usize = 1 << 29;

#[derive(Debug)]
pub(super) struct RawTensor {
    /// Its name in the file: the keys that lead to it, joined with dots.
    pub(super) name: String,
    /// The name in torchvision's convention, where the format has another.
    pub(super) torch_name: Option<String>,
    pub(super) dtype: DType,
    pub(super) shape: Vec<usize>,
    /// Elements between neighbors along each axis; `None` for row-major, without gaps.
    pub(super) stride: Option<Vec<usize>>,
    pub(super) location: Location,
}

impl RawTensor {
    /// The name in which wrappers and prefixes are looked for.
    pub(super) fn spelled(&self) -> &str {
        self.torch_name.as_deref().unwrap_or(&self.name)
    }

    /// Reads the elements as `f32`, row-major.
    pub(super) fn read(&self) -> io::Result<Vec<f32>> {
        let shape = &self.shape;
        let fits = |count: &usize| *count <= MAX_ELEMENTS;
        let count = elements(shape).filter(fits).ok_or_else(|| {
            invalid(format!(
                "its shape {shape:?} has more than {MAX_ELEMENTS} elements"
            ))
        })?;
        let Some(stride) = &self.stride else {
            return self.location.read(&self.dtype, count);
        };
        let window = extent(shape, stride)
            .filter(fits)
            .ok_or_else(|| invalid(format!("its strides {stride:?} reach too far")))?;
        let window = self.location.read(&self.dtype, window)?;
        Ok(gather(&window, shape, stride, count))
    }
}
