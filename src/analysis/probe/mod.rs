//! Images through a network, and what its layers make of them into a step: what every command that
//! shows feature maps does.

mod images;
mod maps;
mod overview;

pub(crate) use images::{ImageLoader, ObservedNetwork, ProbeActivations, ProbeImages};
pub(crate) use maps::{BatchPictures, describe, describe_pca, kernels_tag, log_kernels};
