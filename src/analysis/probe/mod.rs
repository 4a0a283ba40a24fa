//! Images through a network, and what its layers make of them into a step: what every command that
//! shows feature maps does.

mod capture;
mod error;
mod images;

pub(crate) use capture::Capture;
pub(crate) use error::ProbeError;
pub(crate) use images::{ProbeImages, Seen};
