//! Image -> resized, cropped image -> the values that the network is fed, as torchvision does it with
//! Pillow's images.

mod normalize;
mod resize;

pub(crate) use normalize::{ChannelOrder, Normalize, luma_of};

use std::fmt;
use std::num::NonZeroU32;

use feature_grid::Picture;

use super::error::{ImageError, check_resized};
use normalize::luma;

/// What is done to an image before the network sees it, in this order; both steps on the image
/// are optional.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Preprocess {
    /// torchvision's `Resize(n)`: the shorter side becomes n pixels, the longer one keeps the
    /// aspect ratio, rounded down. Bilinear, with antialias.
    pub(crate) resize: Option<NonZeroU32>,
    /// torchvision's `CenterCrop(n)`: the middle n x n pixels; an image that is smaller is first
    /// padded with black.
    pub(crate) crop: Option<NonZeroU32>,
    pub(crate) normalize: Normalize,
}

/// `resize 256, crop 224, RGB / 255, mean [0.485, 0.456, 0.406], std [0.229, 0.224, 0.225]`
impl fmt::Display for Preprocess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, side) in [("resize", self.resize), ("crop", self.crop)] {
            let side = side.map_or_else(|| "off".to_owned(), |side| side.to_string());
            write!(f, "{name} {side}, ")?;
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
    /// Shapes: `[height, width, 3]` -> `[crop, crop, 3]`; without a crop the size that [`resize`](Self::resize)
    /// gives, without a resize either the image's own.
    ///
    /// Source: `resize` and `center_crop` in torchvision 0.24's `transforms/functional.py`.
    pub(crate) fn picture(&self, picture: &Picture) -> Result<Picture, ImageError> {
        let resized = self.resize.map(|n| resize::shorter_side_to(picture, n));
        let resized = resized.transpose()?.flatten();
        let resized = resized.as_ref().unwrap_or(picture);
        let cropped = match self.crop {
            Some(n) => center_crop(resized, n)?,
            None => resized.clone(),
        };
        Ok(self.in_its_colors(cropped))
    }
}

/// A part of an image, in pixels; the order of torchvision's `(i, j, h, w)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CropBox {
    /// Rows above it.
    pub(crate) top: u32,
    pub(crate) left: u32,
    /// Its rows, at least 1.
    pub(crate) height: u32,
    /// Its columns, at least 1.
    pub(crate) width: u32,
}

/// One side of a window over an image, in pixels.
#[derive(Debug, PartialEq, Eq)]
struct Side {
    /// Where it begins in the image.
    from: u32,
    /// Where the image begins in it.
    padding: u32,
    length: u32,
}

fn center_crop(picture: &Picture, n: NonZeroU32) -> Result<Picture, ImageError> {
    let n = n.get();
    check_resized(picture, n.into(), n.into())?;
    let (columns, rows) = (centered(picture.width, n), centered(picture.height, n));
    Ok(window(picture, &columns, &rows))
}

/// One side of a centered crop. A longer image is cut at half the difference, rounded half to even as Python
/// does; a shorter one gets the odd pixel of padding after it.
fn centered(length: u32, crop: u32) -> Side {
    let difference = length.saturating_sub(crop);
    let half = difference / 2;
    Side {
        from: half + (difference % 2) * (half % 2),
        padding: crop.saturating_sub(length) / 2,
        length: crop,
    }
}

/// A black image with the part of `picture` that fits.
fn window(picture: &Picture, columns: &Side, rows: &Side) -> Picture {
    let mut pixels = vec![0; columns.length as usize * rows.length as usize * 3];
    let from = picture.pixels.chunks_exact(picture.width as usize * 3);
    let into = pixels.chunks_exact_mut(columns.length as usize * 3);
    for (into, from) in into
        .skip(rows.padding as usize)
        .zip(from.skip(rows.from as usize))
    {
        let from = &from[columns.from as usize * 3..];
        let into = &mut into[columns.padding as usize * 3..];
        let length = from.len().min(into.len());
        into[..length].copy_from_slice(&from[..length]);
    }
    Picture::rgb(columns.length, rows.length, pixels)
}

/// torchvision's `resized_crop`: the box is cut out, and what is in it becomes `size` x `size` pixels.
///
/// Equal to torchvision's result. As there, the resize sees nothing of the image beyond the box.
///
/// Shapes: `[height, width, 3]` -> `[size, size, 3]`.
///
/// Source: `resized_crop` in torchvision 0.24's `transforms/functional.py`.
pub(crate) fn resized_crop(
    picture: &Picture,
    crop: CropBox,
    size: NonZeroU32,
) -> Result<Picture, ImageError> {
    let CropBox {
        top,
        left,
        height,
        width,
    } = crop;
    let fits = |from: u32, length: u32, whole: u32| {
        length > 0 && from.checked_add(length).is_some_and(|end| end <= whole)
    };
    if !fits(left, width, picture.width) || !fits(top, height, picture.height) {
        return Err(ImageError::Outside {
            left,
            top,
            width,
            height,
        });
    }
    let inside = |from, length| Side {
        from,
        padding: 0,
        length,
    };
    let part = window(picture, &inside(left, width), &inside(top, height));
    let n = size.get().into();
    Ok(resize::to_size(&part, n, n)?.unwrap_or(part))
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
            crop: NonZeroU32::new(crop),
            normalize,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;
