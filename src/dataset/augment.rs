//! torchvision's training transforms, of pictures of Pillow.
//!
//! Each is in two parts: what it does is drawn from random numbers, and then done. What is drawn has
//! torchvision's distribution, what is done gives Pillow's very grey levels (a resize may be one
//! off).

mod colour;
mod crop;
mod jitter;

pub use crop::RandomResizedCrop;
pub use jitter::{Adjustment, ColourJitter};

use std::fmt::Display;
use std::num::NonZeroU32;

use rand::rngs::ChaCha8Rng;
use thiserror::Error;

use super::random::{Purpose, numbers, uniform};
use crate::input::Picture;
use crate::input::transform::{CropBox, Preprocess, TransformError, resized_crop};

/// How pictures are changed at random before the network learns from them, in this order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Augment {
    /// Which part of the picture is seen.
    pub crop: RandomResizedCrop,
    /// How often left and right change places: torchvision's `RandomHorizontalFlip(p)`.
    pub flip: f64,
    /// How the colours change.
    pub jitter: ColourJitter,
}

/// What is done to one picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawn {
    /// The part of the picture that is seen.
    pub crop: CropBox,
    /// Whether left and right change places.
    pub flip: bool,
    /// The changes of colour, in this order.
    pub adjustments: Vec<Adjustment>,
}

/// A setting out of its range.
#[derive(Debug, Error, PartialEq)]
#[error("augmentation: {what} is {found}; expected {expected}")]
pub struct AugmentError {
    what: &'static str,
    found: String,
    expected: &'static str,
}

impl Augment {
    /// What torchvision trains VGG with: a part of any size and nearly any shape, scaled to `size` x
    /// `size`; half of them flipped; colours as they are.
    ///
    /// # Source
    /// `ClassificationPresetTrain` in torchvision's `references/classification/presets.py`.
    #[must_use]
    pub fn torchvision(size: NonZeroU32) -> Self {
        Self {
            crop: RandomResizedCrop::torchvision(size),
            flip: 0.5,
            jitter: ColourJitter::default(),
        }
    }

    /// Checks that all settings are in their ranges.
    ///
    /// # Errors
    /// [`AugmentError`], which names the setting, and what torchvision would accept.
    pub fn check(&self) -> Result<(), AugmentError> {
        let ranges = [("scale", self.crop.scale), ("ratio", self.crop.ratio)];
        for (what, (from, to)) in ranges {
            check(
                0.0 < from && from <= to && to.is_finite(),
                what,
                &format!("{from} to {to}"),
                "two numbers above 0, the smaller one first",
            )?;
        }
        check(
            (0.0..=1.0).contains(&self.flip),
            "flip",
            &self.flip,
            "0 to 1, the share of pictures that are flipped",
        )?;
        let ColourJitter {
            brightness,
            contrast,
            saturation,
            hue,
        } = self.jitter;
        for (what, value) in [
            ("brightness", brightness),
            ("contrast", contrast),
            ("saturation", saturation),
        ] {
            let positive = value >= 0.0 && value.is_finite();
            check(positive, what, &value, "0 or more, 0 for no change")?;
        }
        let turn = (0.0..=0.5).contains(&hue);
        check(
            turn,
            "hue",
            &hue,
            "0 to 0.5, half a turn of the colour circle",
        )
    }

    /// Draws what is done to a picture of this size.
    pub fn draw(&self, width: usize, height: usize, rng: &mut ChaCha8Rng) -> Drawn {
        Drawn {
            crop: self.crop.draw(width, height, rng),
            flip: uniform(rng, 0.0, 1.0) < self.flip,
            adjustments: self.jitter.draw(rng),
        }
    }

    /// Does what was drawn.
    ///
    /// # Shapes
    /// `[height, width, 3]` -> `[size, size, 3]`.
    ///
    /// # Errors
    /// [`TransformError`], when the crop would be too large, or was drawn for another size.
    pub fn apply(&self, picture: &Picture, drawn: &Drawn) -> Result<Picture, TransformError> {
        let mut picture = resized_crop(picture, drawn.crop, self.crop.size)?;
        if drawn.flip {
            flip(&mut picture);
        }
        for adjustment in &drawn.adjustments {
            adjustment.apply(&mut picture);
        }
        Ok(picture)
    }
}

fn check(
    holds: bool,
    what: &'static str,
    found: &dyn Display,
    expected: &'static str,
) -> Result<(), AugmentError> {
    if holds {
        return Ok(());
    }
    Err(AugmentError {
        what,
        found: found.to_string(),
        expected,
    })
}

/// Left and right change places.
fn flip(picture: &mut Picture) {
    let width = picture.width();
    let (pixels, _) = picture.pixels_mut().as_chunks_mut::<3>();
    for row in pixels.chunks_exact_mut(width) {
        row.reverse();
    }
}

/// What is done to the pictures of a data set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recipe {
    /// In training. Without it pictures are prepared as in evaluation.
    pub augment: Option<Augment>,
    /// In evaluation. Its normalisation holds in training too.
    pub eval: Preprocess,
}

impl Recipe {
    /// The picture from which the network learns. How it is augmented depends on the seed, the epoch
    /// and the sample's place in the data set alone.
    ///
    /// # Shapes
    /// `[height, width, 3]` -> `[size, size, 3]` of the augmentation, or what
    /// [`Preprocess::picture`] says.
    ///
    /// # Errors
    /// [`TransformError`], when the result would be too large.
    pub fn train_picture(
        &self,
        picture: &Picture,
        seed: u64,
        epoch: u64,
        sample: usize,
    ) -> Result<Picture, TransformError> {
        let Some(augment) = &self.augment else {
            return self.eval.picture(picture);
        };
        let mut rng = numbers(Purpose::Augment, seed, epoch, sample);
        let drawn = augment.draw(picture.width(), picture.height(), &mut rng);
        augment.apply(picture, &drawn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn augment() -> Augment {
        Augment {
            jitter: ColourJitter {
                brightness: 0.4,
                contrast: 2.0,
                saturation: 0.0,
                hue: 0.1,
            },
            ..Augment::torchvision(NonZeroU32::MIN)
        }
    }

    fn draws(augment: &Augment, count: usize) -> Vec<Drawn> {
        (0..count)
            .map(|sample| augment.draw(40, 30, &mut numbers(Purpose::Augment, 1, 0, sample)))
            .collect()
    }

    #[test]
    fn half_are_flipped_none_or_all() {
        let flipped = |flip| {
            let augment = Augment { flip, ..augment() };
            draws(&augment, 4000)
                .iter()
                .filter(|drawn| drawn.flip)
                .count()
        };
        assert_eq!((flipped(0.0), flipped(1.0)), (0, 4000));
        // 4000 times p = 0.5 has a standard deviation of 32.
        assert!(flipped(0.5).abs_diff(2000) < 130, "{}", flipped(0.5));
    }

    #[test]
    fn colours_change_within_their_ranges_in_any_order() {
        let mut orders = std::collections::HashSet::new();
        let mut factors = [(f64::MAX, f64::MIN); 3];
        for drawn in draws(&augment(), 3000) {
            let order: Vec<usize> = drawn
                .adjustments
                .iter()
                .map(|adjustment| {
                    let (at, factor) = match *adjustment {
                        Adjustment::Brightness(factor) => (0, factor),
                        Adjustment::Contrast(factor) => (1, factor),
                        Adjustment::Hue(turn) => (2, turn),
                        Adjustment::Saturation(_) => panic!("it is 0"),
                    };
                    let (low, high) = &mut factors[at];
                    (*low, *high) = (low.min(factor), high.max(factor));
                    at
                })
                .collect();
            assert_eq!(order.len(), 3);
            orders.insert(order);
        }
        assert_eq!(orders.len(), 6);
        for ((low, high), (from, to)) in
            factors
                .into_iter()
                .zip([(0.6, 1.4), (0.0, 3.0), (-0.1, 0.1)])
        {
            let near = (to - from) / 100.0;
            assert!(from <= low && low < from + near, "{low} {from}");
            assert!(to - near < high && high <= to, "{high} {to}");
        }
    }

    #[test]
    fn settings_out_of_range_are_named() {
        assert_eq!(augment().check(), Ok(()));
        let crop = |scale, ratio| Augment {
            crop: RandomResizedCrop {
                scale,
                ratio,
                ..augment().crop
            },
            ..augment()
        };
        let jitter = |brightness, hue| Augment {
            jitter: ColourJitter {
                brightness,
                hue,
                ..ColourJitter::default()
            },
            ..augment()
        };
        let flip = |flip| Augment { flip, ..augment() };
        for (wrong, expected) in [
            (crop((0.0, 1.0), (1.0, 1.0)), "scale is 0 to 1"),
            (crop((0.1, 1.0), (2.0, 1.0)), "ratio is 2 to 1"),
            (crop((0.1, f64::NAN), (1.0, 1.0)), "scale is 0.1 to NaN"),
            (flip(1.5), "flip is 1.5"),
            (jitter(-0.1, 0.0), "brightness is -0.1"),
            (jitter(0.0, 0.6), "hue is 0.6"),
            (jitter(0.0, f64::NAN), "hue is NaN"),
        ] {
            let error = wrong.check().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
