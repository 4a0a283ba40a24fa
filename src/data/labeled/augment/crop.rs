//! torchvision's `RandomResizedCrop`.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use crate::data::labeled::random::uniform;
use crate::data::transform::{Crop, CropBox};

/// Boxes of the wanted shape that are tried before the one in the middle is taken.
const ATTEMPTS: usize = 10;

/// torchvision's `RandomResizedCrop`: a random part of the image, scaled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct RandomResizedCrop {
    /// The size of the result.
    pub(crate) size: Crop,
    /// The smallest and largest area of the part, as a fraction of the image's.
    pub(crate) scale: (f64, f64),
    /// The smallest and largest aspect ratio of the part, width to height. They are equally likely
    /// by their logarithm.
    pub(crate) ratio: (f64, f64),
}

impl RandomResizedCrop {
    /// Draws the part of an image of this size, both sides at least 1.
    ///
    /// Source: `RandomResizedCrop.get_params` in torchvision 0.24's `transforms/transforms.py`.
    pub(crate) fn draw(&self, width: u32, height: u32, rng: &mut ChaCha8Rng) -> CropBox {
        let area = f64::from(width) * f64::from(height);
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
    fn middle(&self, width: u32, height: u32) -> CropBox {
        let (narrowest, widest) = self.ratio;
        let ratio = f64::from(width) / f64::from(height);
        let (crop_width, crop_height) = if ratio < narrowest {
            (width, rounded(f64::from(width) / narrowest))
        } else if ratio > widest {
            (rounded(f64::from(height) * widest), height)
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

/// The first pixel of a part that may move by `space` pixels. Drawn as 64 bits, so that the images
/// stay those of earlier versions.
fn place(rng: &mut ChaCha8Rng, space: u32) -> u32 {
    let place = rng.random_range(0..=u64::from(space));
    u32::try_from(place).unwrap_or(space)
}

/// Python's `int(round(side))`: half to even.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "what is larger than any image is refused as it is"
)]
fn rounded(side: f64) -> u32 {
    side.round_ties_even() as u32
}
