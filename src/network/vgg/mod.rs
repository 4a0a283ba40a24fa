//! The VGG networks of torchvision: layers, parameters and the forward pass.
//!
//! [`Arch`] lists the layers of a network under their names, [`build`] makes a [`Vgg`] of the
//! parameters of a [`ParameterSource`], and [`Vgg::forward`] shows every layer's output. To build
//! one from a file, see [`load`].
//!
//! Source: Simonyan and Zisserman, <https://arxiv.org/abs/1409.1556>; `torchvision.models.vgg`.

mod arch;
mod batch_norm;
mod build;
mod file;
mod graft;
mod identify;
mod init;
mod model;
mod parameters;
mod variant;

pub(crate) use arch::PUBLISHED_HIDDEN;
pub(crate) use arch::PUBLISHED_WIDTHS;
pub use arch::{Arch, UnknownArch};
pub use build::{BuildError, Extent, Kernels, ParameterSource, Placement, SourceError, build};
pub use file::{NetworkError, load};
pub(crate) use file::{build_from, chosen, fitting_classifier, last_width, notes};
pub(crate) use graft::{Grafted, NewPart};
pub use init::{RandomParameters, Sizes};
pub use model::{Classifier, Feature, Vgg};
pub use variant::Variant;

#[cfg(test)]
mod tests;
