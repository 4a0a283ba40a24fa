//! torchvision's `ColorJitter`.

use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;

use super::color;
use crate::data::labeled::random::uniform;
use feature_grid::Picture;

/// torchvision's `ColorJitter`. Factors are drawn from 1 - x (0 at least) to 1 + x, the shift of the hue from
/// -x to x in turns of the hue circle (0.5 at most); 0 leaves a property as it is.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct ColorJitter {
    pub(crate) brightness: f64,
    pub(crate) contrast: f64,
    pub(crate) saturation: f64,
    pub(crate) hue: f64,
}

/// One change of an image's colors.
///
/// Source: `adjust_*` in torchvision 0.24's `transforms/_functional_pil.py`, which call Pillow's
/// `ImageEnhance` and its conversion to HSV and back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Adjustment {
    /// `adjust_brightness`: away from black (or to it) by this factor.
    Brightness(f64),
    /// `adjust_contrast`: away from the image's mean gray level by this factor.
    Contrast(f64),
    /// `adjust_saturation`: away from each pixel's own gray level by this factor.
    Saturation(f64),
    /// `adjust_hue`: around the hue circle by this fraction of a turn.
    Hue(f64),
}

impl ColorJitter {
    pub(crate) fn draw(&self, rng: &mut ChaCha8Rng) -> Vec<Adjustment> {
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
    /// Changes the image.
    pub(crate) fn apply(self, picture: &mut Picture) {
        let (pixels, _) = picture.pixels.as_chunks_mut::<3>();
        match self {
            Self::Brightness(factor) => color::blend(pixels, factor, |_| 0),
            Self::Contrast(factor) => {
                let mean = color::mean_gray(pixels);
                color::blend(pixels, factor, |_| mean);
            }
            Self::Saturation(factor) => color::blend(pixels, factor, color::gray),
            Self::Hue(turn) => color::turn_hue(pixels, turn),
        }
    }
}
