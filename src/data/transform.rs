//! Image -> resized, cropped image -> the values that the network is fed, as torchvision does it with
//! Pillow's images.

mod crop;
mod normalize;
mod resize;

pub(crate) use crop::{Crop, CropBox, resized_crop};
pub(crate) use normalize::{ChannelOrder, Normalize, luma_of};

use std::fmt;
use std::num::NonZeroU32;

use feature_grid::Picture;

use super::error::ImageError;
use normalize::luma;

/// What is done to an image before the network sees it, in this order; both steps on the image
/// are optional.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Preprocess {
    /// torchvision's `Resize(n)`: the shorter side becomes n pixels, the longer one keeps the
    /// aspect ratio, rounded down. Bilinear, with antialias. Before a crop that is no square n is what
    /// [`Crop::covered_at`] says.
    pub(crate) resize: Option<NonZeroU32>,
    pub(crate) crop: Option<Crop>,
    pub(crate) normalize: Normalize,
}

/// `resize 256, crop 224, RGB / 255, mean [0.485, 0.456, 0.406], std [0.229, 0.224, 0.225]`
impl fmt::Display for Preprocess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let resize = self.resize.map(|side| side.to_string());
        let crop = self.crop.map(|crop| crop.to_string());
        for (name, pixels) in [("resize", resize), ("crop", crop)] {
            write!(f, "{name} {}, ", pixels.as_deref().unwrap_or("off"))?;
        }
        let Normalize {
            order,
            divisor,
            mean,
            std,
        } = self.normalize;
        let order = match order {
            ChannelOrder::Rgb => "RGB",
            ChannelOrder::Bgr => "BGR",
            ChannelOrder::Gray => {
                return write!(f, "luma / {divisor}, mean {}, std {}", mean[0], std[0]);
            }
        };
        write!(f, "{order} / {divisor}, mean {mean:?}, std {std:?}")
    }
}

impl Preprocess {
    /// Whether the network takes its channels as blue, green, red.
    pub(crate) fn is_bgr(&self) -> bool {
        self.normalize.order == ChannelOrder::Bgr
    }

    /// The same for a network that takes gray images, where `is_gray`.
    pub(crate) fn for_network(mut self, is_gray: bool) -> Self {
        if is_gray {
            self.normalize = self.normalize.gray();
        }
        self
    }

    /// The image in the colors that the network is fed: luma for one that takes gray images.
    pub(crate) fn in_its_colors(&self, picture: Picture) -> Picture {
        match self.normalize.order {
            ChannelOrder::Gray => luma(&picture),
            ChannelOrder::Rgb | ChannelOrder::Bgr => picture,
        }
    }

    /// The image as the network sees it: resized, then cropped, then in its colors.
    ///
    /// Equal to torchvision's result.
    ///
    /// Shapes: `[height, width, 3]` -> `[crop height, crop width, 3]`; without a crop the size that [`resize`](Self::resize)
    /// gives, without a resize either the image's own.
    ///
    /// Source: `resize` and `center_crop` in torchvision 0.24's `transforms/functional.py`.
    pub(crate) fn picture(&self, picture: &Picture) -> Result<Picture, ImageError> {
        let n = match (self.resize, self.crop) {
            (Some(n), Some(crop)) => Some(crop.covered_at(n, picture)),
            (n, _) => n,
        };
        let resized = n.map(|n| resize::shorter_side_to(picture, n));
        let resized = resized.transpose()?.flatten();
        let resized = resized.as_ref().unwrap_or(picture);
        let cropped = match self.crop {
            Some(crop) => crop.center(resized)?,
            None => resized.clone(),
        };
        Ok(self.in_its_colors(cropped))
    }
}

const IMAGENET: Normalize = Normalize {
    order: ChannelOrder::Rgb,
    divisor: 255.0,
    mean: [0.485, 0.456, 0.406],
    std: [0.229, 0.224, 0.225],
};

const CAFFE: Normalize = Normalize {
    order: ChannelOrder::Bgr,
    divisor: 1.0,
    mean: [103.939, 116.779, 123.68],
    std: [1.0, 1.0, 1.0],
};

/// A named [`Preprocess`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Preset {
    /// torchvision's for its `ImageNet` weights: resize 256, crop 224.
    #[default]
    Imagenet,
    /// The same numbers from a larger image: resize 1024, crop 672.
    Article,
    /// For weights ported from Caffe or Keras: resize 256, crop 224, gray levels 0..=255 in the
    /// order blue, green, red, with the means of VGG's training set subtracted.
    Caffe,
}

impl Preset {
    /// What it does.
    ///
    /// Source: torchvision's `VGG16_Weights.IMAGENET1K_V1`; for `caffe` the model card of
    /// `VGG_ILSVRC_16_layers` and `keras.applications.imagenet_utils`.
    pub(crate) fn preprocess(self) -> Preprocess {
        let (resize, crop, normalize) = match self {
            Self::Imagenet => (256, 224, IMAGENET),
            Self::Article => (1024, 672, IMAGENET),
            Self::Caffe => (256, 224, CAFFE),
        };
        Preprocess {
            resize: NonZeroU32::new(resize),
            crop: NonZeroU32::new(crop).map(Crop::square),
            normalize,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;
