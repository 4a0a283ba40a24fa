//! From the command's arguments to what the network is fed.
//!
//! ```text
//! arguments ── list ──> image files ── decode ──> RGB image ── transform ──> f32 [height, width, 3]
//! arguments ── checkpoints ──> checkpoint files, each with its step
//! ```
//!
//! Nothing here knows a tensor: images are `u8` slices and what the network is fed is an `f32`
//! slice, both interleaved, `[height, width, 3]`. Images equal Pillow's, and what is made of
//! them equals torchvision's transforms, within one gray level of 255.

mod ahead;
pub(crate) mod checkpoints;
pub(crate) mod decode;
pub(crate) mod error;
pub(crate) mod find;
pub(crate) mod labeled;
pub(crate) mod list;
pub(crate) mod missing;
pub(crate) mod natural;
pub(crate) mod notes;
pub(crate) mod on_error;
pub(crate) mod prepared;
pub(crate) mod transform;
pub(crate) mod wanted;

#[cfg(test)]
mod tests;
