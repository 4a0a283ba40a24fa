//! Devices: choosing and opening one, copying to and from it, and the operations that burn-tch lacks.
//!
//! The only module that names a backend. A device that was asked for and is missing is an error that
//! says what was found; only `auto` chooses. What libtorch does beyond Burn stands behind one trait, `Library`.
#![cfg_attr(
    feature = "libtorch",
    expect(
        deprecated,
        reason = "burn-tch is the backend this tool is made for; Burn 0.22 is pinned because it is the last release with it"
    )
)]

mod accelerator;
mod choice;
mod draw;
mod error;
mod histogram;
mod library;
#[cfg(feature = "libtorch")]
mod libtorch;
mod open;
mod operations;
mod pair_sums;
mod precision;
mod read;
mod read_back;
mod survey;

pub(crate) use accelerator::{Span, draws, gpu, is_asynchronous, mark, upload};
pub(crate) use choice::{DeviceChoice, DeviceError, Devices, Unavailable};
pub(crate) use draw::Drawn;
pub use error::BackendError;
pub(crate) use error::caught;
pub(crate) use histogram::histogram;
pub(crate) use library::{Gpu, Libtorch};
pub(crate) use open::OpenDevice;
pub(crate) use operations::{Descent, batch_norm, convolve, convolve_with, descend, norm, planar};
pub(crate) use pair_sums::PairSums;
pub(crate) use precision::{NO_TF32, Precision, in_float32};
pub(crate) use read::{all_values, floats, floats_of_maps, layout_of, values};
pub(crate) use read_back::{Arriving, ReadBack, traffic};
pub(crate) use survey::{Survey, Trial, survey, try_convolution};

/// One device of each backend of this build.
#[cfg(test)]
pub(crate) fn test_devices() -> Vec<burn::tensor::Device> {
    vec![
        burn::tensor::Device::flex(),
        #[cfg(feature = "libtorch")]
        burn::tensor::Device::libtorch(),
    ]
}
