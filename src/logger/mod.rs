//! [`FeatureLogger`]: feature maps, kernels, images and numbers of any Burn network into a TensorBoard
//! run, at almost no cost next to the forward pass.
//!
//! ```text
//! your thread                 rendering threads            writing thread
//! forward pass, step ──────> copy, range, grid, PNG ────> event file, steps in order
//! ```
//!
//! While steps are rendered and encoded, the next forward pass runs. As many steps may be on their way to the file as
//! there are cores to render them and memory for their maps, so memory does not grow with the number of steps.
//!
//! Maps on an NVIDIA GPU are rendered there: a step's grids are copied at once and encoded here.
//!
//! A step is written whole or not at all: one that is dropped before [`Step::finish`], or of which an
//! image cannot be rendered, leaves nothing in the file.

mod channels;
mod comparison;
mod describe;
mod error;
mod feature_logger;
mod grid_style;
mod grids;
#[cfg(feature = "train")]
pub mod learner;
mod on_device;
mod piece;
mod queue;
mod ranges;
mod renderer;
mod step;
pub(crate) mod text;
mod tiles;
mod timings;
mod writer;

pub use crate::device::BackendError;
pub use channels::Channels;
pub use comparison::Against;
pub use error::LoggerError;
pub use feature_logger::{Builder, FeatureLogger};
pub(crate) use grid_style::{Framed, RenderOn};
pub(crate) use on_device::BatchMaps;
pub use ranges::{Ranges, RangesError};
pub use step::Step;
pub use timings::{Stage, StageTimings};
pub use writer::Logged;
