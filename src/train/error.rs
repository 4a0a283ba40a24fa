//! What can end a training.

use std::path::PathBuf;

use thiserror::Error;

use super::divergence::Divergence;
use crate::analysis::AnalysisError;
use crate::data::labeled::LoaderError;
use crate::device::BackendError;
use crate::logger::LoggerError;
use crate::network::ForwardError;

#[derive(Debug, Error)]
pub(crate) enum TrainError {
    #[error("the network has no classifier to train")]
    NoClassifier,
    #[error("invalid learning rate schedule: {0}")]
    Schedule(String),
    #[error("{0}")]
    Diverged(Divergence),
    #[error("the network was lost in the middle of an update")]
    NetworkLost,
    #[error("{kept}")]
    Ended {
        kept: String,
        source: Box<TrainError>,
    },
    #[error("{0}")]
    Checkpoint(#[from] CheckpointError),
    #[error("{0}")]
    Loader(#[from] LoaderError),
    #[error("{0}")]
    Forward(#[from] ForwardError),
    #[error("{0}")]
    Analysis(#[from] AnalysisError),
    #[error("{0}")]
    Logger(#[from] LoggerError),
    #[error("{what}: backend error")]
    Backend { what: String, source: BackendError },
}

#[derive(Debug, Error)]
pub(crate) enum CheckpointError {
    #[error("cannot write the checkpoint {path}")]
    Write {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot look for checkpoints in {folder}")]
    Folder {
        folder: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot open {path}")]
    Open {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{path} cannot be read: {why}")]
    Read {
        path: PathBuf,
        why: String,
        network: PathBuf,
    },
    #[error("nothing to resume: {folder} holds no checkpoint (step_000100.safetensors)")]
    Nothing { folder: PathBuf },
}
