//! torchvision's `ColorJitter`.

use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;

use super::super::random::uniform;
use super::colour;
use crate::input::Picture;

/// torchvision's `ColorJitter`: how far colours change. 0 leaves a property as it is.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ColourJitter {
    /// The factor is drawn from 1 - this (0 at least) to 1 + this.
    pub brightness: f64,
    /// The factor is drawn from 1 - this (0 at least) to 1 + this.
    pub contrast: f64,
    /// The factor is drawn from 1 - this (0 at least) to 1 + this.
    pub saturation: f64,
    /// The turn is drawn from minus this to this, in turns of the colour circle; 0.5 at most.
    pub hue: f64,
}

/// One change of a picture's colours.
///
/// # Source
/// `adjust_*` in torchvision 0.24's `transforms/_functional_pil.py`, which call Pillow's
/// `ImageEnhance` and its conversion to HSV and back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Adjustment {
    /// `adjust_brightness`: away from black (or to it) by this factor.
    Brightness(f64),
    /// `adjust_contrast`: away from the picture's mean grey level by this factor.
    Contrast(f64),
    /// `adjust_saturation`: away from each pixel's own grey level by this factor.
    Saturation(f64),
    /// `adjust_hue`: round the colour circle by this part of a turn.
    Hue(f64),
}

impl ColourJitter {
    /// Draws the changes, and their order.
    #[must_use]
    pub fn draw(&self, rng: &mut ChaCha8Rng) -> Vec<Adjustment> {
        let mut factor = |amount: f64| {
            (amount > 0.0).then(|| uniform(rng, (1.0 - amount).max(0.0), 1.0 + amount))
        };
        let factors = [
            factor(self.brightness).map(Adjustment::Brightness),
            factor(self.contrast).map(Adjustment::Contrast),
            factor(self.saturation).map(Adjustment::Saturation),
        ];
        let mut adjustments: Vec<Adjustment> = factors.into_iter().flatten().collect();
        if self.hue > 0.0 {
            adjustments.push(Adjustment::Hue(uniform(rng, -self.hue, self.hue)));
        }
        adjustments.shuffle(rng);
        adjustments
    }
}

impl Adjustment {
    /// Changes the picture.
    pub fn apply(self, picture: &mut Picture) {
        let (pixels, _) = picture.pixels_mut().as_chunks_mut::<3>();
        match self {
            Self::Brightness(factor) => colour::blend(pixels, factor, |_| 0),
            Self::Contrast(factor) => {
                let mean = colour::mean_grey(pixels);
                colour::blend(pixels, factor, |_| mean);
            }
            Self::Saturation(factor) => colour::blend(pixels, factor, colour::grey),
            Self::Hue(turn) => colour::turn_hue(pixels, turn),
        }
    }
}
