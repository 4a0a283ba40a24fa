//! Checkpoints as they come, and the network that all of a run hold.

use std::sync::Arc;

use super::part::none_given;
use crate::commands::context::Context;
use crate::commands::error::RunError;
use crate::commands::parameters::notes;
use crate::data::checkpoints::Checkpoint;
use crate::data::on_error::OnError;
use crate::network::{Architecture, Model, select};
use crate::settings::CheckpointsSettings;
use crate::state::{Entry, RunNetwork, Stamp, StateError};
use crate::weights::{WeightsError, WeightsFile};

/// Checkpoints that are open at a time: of those that come, and of those in which no network was found twice.
pub(super) const OPENED: usize = 64;

/// A checkpoint that comes, which is open where that showed that it is complete.
pub(super) struct NextCheckpoint {
    pub(super) file: Checkpoint,
    pub(super) opened: Option<Result<OpenCheckpoint, RunError>>,
}

impl From<Checkpoint> for NextCheckpoint {
    fn from(file: Checkpoint) -> Self {
        Self { file, opened: None }
    }
}

/// A checkpoint whose header was read.
pub(super) struct OpenCheckpoint {
    pub(super) weights: WeightsFile,
    stamp: Stamp,
}

impl OpenCheckpoint {
    pub(super) fn open(
        file: &Checkpoint,
        model: &Model,
        key: Option<&str>,
    ) -> Result<Self, RunError> {
        // First, so that a file which is replaced meanwhile is seen to be another one later.
        let stamp = Stamp::of(&file.path);
        let weights = model.weights(&file.path, key)?;
        let stamp = stamp.map_err(|source| StateError::Read {
            path: file.path.clone(),
            source,
        })?;
        Ok(Self { weights, stamp })
    }

    /// Whether the file is still as it was when it was opened.
    pub(super) fn is_current(&self) -> bool {
        Stamp::of(self.weights.path()).is_ok_and(|now| now == self.stamp)
    }

    /// What the state says of `file`, which this is.
    pub(super) fn entry(&self, file: &Checkpoint) -> Result<Entry, WeightsError> {
        Ok(Entry::new(file, self.stamp, self.weights.crc32c()?))
    }
}

/// The network that a run shows.
#[derive(Clone)]
pub(super) struct ShownNetwork {
    pub(super) model: Model,
    pub(super) held: Arc<dyn Architecture>,
    pub(super) network: RunNetwork,
    /// The place of the first checkpoint that holds it.
    pub(super) first: usize,
}

struct Candidate {
    weights: WeightsFile,
    place: usize,
    held: Arc<dyn Architecture>,
    network: RunNetwork,
}

impl Candidate {
    /// Whether another one holds what this one would have a run show.
    fn fits(&self, other: &Self) -> bool {
        let depth = |candidate: &Self| (candidate.held.name(), candidate.held.layers().len());
        depth(self) == depth(other) && self.network.check(&other.weights).is_ok()
    }
}

impl ShownNetwork {
    /// That of a run which goes on (`known`), or else that of the first checkpoint. Where those that do not fit are
    /// skipped, the first that two of them hold, so that a stray file at the beginning does not cost all others.
    pub(super) fn find(
        sequence: &[Checkpoint],
        mut model: Model,
        known: Option<&RunNetwork>,
        settings: &CheckpointsSettings,
        context: &Context,
    ) -> Result<Self, RunError> {
        let (on_error, layers) = (settings.on_error(), &settings.run.network.layers);
        let key = settings.run.network.weights_key.as_deref();
        let (mut opened, mut first_error) = (Vec::<Candidate>::new(), None);
        let mut shown = 0;
        for (place, file) in sequence.iter().enumerate() {
            let candidate = || {
                let weights = model.weights(&file.path, key)?;
                known.map_or(Ok(()), |known| known.check(&weights))?;
                let held = model.architecture(&weights)?;
                Ok::<_, RunError>(Candidate {
                    network: network_of(&weights, &*held, layers)?,
                    weights,
                    place,
                    held,
                })
            };
            match candidate() {
                Ok(candidate) => {
                    let same = opened.iter().position(|one| one.fits(&candidate));
                    opened.push(candidate);
                    if let Some(same) = same {
                        shown = same;
                        break;
                    }
                }
                Err(error) => {
                    first_error.get_or_insert(error);
                }
            }
            if on_error == OnError::Stop || opened.len() == OPENED {
                break;
            }
        }
        if opened.is_empty() {
            return Err(first_error.unwrap_or_else(|| none_given().into()));
        }
        let shown = opened.swap_remove(shown);
        let crop = settings.run.input.preprocess().crop;
        let notes = notes(&shown.weights, &model, crop);
        context.terminal.notes(&notes);
        if let Model::Vgg(asked) = &mut model {
            // The first layers alone may be those of several networks.
            *asked = shown.held.name().parse().ok();
        }
        Ok(Self {
            model,
            held: shown.held,
            network: shown.network,
            first: shown.place,
        })
    }
}

/// The network of a file, up to the deepest of the layers that were asked for.
fn network_of(
    weights: &WeightsFile,
    held: &dyn Architecture,
    layers: &str,
) -> Result<RunNetwork, RunError> {
    let names = held.parameter_names(&select(held, layers)?);
    Ok(RunNetwork::of(weights, names))
}
