//! Feature maps as they come from the network.

use super::RenderError;
use super::floats::{Floats, in_pieces};

/// The order of a layer's values in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// `[channels, height, width]`: one map after the other.
    Planar,
    /// `[height, width, channels]`: one pixel of every map, then the next pixel of every map.
    Interleaved,
}

/// All feature maps of one layer for one image, borrowed.
#[derive(Clone, Copy)]
pub struct Maps<'a> {
    values: &'a dyn Floats,
    pub(super) channels: usize,
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) layout: Layout,
}

impl<'a> Maps<'a> {
    /// Views values as feature maps.
    ///
    /// # Shapes
    ///
    /// The shape is `[channels, height, width]`; the values lie in this order or in that of `[height, width,
    /// channels]`, as `layout` says.
    ///
    /// # Errors
    ///
    /// A dimension is 0, or there are not as many values as the shape says.
    pub fn new(
        values: &'a dyn Floats,
        shape: [usize; 3],
        layout: Layout,
    ) -> Result<Self, RenderError> {
        check_length(values.count(), &shape)?;
        let [channels, height, width] = shape;
        Ok(Self {
            values,
            channels,
            height,
            width,
            layout,
        })
    }

    /// Values next to each other in memory: a row of one map, or a row of pixels of all maps.
    pub(super) const fn row(&self) -> usize {
        match self.layout {
            Layout::Planar => self.width,
            Layout::Interleaved => self.width * self.channels,
        }
    }

    /// Goes over the first `count` maps in pieces of whole rows: `take` gets the number of the
    /// piece's first row, counted through all maps where they are planar, and the piece. Other maps
    /// are in it if they are interleaved.
    pub(super) fn in_pieces(
        &self,
        count: usize,
        take: impl FnMut(usize, &[f32]),
    ) -> Result<(), RenderError> {
        let rows = match self.layout {
            Layout::Planar => count * self.height,
            Layout::Interleaved => self.height,
        };
        in_pieces(self.values, rows, self.row(), take)
    }
}

/// Checks that there are values, as many as `shape` says.
pub(super) fn check_length(found: usize, shape: &[usize]) -> Result<(), RenderError> {
    let product = |size: usize, &n: &usize| size.checked_mul(n);
    let shape = shape.to_vec();
    match shape.iter().try_fold(1, product) {
        Some(0) | None => Err(RenderError::Shape { shape }),
        Some(expected) if expected != found => Err(RenderError::Length {
            shape,
            expected,
            found,
        }),
        Some(_) => Ok(()),
    }
}
