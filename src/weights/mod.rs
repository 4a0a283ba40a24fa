//! Weights files: `.pth`/`.pt`, `.safetensors` and `.bpk` in, named `f32` tensors out.
//!
//! [`WeightsFile::open`] recognizes a file by its content, reads its header and finds the network
//! inside whatever wraps it; [`WeightsFile::read`] then reads one tensor at a time, so a 553 MB
//! file costs the memory of the layers that a run needs.
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
//! (0.22.1 and 0.23.0-pre.1) is not used because it refuses a whole checkpoint for one object next
//! to the weights that it does not know: a `defaultdict` or a scheduler (it takes no items for
//! them), an optimizer or a sparse or quantized tensor (they hold tensors), a module in the legacy
//! format, tensors as `PyTorch` pickled them until 0.3. It does not report which callables a pickle
//! names either, and 90 MB of empty lists take 7.7 GB.

mod archive;
mod burnpack;
mod chain;
mod classifier;
mod download;
mod dtype;
mod entry;
mod error;
mod exported;
mod file;
mod foreign;
mod format;
pub(crate) mod imagenet;
mod location;
mod named;
mod pickle;
mod program;
mod reparametrized;
mod safetensors;
mod search;
mod source;
mod tensor;
mod torch;

pub(crate) use chain::BLOCKS;
pub(crate) use classifier::Classifier;
pub use dtype::DType;
pub use entry::Entry;
pub use error::{WeightsError, WeightsErrorKind};
pub use file::WeightsFile;
pub use format::Format;
pub(crate) use program::exported_graph;
pub(crate) use safetensors::safetensors_header;
pub(crate) use source::{Source, crc32c, sha256};
