//! Weights files: `.pth`/`.pt`, `.safetensors` and `.bpk` in, named `f32` tensors out.
//!
//! This room stands before the model and knows nothing of it but torchvision's names:
//! [`WeightsFile::open`] recognises a file by its content, reads its header, finds the network
//! inside whatever wraps it, and [`WeightsFile::read`] then reads one tensor at a time, so a
//! 553 MB file costs the memory of the layers that a run needs. [`imagenet`] finds or downloads
//! the files that torchvision publishes.
//!
//! No code of a checkpoint is ever run. Pickles are interpreted by a reader of our own
//! (`pickle`) that knows dictionaries, tensors and names, and nothing that could be called.
//! The `pytorch-reader` crate is not used because it refuses a whole checkpoint for one object
//! beside the weights that it cannot represent (a `defaultdict`, a `deque`, an optimiser, a sparse
//! or complex tensor), reads a pickled module as if it were a state dict, and says nothing of
//! which callables a pickle names; telling those apart needs the whole pickle machine anyway.
//!
//! | module | what it knows |
//! | --- | --- |
//! | `sniff` | which format a file is, from its first bytes |
//! | `pickle` | the pickle stream: values and names, nothing executed |
//! | `torch` | the containers of `torch.save` (zip, legacy, tar) |
//! | `safetensors`, `burnpack` | the two other formats |
//! | `tensor`, `dtype`, `source` | where a tensor's bytes are, and bytes to `f32` |
//! | `names` | wrappers and prefixes: from raw names to torchvision's |
//! | `fit` | which VGG a file holds, and what else it might be |
//! | `file` | [`WeightsFile`], which joins them |
//! | `imagenet`, `download`, `hash` | the published files: caches and the network |

mod burnpack;
mod download;
mod dtype;
mod file;
mod fit;
mod hash;
pub mod imagenet;
mod names;
mod pickle;
mod problem;
mod safetensors;
mod sniff;
mod source;
mod tensor;
mod torch;

pub use dtype::DType;
pub use file::{Entry, WeightsFile};
pub use problem::{Problem, WeightsError};
pub use sniff::Format;
