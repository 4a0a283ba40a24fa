//! Folders of labeled images -> shuffled, augmented batches, for training.
//!
//! ```text
//! folder ── open ──> classes, samples ── order ──> batches of samples
//!                                                       │ loader: input::decode, augment, normalize
//!                                                       v
//!                                     f32 [n, height, width, 3] and n labels
//! ```
//!
//! Nothing here knows a tensor. All that is random is drawn from the seed and the place where it is
//! needed (the epoch, the sample): a run gives the same batches whatever the number of threads, and
//! a run that resumes from a [`Position`] gives the batches that it would have given without the
//! interruption.

pub(crate) mod augment;
mod folders;
mod layout;
mod loader;
mod open;
mod order;
mod problem;
mod random;
mod split;

pub(crate) use augment::{Augment, Recipe};
pub(crate) use loader::{Batch, Loader, LoaderError, Work};
pub(crate) use open::Dataset;
pub(crate) use order::{Batching, Position};
pub(crate) use problem::DatasetError;
pub(crate) use split::Split;

#[cfg(test)]
mod tests;
