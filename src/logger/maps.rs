//! Feature maps on their way to the renderer.

use std::cell::OnceCell;

use burn::tensor::Tensor;

use super::error::LoggerError;
use crate::device::{BackendError, Drawn, TensorFloats, in_float32, is_channels_last};
use feature_grid::{Floats, Layout, ReadError};

/// The maps of a layer for several images, `[batch, channels, height, width]`, drawn together where their device draws.
pub(crate) struct BatchMaps {
    pub(super) all: Tensor<4>,
    /// Made when the first image is logged: all are shown alike.
    drawn: OnceCell<Drawn<Tensor<2>>>,
}

impl BatchMaps {
    pub(crate) fn new(maps: Tensor<4>) -> Self {
        Self {
            all: in_float32(maps),
            drawn: OnceCell::new(),
        }
    }

    /// The maps of the image at a place in the batch, `[1, channels, height, width]`.
    pub(super) fn of_image(&self, at: usize) -> Tensor<4> {
        // A batch of one is not sliced: the view would count as a second owner of the maps.
        if self.all.dims()[0] == 1 {
            return self.all.clone();
        }
        self.all.clone().narrow(0, at, 1)
    }

    /// What the device makes of all images.
    pub(super) fn drawn(
        &self,
        draw: impl FnOnce(Tensor<4>) -> Result<Drawn<Tensor<2>>, LoggerError>,
    ) -> Result<&Drawn<Tensor<2>>, LoggerError> {
        if let Some(drawn) = self.drawn.get() {
            return Ok(drawn);
        }
        let drawn = draw(self.all.clone())?;
        Ok(self.drawn.get_or_init(|| drawn))
    }
}

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
        let values = TensorFloats::new(ordered)?;
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
