//! torchvision's training transforms, of images of Pillow.
//!
//! Each is in two parts: what it does is drawn from random numbers, and then done. What is drawn has
//! torchvision's distribution, what is done gives Pillow's very gray levels (a resize may be one
//! off).

mod color;
mod crop;

pub(crate) use color::{Adjustment, ColorJitter};
pub(crate) use crop::RandomResizedCrop;

use rand::rngs::ChaCha8Rng;

use super::random::{Purpose, numbers, uniform};
use crate::data::error::ImageError;
use crate::data::transform::{CropBox, Preprocess, resized_crop};
use feature_grid::Picture;

/// How images are changed at random before the network trains on them, in this order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Augment {
    pub(crate) crop: RandomResizedCrop,
    /// Probability of mirroring left and right: torchvision's `RandomHorizontalFlip(p)`.
    pub(crate) flip: f64,
    pub(crate) jitter: ColorJitter,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Drawn {
    pub(crate) crop: CropBox,
    pub(crate) flip: bool,
    /// The changes of color, in this order.
    pub(crate) adjustments: Vec<Adjustment>,
}

impl Augment {
    pub(crate) fn draw(&self, width: u32, height: u32, rng: &mut ChaCha8Rng) -> Drawn {
        Drawn {
            crop: self.crop.draw(width, height, rng),
            flip: uniform(rng, 0.0, 1.0) < self.flip,
            adjustments: self.jitter.draw(rng),
        }
    }

    /// Does what was drawn.
    ///
    /// Shapes: `[height, width, 3]` -> `[size, size, 3]`.
    pub(crate) fn apply(&self, picture: &Picture, drawn: &Drawn) -> Result<Picture, ImageError> {
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

fn flip(picture: &mut Picture) {
    let width = picture.width as usize;
    let (pixels, _) = picture.pixels.as_chunks_mut::<3>();
    for row in pixels.chunks_exact_mut(width) {
        row.reverse();
    }
}

/// What is done to the images of a data set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Recipe {
    /// In training. Without it images are prepared as in evaluation.
    pub(crate) augment: Option<Augment>,
    /// In evaluation. Its normalization holds in training too.
    pub(crate) eval: Preprocess,
}

impl Recipe {
    /// The image that the network trains on. How it is augmented depends on the seed, the epoch
    /// and the sample's place in the data set alone.
    ///
    /// Shapes: `[height, width, 3]` -> `[size, size, 3]` of the augmentation, or what
    /// [`Preprocess::picture`] says.
    pub(crate) fn train_picture(
        &self,
        picture: &Picture,
        seed: u64,
        epoch: u64,
        sample: usize,
    ) -> Result<Picture, ImageError> {
        let Some(augment) = &self.augment else {
            return self.eval.picture(picture);
        };
        let mut rng = numbers(Purpose::Augment, seed, epoch, sample);
        let drawn = augment.draw(picture.width, picture.height, &mut rng);
        let augmented = augment.apply(picture, &drawn)?;
        Ok(self.eval.in_its_colors(augmented))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU32;

    use crate::data::transform::Crop;

    impl Augment {
        /// What torchvision trains VGG with: a part of any size and nearly any shape, scaled to `size` x
        /// `size`; half of them flipped; colors as they are.
        ///
        /// Source: `ClassificationPresetTrain` in torchvision's `references/classification/presets.py`.
        pub(crate) fn torchvision(size: NonZeroU32) -> Self {
            Self {
                // 8 to 100 % of the area, 3:4 to 4:3.
                crop: RandomResizedCrop {
                    size: Crop::square(size),
                    scale: (0.08, 1.0),
                    ratio: (3.0 / 4.0, 4.0 / 3.0),
                },
                flip: 0.5,
                jitter: ColorJitter::default(),
            }
        }
    }

    fn augment() -> Augment {
        Augment {
            jitter: ColorJitter {
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
    fn colors_change_within_their_ranges_in_any_order() {
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
}
