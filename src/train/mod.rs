//! A network and samples in, a better network out.
//!
//! | module | knows |
//! | --- | --- |
//! | `schedule` | the learning rate of every step |
//! | `optimiser` | which rule moves the parameters |
//! | `network` | how a network is made ready: parameters numbered, layers frozen |
//! | `sgd` | gradient descent with momentum, in place |
//! | `score` | loss, accuracy and top-5 of class scores |
//! | `gradients` | the norm of all gradients, and scaling them |
//! | `trainer` | [`Trainer`]: one optimisation step after the other |
//! | `trouble` | where a loss that is not finite comes from |
//! | `checkpoint` | a trainer saved and restored |
//! | `keep` | which checkpoints stay |
//!
//! What is read, shown and written around the steps is [`pipeline`](crate::pipeline)'s.

mod checkpoint;
mod gradients;
mod keep;
mod network;
mod optimiser;
mod schedule;
mod score;
mod sgd;
mod trainer;
mod trouble;

pub use checkpoint::{Best, CheckpointError, Progress, Saved, newest};
pub use keep::Keeper;
pub use optimiser::Optimiser;
pub use schedule::{Decay, Rates, Schedule};
pub use score::{Score, cross_entropy};
pub use trainer::{Optimisation, Outcome, Samples, Trainer, logits};
pub use trouble::{Place, Symptom, Trouble};

use thiserror::Error;

/// A training that cannot go on.
#[derive(Debug, Error)]
pub enum TrainError {
    /// Class scores need a classifier.
    #[error("the network has no classifier to train")]
    NoClassifier,
    /// A schedule that Burn's schedulers refuse.
    #[error("the learning rate schedule cannot be: {0}")]
    Schedule(String),
    /// Values that are not finite, or a loss that is too high.
    #[error("step {}: {}", .0.step, .0.symptom)]
    Trouble(Trouble),
    /// A checkpoint that cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

impl From<Trouble> for TrainError {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

#[cfg(test)]
mod tests;
