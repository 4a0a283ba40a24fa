//! From the user's words to what the network is fed.
//!
//! ```text
//! words ── list ──> image files ── decode ──> RGB picture ── transform ──> f32 [height, width, 3]
//! words ── checkpoints ──> checkpoint files, each with its step
//! ```
//!
//! Nothing here knows a tensor: pictures are `u8` slices and what the network is fed is an `f32`
//! slice, both interleaved, `[height, width, 3]`. Pictures equal Pillow's, and what is made of
//! them equals torchvision's transforms, to one grey level of 255.

pub mod checkpoints;
pub mod decode;
pub mod find;
pub mod list;
pub mod load;
mod names;
pub(crate) mod natural;
mod picture;
mod steps;
pub mod transform;

pub use picture::Picture;

#[cfg(test)]
mod tests;
