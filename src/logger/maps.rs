//! Feature maps on their way from the device to the renderer.

use burn::tensor::Tensor;

use crate::device::{TensorFloats, is_channels_last};
use crate::render::{Floats, Layout};

/// The values of one image's maps, in the order in which they lie in memory.
pub(super) struct MapFloats {
    values: TensorFloats,
    pub(super) layout: Layout,
}

impl MapFloats {
    /// Shapes: `maps` `[1, channels, height, width]`.
    pub(super) fn new(maps: Tensor<4>) -> Result<Self, String> {
        let (ordered, layout) = if is_channels_last(&maps) {
            // Renames the dimensions; no value moves.
            (maps.permute([0, 2, 3, 1]), Layout::Interleaved)
        } else {
            (maps, Layout::Planar)
        };
        let values = TensorFloats::new(ordered)?;
        Ok(Self { values, layout })
    }
}

impl Floats for MapFloats {
    fn count(&self) -> usize {
        self.values.count()
    }

    fn read(&self, at: usize, out: &mut [f32]) -> Result<(), String> {
        self.values.read(at, out)
    }

    fn slice(&self) -> Option<&[f32]> {
        self.values.slice()
    }
}
