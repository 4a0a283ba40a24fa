//! Images through a network, and what its layers make of them into a step: what every command that
//! shows feature maps does.

mod images;
mod loader;
mod maps;
mod overview;

pub(crate) use images::{ObservedNetwork, ProbeActivations, ProbeImages};
pub(crate) use loader::ImageLoader;
pub(crate) use maps::{BatchPictures, describe, describe_pca, kernels_tag, log_kernels};
