//! Feature maps on their way from the device to the renderer.

use burn::tensor::Tensor;

use crate::device::TensorFloats;
use crate::render::{Floats, Layout};

/// The floats of one layer's maps, in the order that a layout says.
pub(super) struct MapFloats(TensorFloats);

impl MapFloats {
    /// Shapes: `maps` `[1, channels, height, width]`.
    ///
    /// # Errors
    ///
    /// The device does not hand them over; its own words.
    pub(super) fn new(maps: Tensor<4>, layout: Layout) -> Result<Self, String> {
        let ordered = match layout {
            Layout::Planar => maps,
            // The maps already lie like this in memory, so this turns names, not numbers.
            Layout::Interleaved => maps.permute([0, 2, 3, 1]),
        };
        TensorFloats::new(ordered).map(Self)
    }
}

impl Floats for MapFloats {
    fn count(&self) -> usize {
        self.0.count()
    }

    fn read(&self, at: usize, out: &mut [f32]) -> Result<(), String> {
        self.0.read(at, out)
    }

    fn slice(&self) -> Option<&[f32]> {
        self.0.slice()
    }
}
