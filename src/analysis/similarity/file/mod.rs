//! `grams.safetensors`: the Gram matrices of a run, beside its event file. Later runs are compared with it without
//! a forward pass.
//!
//! | tensor | type and shape | what |
//! | --- | --- | --- |
//! | `steps` | I64 `[checkpoints]` | the step of each checkpoint |
//! | a layer's tag, `05_conv2_1` | F32 `[checkpoints, values]` | its Gram matrices, minibatch after minibatch, row by row |
//! | `written` | U8 `[checkpoints]` | 1 where a checkpoint has come, 0 where its values are none |
//!
//! All of that is known before the first checkpoint, so the file is whole from its beginning, and each checkpoint
//! goes to its place. The metadata say what the images were.
//!
//! Source: <https://github.com/huggingface/safetensors>.

mod error;
mod header;
mod reader;
mod writer;

pub use error::GramsFileError;
pub use reader::GramsReader;
pub use writer::GramsWriter;

/// The file's name in a run's folder.
pub const GRAMS: &str = "grams.safetensors";

/// What a file has room for, all of it known before the first checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GramsLayout {
    /// The step of each checkpoint, rising.
    pub steps: Vec<i64>,
    /// The layers' tags.
    pub layers: Vec<String>,
    /// How many images each minibatch has.
    pub sizes: Vec<usize>,
    /// What the images were.
    pub about: GramsAbout,
}

/// What a run's Gram matrices are of. Those of two runs can be compared where all but the network is the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GramsAbout {
    /// SHA-256 over the SHA-256 of all images in their order.
    pub images: String,
    /// How images become the network's input.
    pub preprocess: String,
    /// What an image is compared by: `flattened` or `mean-pooled`.
    pub features: String,
    /// The network.
    pub arch: String,
}

#[cfg(test)]
mod tests;
