//! What can end a training.

use std::path::PathBuf;

use thiserror::Error;

use super::divergence::Divergence;
use crate::analysis::probe::ProbeError;
use crate::data::labeled::LoaderError;
use crate::logger::LoggerError;
use crate::network::ForwardError;

/// A training that cannot continue.
#[derive(Debug, Error)]
pub(crate) enum TrainError {
    #[error("the network has no classifier to train")]
    NoClassifier,
    #[error("invalid learning rate schedule: {0}")]
    Schedule(String),
    #[error("step {}: {}", .0.step, .0.symptom)]
    Diverged(Divergence),
    #[error("{0}")]
    Explained(String),
    #[error("{0}")]
    Checkpoint(#[from] CheckpointError),
    #[error("{0}")]
    Loader(#[from] LoaderError),
    #[error("{0}")]
    Forward(#[from] ForwardError),
    #[error("{0}")]
    Probe(#[from] ProbeError),
    #[error("{0}")]
    Logger(#[from] LoggerError),
    #[error("{what}: backend error: {why}; try a smaller --batch-size or --crop")]
    Backend { what: String, why: String },
}

/// A checkpoint that cannot be written or read.
#[derive(Debug, Error)]
pub(crate) enum CheckpointError {
    #[error(
        "cannot write the checkpoint {path}: free space on that disk, then continue with --resume"
    )]
    Write {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot write the checkpoint {path}: {why}")]
    Format { path: PathBuf, why: String },
    #[error("cannot look for checkpoints in {folder}")]
    Folder {
        folder: PathBuf,
        source: std::io::Error,
    },
    #[error(
        "{path} cannot be read: {why}; delete {network} to resume from the checkpoint before it"
    )]
    Read {
        path: PathBuf,
        why: String,
        network: PathBuf,
    },
    #[error(
        "nothing to resume: {folder} holds no checkpoint (step_000100.safetensors); start without --resume, in another --run"
    )]
    Nothing { folder: PathBuf },
}
