//! Feature maps as they come from the network.

use std::cell::Cell;

use super::error::RenderError;
use super::floats::Floats;

/// Floats in a piece, 256 KiB: few enough that a piece is still in the second-level cache of one
/// core when it is computed on, and so many that asking for them costs little.
const PIECE: usize = 1 << 16;

thread_local! {
    /// The piece that a thread had last; new memory for every layer would have to be cleared.
    static BUFFER: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

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
        mut take: impl FnMut(usize, &[f32]),
    ) -> Result<(), RenderError> {
        let width = self.row();
        let rows = match self.layout {
            Layout::Planar => count * self.height,
            Layout::Interleaved => self.height,
        };
        if let Some(data) = self.values.slice() {
            take(0, &data[..rows * width]);
            return Ok(());
        }
        let most = (PIECE / width).clamp(1, rows);
        let mut buffer = BUFFER.take();
        buffer.resize(most * width, 0.0);
        for first in (0..rows).step_by(most) {
            let piece = &mut buffer[..most.min(rows - first) * width];
            self.values.read(first * width, piece)?;
            take(first, piece);
        }
        BUFFER.set(buffer);
        Ok(())
    }
}

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
