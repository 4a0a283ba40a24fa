//! Image -> resized, cropped image -> the values that the network is fed, as torchvision does it with
//! Pillow's images.

mod crop;
mod crop_box;
mod error;
mod luma;
mod normalize;
mod preprocess;
mod preset;
mod resize;

pub(crate) use crop_box::CropBox;
pub(crate) use error::TransformError;
pub(crate) use normalize::{ChannelOrder, Normalize};
pub(crate) use preprocess::Preprocess;
pub(crate) use preprocess::resized_crop;
pub(crate) use preset::Preset;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;
