//! [`FeatureLogger`]: feature maps, kernels, images and numbers of any Burn network into a TensorBoard
//! run, at almost no cost beside the forward pass.
//!
//! ```text
//! your thread                 rendering threads (rayon)        writing thread
//! forward pass, step ──────> copy, range, grid, PNG ──(1)──> event file, steps in order
//! ```
//!
//! While a step is rendered and encoded, the next forward pass runs. One finished step may wait for the
//! writer, so memory does not grow with the number of steps.
//!
//! A step is written whole or not at all: one that is dropped before [`Step::finish`], or of which an
//! image cannot be rendered, leaves nothing in the file.

mod batch;
mod change;
mod channels;
mod describe;
mod error;
mod feature_logger;
mod maps;
mod measure;
mod on_device;
mod ranges;
mod references;
mod renderer;
mod step;
mod timings;
mod writer;

pub(crate) use batch::BatchMaps;
pub use channels::Channels;
pub use error::LoggerError;
pub use feature_logger::{Builder, FeatureLogger};
pub use ranges::Ranges;
pub use references::Against;
pub use renderer::RenderOn;
pub use step::Step;
pub use timings::{Stage, StageTimings};
pub use writer::Logged;
