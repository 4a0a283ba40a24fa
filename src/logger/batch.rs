//! The maps of a layer for several images, drawn together where their device draws.

use std::cell::OnceCell;

use burn::tensor::Tensor;

use super::error::LoggerError;
use crate::device::{Drawn, in_float32};

/// The maps of a layer, `[batch, channels, height, width]`.
pub(crate) struct BatchMaps {
    maps: Tensor<4>,
    /// Made when the first image is logged: all are shown alike.
    drawn: OnceCell<Drawn>,
}

impl BatchMaps {
    pub(crate) fn new(maps: Tensor<4>) -> Self {
        Self {
            maps: in_float32(maps),
            drawn: OnceCell::new(),
        }
    }

    /// The maps of the image at a place in the batch, `[1, channels, height, width]`.
    pub(crate) fn of_image(&self, at: usize) -> Tensor<4> {
        let [batch, channels, height, width] = self.maps.dims();
        // A batch of one is not sliced: the view would count as a second owner of the maps.
        if batch == 1 {
            return self.maps.clone();
        }
        let of_image = [at..at + 1, 0..channels, 0..height, 0..width];
        self.maps.clone().slice(of_image)
    }

    /// Those of all images.
    pub(super) fn all(&self) -> &Tensor<4> {
        &self.maps
    }

    /// What the device makes of all images.
    pub(super) fn drawn(
        &self,
        draw: impl FnOnce() -> Result<Drawn, LoggerError>,
    ) -> Result<&Drawn, LoggerError> {
        if let Some(drawn) = self.drawn.get() {
            return Ok(drawn);
        }
        let drawn = draw()?;
        Ok(self.drawn.get_or_init(|| drawn))
    }
}
