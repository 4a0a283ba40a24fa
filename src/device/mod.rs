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
mod apart;
#[cfg(feature = "libtorch")]
mod autograd;
#[cfg(feature = "libtorch")]
mod bucket_counts;
mod choice;
mod clock;
mod convolution;
mod descend;
#[cfg(feature = "libtorch")]
mod driver;
mod gpu;
#[cfg(feature = "libtorch")]
mod grid;
#[cfg(not(feature = "libtorch"))]
mod grid_absent;
mod guard;
mod histogram;
mod norm;
mod open;
mod pair_sums;
mod precision;
mod read;
#[cfg(feature = "libtorch")]
mod read_back;
mod survey;
mod traffic;
mod upload;

pub(crate) use choice::{DeviceChoice, DeviceError, Devices};
pub(crate) use clock::{Mark, Span};
pub(crate) use convolution::{convolve, planar};
pub(crate) use descend::{Descent, descend};
pub(crate) use gpu::{Gpu, Trial, free_memory, gpu, try_convolution};
#[cfg(feature = "libtorch")]
pub(crate) use grid::{DeviceMaps, Drawn};
#[cfg(not(feature = "libtorch"))]
pub(crate) use grid_absent::{DeviceMaps, Drawn, HostBytes, OnItsWay, ReadBack};
pub(crate) use guard::{advised, first_line, guarded, unforeseen};
pub(crate) use histogram::Histograms;
pub(crate) use norm::norm;
pub(crate) use open::OpenDevice;
pub(crate) use pair_sums::PairSums;
pub(crate) use precision::{Dtype, NO_TF32, Precision, in_float32};
pub(crate) use read::{TensorFloats, all_values, is_channels_last, values};
#[cfg(feature = "libtorch")]
pub(crate) use read_back::{HostBytes, OnItsWay, ReadBack};
pub(crate) use survey::{Libtorch, Survey, survey, why_no_cuda};
pub(crate) use traffic::traffic;
pub(crate) use upload::{is_asynchronous, upload};
