//! Feature maps as they come from the network.

use super::RenderError;

/// The order of a layer's values in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// `[channels, height, width]`: one map after the other.
    Planar,
    /// `[height, width, channels]`: one pixel of every map, then the next pixel of every map.
    Interleaved,
}

/// All feature maps of one layer for one image, borrowed.
#[derive(Debug, Clone, Copy)]
pub struct Maps<'a> {
    pub(super) data: &'a [f32],
    pub(super) channels: usize,
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) layout: Layout,
}

impl<'a> Maps<'a> {
    /// Views `data` as feature maps.
    ///
    /// # Shapes
    ///
    /// `data` is `[channels, height, width]` or `[height, width, channels]`, as `layout` says.
    ///
    /// # Errors
    ///
    /// A dimension is 0, or `data` has not as many values as the shape says.
    pub fn new(
        data: &'a [f32],
        channels: usize,
        height: usize,
        width: usize,
        layout: Layout,
    ) -> Result<Self, RenderError> {
        check_length(data, &[channels, height, width])?;
        Ok(Self {
            data,
            channels,
            height,
            width,
            layout,
        })
    }
}

/// Sees to it that `data` is not empty and is what `shape` says.
pub(super) fn check_length(data: &[f32], shape: &[usize]) -> Result<(), RenderError> {
    let size = shape
        .iter()
        .try_fold(1_usize, |size, &n| size.checked_mul(n));
    match size {
        Some(0) | None => Err(RenderError::Shape {
            shape: shape.to_vec(),
        }),
        Some(expected) if expected != data.len() => Err(RenderError::Length {
            shape: shape.to_vec(),
            expected,
            found: data.len(),
        }),
        Some(_) => Ok(()),
    }
}
