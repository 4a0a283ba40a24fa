//! Training: from a network and labeled samples to a better network.
//!
//! | module | does |
//! | --- | --- |
//! | `schedule` | the learning rate of every step |
//! | `optimizer` | the update rule |
//! | `network` | prepares a network: parameter ids, frozen layers |
//! | `sgd` | SGD with momentum, in place |
//! | `score` | loss, accuracy and top-5 of logits |
//! | `gradients` | the norm of all gradients, and scaling them |
//! | `noise` | how much the gradients of batches differ |
//! | `trainer` | [`Trainer`]: one optimization step after the other |
//! | `divergence` | where values that are not finite originate |
//! | `checkpoint` | saves and restores a trainer |
//! | `saved` | checkpoints on the disk: found, checked, deleted |
//! | `batches` | batches of a data set, grouped into steps |
//! | `validation` | scores on the validation samples, and which classes are confused |
//! | `record`, `hparams`, `graph` | what TensorBoard gets besides feature maps |
//! | `session` | [`Session`]: one training from its first step to its last |

mod batches;
mod checkpoint;
mod divergence;
mod error;
mod gradients;
mod graph;
mod hparams;
mod network;
mod noise;
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
pub(crate) use divergence::Symptom;
pub(crate) use error::{CheckpointError, TrainError};
pub(crate) use graph::graph;
pub(crate) use hparams::changes;
pub(crate) use optimizer::Optimizer;
pub(crate) use saved::{
    CHECKPOINTS, DAMAGED, SavedCheckpoint, TrainingProgress, is_unfinished, newest_checkpoint,
};
pub(crate) use schedule::Schedule;
pub(crate) use session::{Record, Session};
pub(crate) use trainer::{Trainer, TrainingSettings};

#[cfg(test)]
mod tests;
