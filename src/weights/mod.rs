//! Weights files: `.pth`/`.pt`, `.safetensors` and `.bpk` in, named `f32` tensors out.
//!
//! [`WeightsFile::open`] recognizes a file by its content, reads its header and finds the network
//! inside whatever wraps it; [`WeightsFile::read`] then reads one tensor at a time, so a 553 MB
//! file costs the memory of the layers that a run needs. [`imagenet`] finds or downloads the files
//! that torchvision publishes.
//!
//! ```no_run
//! let file = vggscope::weights::WeightsFile::open("vgg16.pth")?;
//! for tensor in file.entries() {
//!     println!("{} {:?} {}", tensor.name(), tensor.shape(), tensor.dtype());
//! }
//! let kernels: Vec<f32> = file.read("features.0.weight")?;
//! # Ok::<(), vggscope::weights::WeightsError>(())
//! ```
//!
//! No code of a checkpoint is ever run: pickles are interpreted by a reader of our own that knows
//! dictionaries, tensors and names, and nothing that could be called. The `pytorch-reader` crate
//! is not used because it refuses a whole checkpoint for one object next to the weights that it
//! cannot represent (an optimizer, a `defaultdict`, a sparse tensor), and does not report which
//! callables a pickle names.

mod burnpack;
mod classifier;
mod download;
mod dtype;
mod entry;
mod error;
mod file;
mod foreign;
mod guess;
mod hash;
pub mod imagenet;
mod location;
mod names;
mod pickle;
mod reparametrized;
mod safetensors;
mod sniff;
mod source;
mod tensor;
mod torch;
mod view;

pub(crate) use classifier::Classifier;
pub use dtype::DType;
pub use entry::Entry;
pub use error::{WeightsError, WeightsErrorKind};
pub use file::WeightsFile;
pub(crate) use hash::sha256;
pub use sniff::Format;
