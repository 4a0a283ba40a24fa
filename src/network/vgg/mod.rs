//! The VGG networks of torchvision: layers, parameters and the forward pass.
//!
//! [`Arch`] lists the layers of a network under their names, [`build`] makes a [`Vgg`] of the
//! parameters of a [`ParameterSource`], and [`Vgg::forward`] shows every layer's output. To build
//! one from a file, see [`network::load`](crate::network::load).
//!
//! Source: Simonyan and Zisserman, <https://arxiv.org/abs/1409.1556>; `torchvision.models.vgg`.

mod arch;
mod batch_norm;
mod build;
mod graft;
mod identify;
mod init;
mod model;
mod parameters;
mod select;
mod shape;

pub use arch::{Arch, Layer, LayerKind, UnknownArch};
pub(crate) use arch::{PUBLISHED_HIDDEN, PUBLISHED_WIDTHS};
pub use build::{BuildError, Extent, Kernels, ParameterSource, Placement, SourceError, build};
pub(crate) use graft::{Grafted, NewPart};
pub(crate) use identify::FoundLayers;
pub use init::{RandomParameters, Sizes};
pub use model::{Classifier, Feature, Vgg};
pub(crate) use parameters::{Named, ParameterVisitor};
pub(crate) use select::select_held;
pub use select::{SelectError, select};
pub use shape::{InputTooSmall, output_shapes};
