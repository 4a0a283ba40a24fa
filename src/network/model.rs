//! The kind of networks that a run shows, and how weights files become these.

use std::path::Path;
use std::sync::Arc;

use thiserror::Error;

use super::pt2::{ExportedNetwork, Program, ProgramError};
use super::vgg::{self, Arch, Extent, NetworkError, Variant};
use super::{Architecture, Layer, Network, Placement};
use crate::weights::{WeightsError, WeightsFile};

#[derive(Debug, Error)]
pub(crate) enum ModelError {
    #[error("{0}")]
    Weights(#[from] WeightsError),
    #[error("{0}")]
    Vgg(#[from] NetworkError),
    #[error("{0}")]
    Program(#[from] ProgramError),
}

#[derive(Debug, Clone)]
pub(crate) enum Model {
    /// A VGG, of this architecture if one was asked for.
    Vgg(Option<Arch>),
    Exported(Arc<Program>),
}

impl Model {
    /// The program of a file, or without one a VGG.
    pub(crate) fn open(program: Option<&Path>, arch: Option<Arch>) -> Result<Self, ModelError> {
        Ok(match program {
            Some(path) => Self::Exported(Arc::new(Program::open(path)?)),
            None => Self::Vgg(arch),
        })
    }

    pub(crate) fn input_size(&self) -> Option<[usize; 2]> {
        match self {
            Self::Vgg(_) => None,
            Self::Exported(program) => program.input_size(),
        }
    }

    pub(crate) fn weights(
        &self,
        path: &Path,
        key: Option<&str>,
    ) -> Result<WeightsFile, WeightsError> {
        match self {
            Self::Vgg(_) => WeightsFile::open_under(path, key),
            Self::Exported(program) => program.weights(path, key),
        }
    }

    /// The network that a file holds, as far as it goes.
    pub(crate) fn architecture(
        &self,
        weights: &WeightsFile,
    ) -> Result<Arc<dyn Architecture>, ModelError> {
        Ok(match self {
            Self::Vgg(asked) => Arc::new(Variant::of(weights, *asked)?),
            Self::Exported(program) => Arc::clone(program) as _,
        })
    }

    /// As much of a file's network as these layers need.
    pub(crate) fn build(
        &self,
        weights: &WeightsFile,
        wanted: &[Layer],
        place: Placement<'_>,
    ) -> Result<Box<dyn Network>, ModelError> {
        Ok(match self {
            Self::Vgg(asked) => {
                let deepest = wanted.last().map_or(0, |layer| layer.index);
                let variant = Variant::of(weights, *asked)?;
                let extent = Extent::Features { deepest };
                Box::new(vgg::build(weights, &variant, extent, place)?)
            }
            Self::Exported(program) => {
                Box::new(ExportedNetwork::build(program, weights, wanted, place)?)
            }
        })
    }
}
