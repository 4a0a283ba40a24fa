//! torchvision's `RandomResizedCrop`.

use std::num::NonZeroU32;

use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use super::super::random::uniform;
use crate::input::transform::CropBox;

/// Boxes of the wanted shape that are tried before the one in the middle is taken.
const ATTEMPTS: usize = 10;

/// torchvision's `RandomResizedCrop`: a random part of the picture, scaled to a square.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RandomResizedCrop {
    /// The side of the result in pixels.
    pub size: NonZeroU32,
    /// The smallest and largest area of the part, as a share of the picture's.
    pub scale: (f64, f64),
    /// The smallest and largest aspect ratio of the part, width to height. They are equally likely
    /// by their logarithm.
    pub ratio: (f64, f64),
}

impl RandomResizedCrop {
    /// With torchvision's defaults: 8 to 100 % of the area, 3:4 to 4:3.
    #[must_use]
    pub fn torchvision(size: NonZeroU32) -> Self {
        Self {
            size,
            scale: (0.08, 1.0),
            ratio: (3.0 / 4.0, 4.0 / 3.0),
        }
    }

    /// Draws the part of a picture of this size, both sides at least 1.
    ///
    /// # Source
    /// `RandomResizedCrop.get_params` in torchvision 0.24's `transforms/transforms.py`.
    #[must_use]
    pub fn draw(&self, width: usize, height: usize, rng: &mut ChaCha8Rng) -> CropBox {
        let area = pixels(width) * pixels(height);
        for _ in 0..ATTEMPTS {
            let target = area * uniform(rng, self.scale.0, self.scale.1);
            let ratio = uniform(rng, self.ratio.0.ln(), self.ratio.1.ln()).exp();
            let crop_width = rounded((target * ratio).sqrt());
            let crop_height = rounded((target / ratio).sqrt());
            if (1..=width).contains(&crop_width) && (1..=height).contains(&crop_height) {
                return CropBox {
                    top: place(rng, height - crop_height),
                    left: place(rng, width - crop_width),
                    height: crop_height,
                    width: crop_width,
                };
            }
        }
        self.middle(width, height)
    }

    /// The largest part in the middle whose shape is within [`ratio`](Self::ratio).
    fn middle(&self, width: usize, height: usize) -> CropBox {
        let (narrowest, widest) = self.ratio;
        let ratio = pixels(width) / pixels(height);
        let (crop_width, crop_height) = if ratio < narrowest {
            (width, rounded(pixels(width) / narrowest))
        } else if ratio > widest {
            (rounded(pixels(height) * widest), height)
        } else {
            (width, height)
        };
        // Rounded to nothing where one row is cut narrower than a pixel; torchvision fails there.
        let crop_width = crop_width.clamp(1, width.max(1));
        let crop_height = crop_height.clamp(1, height.max(1));
        CropBox {
            top: height.saturating_sub(crop_height) / 2,
            left: width.saturating_sub(crop_width) / 2,
            height: crop_height,
            width: crop_width,
        }
    }
}

/// Where a part begins that may move by `room` pixels. Drawn as 64 bits everywhere.
fn place(rng: &mut ChaCha8Rng, room: usize) -> usize {
    let place = rng.random_range(0..=room as u64);
    usize::try_from(place).unwrap_or(room)
}

#[expect(clippy::cast_precision_loss, reason = "sides of pictures")]
fn pixels(side: usize) -> f64 {
    side as f64
}

/// Python's `int(round(side))`: half to even.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "what is larger than any picture is refused as it is"
)]
fn rounded(side: f64) -> usize {
    side.round_ties_even() as usize
}
