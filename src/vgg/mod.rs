//! The VGG networks: their layers, their parameters and the forward pass.

mod arch;
mod batch_norm;
mod build;
mod graft;
mod init;
mod model;
mod parameters;
mod select;
mod shape;

pub use arch::{
    Arch, Layer, LayerKind, PUBLISHED_CLASSES, PUBLISHED_HIDDEN, PUBLISHED_WIDTHS, UnknownArch,
};
pub use build::{BuildError, Extent, Kernels, ParameterSource, Placement, build};
pub use graft::{GraftError, Grafted, NewPart};
pub use init::{NoSuchParameter, RandomParameters, Sizes};
pub use model::{Classifier, Feature, Vgg};
pub use parameters::{Named, ParameterVisitor};
pub use select::{SelectError, select};
pub use shape::{InputTooSmall, output_shapes};
