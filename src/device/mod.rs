//! Devices: choosing and opening one, copying to and from it, and the operations that burn-tch lacks.
//!
//! The only module that names a backend. A device that was asked for and is missing is an error that
//! says what was found and how to get it; only `auto` chooses.
#![cfg_attr(
    feature = "libtorch",
    expect(
        deprecated,
        reason = "burn-tch is the backend this tool is made for; Burn 0.22 is pinned because it is the last release with it"
    )
)]

#[cfg(feature = "libtorch")]
mod autograd;
#[cfg(feature = "libtorch")]
mod bucket_counts;
mod choice;
mod convolution;
mod descend;
mod guard;
mod histogram;
mod norm;
mod open;
mod read;
mod survey;
mod upload;

pub(crate) use choice::{DeviceChoice, DeviceError};
pub(crate) use convolution::convolve;
pub(crate) use descend::{Descent, descend};
pub(crate) use guard::{advised, first_line, guarded, unforeseen};
pub(crate) use histogram::Histograms;
pub(crate) use norm::norm;
pub(crate) use open::OpenDevice;
pub(crate) use read::{TensorFloats, is_channels_last};
pub(crate) use survey::{Libtorch, Survey, survey, why_no_cuda};
pub(crate) use upload::{is_asynchronous, upload};
