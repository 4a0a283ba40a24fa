//! The preprocessings that weights come with.

use std::num::NonZeroU32;

use super::normalize::{ChannelOrder, Normalize};
use super::preprocess::Preprocess;

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
            crop: NonZeroU32::new(crop),
            normalize,
        }
    }
}
