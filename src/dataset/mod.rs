//! Folders of labelled images -> shuffled, augmented batches, for training.
//!
//! ```text
//! folder ── open ──> classes, samples ── order ──> batches of samples
//!                                                       │ loader: input::decode, augment, normalise
//!                                                       v
//!                                     f32 [n, height, width, 3] and n labels
//! ```
//!
//! Nothing here knows a tensor. All that is random is drawn from the seed and the place where it is
//! needed (the epoch, the sample): a run gives the same batches whatever the number of threads, and
//! a run that goes on from a [`Position`] gives the batches that it would have given without the
//! break.
//!
//! ```no_run
//! use std::num::NonZeroUsize;
//! use std::path::Path;
//! use vggscope::dataset::{
//!     Augment, Dataset, Loader, OnUnreadable, Plan, Position, Recipe, Split, Work,
//! };
//! use vggscope::input::transform::Preset;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let split = Split { fraction: 0.1, seed: 0 };
//! let dataset = Dataset::open(Path::new("pets"), split)?;
//! let eval = Preset::Imagenet.preprocess();
//! let recipe = Recipe { augment: eval.crop.map(Augment::torchvision), eval };
//! let plan = Plan { batch: NonZeroUsize::MIN, drop_last: true, seed: 0, epochs: 90 };
//! let work = Work { threads: NonZeroUsize::MIN, on_unreadable: OnUnreadable::Stop };
//! for batch in Loader::train(&dataset.train, &recipe, plan, Position::default(), work)? {
//!     let batch = batch?;
//!     println!("{:?}: {:?}", batch.at, batch.labels);
//! }
//! # Ok(())
//! # }
//! ```

pub mod augment;
mod loader;
mod open;
mod order;
mod random;
mod split;

pub use augment::{Augment, Recipe};
pub use loader::{Batch, Loader, LoaderError, OnUnreadable, Work};
pub use open::{Dataset, DatasetError, Sample};
pub use order::{Plan, Position};
pub use split::Split;

#[cfg(test)]
mod tests;
