//! Folders of labeled images -> shuffled, augmented batches, for training.
//!
//! ```text
//! folder ── open ──> classes, samples ── order ──> batches of samples
//!                                                       │ loader: decode, augment, normalize
//!                                                       v
//!                                     f32 [n, height, width, 3] and n labels
//! ```
//!
//! Nothing here knows a tensor. All that is random is drawn from the seed and the place where it is
//! needed (the epoch, the sample): a run gives the same batches whatever the number of threads, and
//! a run that resumes from a [`Position`] gives the batches that it would have given without the
//! interruption.

pub(crate) mod augment;
mod batch;
mod error;
mod layout;
mod loader;
mod open;
mod order;
mod random;

pub(crate) use augment::{Augment, Recipe};
pub(crate) use batch::Batch;
pub(crate) use error::LoaderError;
pub(crate) use loader::{Loader, Work};
pub(crate) use open::Dataset;
pub(crate) use order::{Batching, Position, Split};

#[cfg(test)]
mod tests;
