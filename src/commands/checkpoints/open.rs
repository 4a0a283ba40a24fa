//! A checkpoint that is open, and the network that all checkpoints of a run have to be.

use serde::{Deserialize, Serialize};

use crate::commands::context::Context;
use crate::commands::error::RunError;
use crate::commands::parameters;
use crate::commands::remarks::notes;
use crate::data::checkpoints::Checkpoint;
use crate::data::on_error::OnError;
use crate::network::vgg::Variant;
use crate::network::{Architecture, LayerKind, select};
use crate::settings::NetworkSettings;
use crate::weights::WeightsFile;

/// Checkpoints that are opened to find the network that most of them hold.
const OPENED: usize = 64;

/// A checkpoint whose header was read.
pub(super) struct OpenCheckpoint {
    pub(super) file: Checkpoint,
    pub(super) held: Variant,
    pub(super) weights: WeightsFile,
}

impl OpenCheckpoint {
    pub(super) fn open(file: &Checkpoint, settings: &NetworkSettings) -> Result<Self, RunError> {
        let (held, weights) = parameters::open_file(&file.path, settings)?;
        Ok(Self {
            file: file.clone(),
            held,
            weights,
        })
    }
}

/// The network that a run shows: its parameters up to the deepest layer that is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RunNetwork {
    parameters: Vec<ParameterShape>,
}

/// A parameter that a network has, or lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct ParameterShape {
    layer: String,
    /// torchvision's, `features.0.bias`.
    name: String,
    shape: Option<Vec<usize>>,
}

impl RunNetwork {
    /// That of a checkpoint, up to the deepest of the layers that were asked for.
    pub(super) fn of(checkpoint: &OpenCheckpoint, layers: &str) -> Result<Self, RunError> {
        let OpenCheckpoint { held, weights, .. } = checkpoint;
        let mut all = held.layers();
        let selected = select(held, layers)?;
        all.truncate(selected.last().map_or(0, |deepest| deepest.index + 1));
        let parameters = all.iter().flat_map(|layer| {
            let parts: &[&str] = match layer.kind {
                LayerKind::Convolution => &["weight", "bias"],
                LayerKind::BatchNorm => &["weight", "bias", "running_mean", "running_var"],
                LayerKind::Relu | LayerKind::MaxPool => &[],
            };
            parts.iter().map(|part| {
                let name = format!("{}.{part}", layer.torch_name());
                ParameterShape {
                    layer: layer.name().to_owned(),
                    shape: weights.get(&name).map(|entry| entry.shape().to_vec()),
                    name,
                }
            })
        });
        Ok(Self {
            parameters: parameters.collect(),
        })
    }

    /// Checks that a file holds this network, as deep as it is shown.
    pub(super) fn check(&self, weights: &WeightsFile) -> Result<(), RunError> {
        for ParameterShape { layer, name, shape } in &self.parameters {
            let found = weights.get(name).map(|entry| entry.shape());
            if found != shape.as_deref() {
                return Err(RunError::WidthMismatch {
                    path: weights.path().to_owned(),
                    layer: layer.clone(),
                    parameter: name.clone(),
                    expected: shape_text(shape.as_deref()),
                    found: shape_text(found),
                });
            }
        }
        Ok(())
    }
}

fn shape_text(shape: Option<&[usize]>) -> String {
    shape.map_or_else(|| "none".to_owned(), |shape| format!("{shape:?}"))
}

/// The network that a run shows, and the first checkpoint of it.
pub(super) struct ShownNetwork {
    pub(super) held: Variant,
    pub(super) network: RunNetwork,
    /// The place of the first checkpoint that holds it.
    pub(super) first: usize,
}

/// Finds the network that is shown: that of a run which goes on (`known`), or else that of the first checkpoint. Where
/// those that do not fit are skipped, the one that fits most of them, so that one stray file at the beginning does not
/// cost all others.
pub(super) fn shown_network(
    sequence: &[Checkpoint],
    known: Option<RunNetwork>,
    settings: &NetworkSettings,
    on_error: OnError,
    context: &Context,
) -> Result<ShownNetwork, RunError> {
    let (mut opened, mut first_error) = (Vec::new(), None);
    for (place, file) in sequence.iter().enumerate() {
        let checked = OpenCheckpoint::open(file, settings).and_then(|checkpoint| {
            let check = |known: &RunNetwork| known.check(&checkpoint.weights);
            known.as_ref().map_or(Ok(()), check)?;
            Ok(checkpoint)
        });
        match checked {
            Ok(checkpoint) => opened.push((place, checkpoint)),
            Err(error) => drop(first_error.get_or_insert(error)),
        }
        if on_error == OnError::Stop || opened.len() == OPENED {
            break;
        }
    }
    let mut candidates = Vec::new();
    for (place, checkpoint) in &opened {
        match RunNetwork::of(checkpoint, &settings.layers) {
            Ok(network) => {
                let fits = |other: &OpenCheckpoint| {
                    other.held == checkpoint.held && network.check(&other.weights).is_ok()
                };
                let count = opened.iter().filter(|(_, other)| fits(other)).count();
                candidates.push((count, *place, checkpoint, network));
            }
            Err(error) => drop(first_error.get_or_insert(error)),
        }
    }
    // The last of the highest, so the first in the reversed order.
    let shown = candidates
        .into_iter()
        .rev()
        .max_by_key(|(count, ..)| *count);
    let Some((_, first, OpenCheckpoint { held, weights, .. }, network)) = shown else {
        return Err(first_error.unwrap_or(RunError::NoCheckpoint));
    };
    for note in notes(weights, held) {
        context.terminal.note(&note);
    }
    Ok(ShownNetwork {
        held: held.clone(),
        network,
        first,
    })
}
