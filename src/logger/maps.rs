//! Feature maps on their way to the renderer.

use std::cell::OnceCell;

use burn::tensor::Tensor;

use super::error::LoggerError;
use crate::device::{Drawn, in_float32};

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
