//! The VGG networks of torchvision: layers, parameters and the forward pass.
//!
//! [`Arch`] lists the layers of a network under their names, [`build`] makes a [`Vgg`] of the
//! parameters of a [`ParameterSource`], and [`Vgg::forward`] shows every layer's output.
//!
//! Source: Simonyan and Zisserman, <https://arxiv.org/abs/1409.1556>; `torchvision.models.vgg`.

mod arch;
mod batch_norm;
mod build;
mod error;
mod file;
mod init;
mod model;
mod parameters;
mod variant;

pub(crate) use arch::{Arch, Sizes};
pub(crate) use build::{Extent, ParameterSource, build};
pub(crate) use error::NetworkError;
pub(crate) use file::{fitting_classifier, input_side, last_width};
pub(crate) use init::{Grafted, RandomParameters};
pub(crate) use model::{Classifier, Feature, Vgg};
pub(crate) use variant::Variant;

#[cfg(test)]
mod tests;
