//! The network that a run shows, which every one of its checkpoints has to be.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::weights::{Entry, WeightsFile};

/// A checkpoint whose network has other parameters than the run's, up to the deepest layer that is shown.
#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "{path} holds another network than this run shows: {layer} has {parameter} {found}, expected {expected}"
)]
#[non_exhaustive]
pub(crate) struct WidthMismatch {
    pub(crate) path: PathBuf,
    pub(crate) layer: String,
    pub(crate) parameter: String,
    /// Its shape, or that there is none.
    pub(crate) found: String,
    pub(crate) expected: String,
}

/// The parameters of a network, from its first layer to the deepest one that is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RunNetwork {
    parameters: Vec<ParameterShape>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct ParameterShape {
    layer: String,
    /// PyTorch's name, `features.0.bias`.
    name: String,
    shape: Option<Vec<usize>>,
}

impl RunNetwork {
    /// That of a file: the parameters of a name each, after the name of the layer.
    pub(crate) fn of(weights: &WeightsFile, names: Vec<(String, String)>) -> Self {
        let parameters = names.into_iter().map(|(layer, name)| ParameterShape {
            layer,
            shape: weights.get(&name).map(|entry| entry.shape().to_vec()),
            name,
        });
        Self {
            parameters: parameters.collect(),
        }
    }

    pub(crate) fn check(&self, weights: &WeightsFile) -> Result<(), WidthMismatch> {
        let text =
            |shape: Option<&[usize]>| shape.map_or("none".to_owned(), |shape| format!("{shape:?}"));
        for ParameterShape { layer, name, shape } in &self.parameters {
            let found = weights.get(name).map(Entry::shape);
            if found != shape.as_deref() {
                return Err(WidthMismatch {
                    path: weights.path().to_owned(),
                    layer: layer.clone(),
                    parameter: name.clone(),
                    found: text(found),
                    expected: text(shape.as_deref()),
                });
            }
        }
        Ok(())
    }
}
