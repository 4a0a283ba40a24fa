//! Training: from a network and labeled samples to a better network.

mod batches;
mod checkpoint;
mod divergence;
mod error;
mod gradients;
mod graph;
mod hparams;
mod network;
mod optimizer;
mod record;
mod saved;
mod schedule;
mod score;
mod session;
mod sgd;
mod trainer;
mod validation;

pub(crate) use batches::Reading;
pub(crate) use checkpoint::classes_of;
pub(crate) use divergence::{Divergence, Symptom};
pub(crate) use error::{CheckpointError, TrainError};
pub(crate) use graph::graph;
pub(crate) use optimizer::Optimizer;
pub(crate) use saved::{
    CHECKPOINTS, DAMAGED, SavedCheckpoint, TrainingProgress, is_unfinished, newest_checkpoint,
};
pub(crate) use schedule::Schedule;
pub(crate) use session::{Record, Session};
pub(crate) use trainer::{Trainer, TrainingSettings};

#[cfg(test)]
mod tests;
