//! Feature maps as they come from the network.

use std::fmt;

use super::RenderError;
use super::floats::{Floats, Values};

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
    values: Values<'a>,
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
        Self::with(Values::Here(data), channels, height, width, layout)
    }

    /// The same, of values that are read in pieces while they are rendered.
    ///
    /// # Shapes
    ///
    /// As in [`Maps::new`].
    ///
    /// # Errors
    ///
    /// As in [`Maps::new`].
    pub fn of(
        floats: &'a dyn Floats,
        channels: usize,
        height: usize,
        width: usize,
        layout: Layout,
    ) -> Result<Self, RenderError> {
        Self::with(Values::of(floats), channels, height, width, layout)
    }

    fn with(
        values: Values<'a>,
        channels: usize,
        height: usize,
        width: usize,
        layout: Layout,
    ) -> Result<Self, RenderError> {
        check_length(values.count(), &[channels, height, width])?;
        Ok(Self {
            values,
            channels,
            height,
            width,
            layout,
        })
    }

    /// Values side by side in memory: a row of one map, or a row of pixels of all maps.
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
        self.values.in_pieces(rows, self.row(), take)
    }
}

impl fmt::Debug for Maps<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Maps")
            .field("channels", &self.channels)
            .field("height", &self.height)
            .field("width", &self.width)
            .field("layout", &self.layout)
            .finish_non_exhaustive()
    }
}

/// Checks that there are values, as many as `shape` says.
pub(super) fn check_length(found: usize, shape: &[usize]) -> Result<(), RenderError> {
    let size = shape
        .iter()
        .try_fold(1_usize, |size, &n| size.checked_mul(n));
    match size {
        Some(0) | None => Err(RenderError::Shape {
            shape: shape.to_vec(),
        }),
        Some(expected) if expected != found => Err(RenderError::Length {
            shape: shape.to_vec(),
            expected,
            found,
        }),
        Some(_) => Ok(()),
    }
}
