//! Feature maps on their way from the device to the renderer.

use burn::tensor::Tensor;

use crate::device::{BackendError, TensorFloats, is_channels_last};
use feature_grid::{Floats, Layout, ReadError};

/// The values of one image's maps, in the order in which they lie in memory.
pub(super) struct MapFloats {
    values: TensorFloats,
    pub(super) layout: Layout,
}

impl MapFloats {
    /// Shapes: `maps` `[1, channels, height, width]`.
    pub(super) fn new(maps: Tensor<4>) -> Result<Self, BackendError> {
        let layout = if is_channels_last(&maps) {
            Layout::Interleaved
        } else {
            Layout::Planar
        };
        Self::in_layout(maps, layout)
    }

    /// The same in the order of `layout`, whatever theirs is.
    pub(super) fn in_layout(maps: Tensor<4>, layout: Layout) -> Result<Self, BackendError> {
        let ordered = match layout {
            // Renames the dimensions; no value moves where they lie so.
            Layout::Interleaved => maps.permute([0, 2, 3, 1]),
            Layout::Planar => maps,
        };
        let values = TensorFloats::new(ordered).map_err(|why| BackendError::of(&why))?;
        Ok(Self { values, layout })
    }
}

impl Floats for MapFloats {
    fn count(&self) -> usize {
        self.values.count()
    }

    fn read(&self, at: usize, out: &mut [f32]) -> Result<(), ReadError> {
        Ok(self.values.read(at, out)?)
    }

    fn slice(&self) -> Option<&[f32]> {
        self.values.slice()
    }
}
