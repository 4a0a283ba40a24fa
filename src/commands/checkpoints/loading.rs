//! How checkpoints become networks.

use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use super::follow::Found;
use super::manifest::Entry;
use super::open::RunNetwork;
use crate::commands::error::RunError;
use crate::commands::parameters;
use crate::data::checkpoints::Checkpoint;
use crate::data::on_error::OnError;
use crate::device::{OpenDevice, caught};
use crate::logger::{Stage, StageTimings};
use crate::network::ForwardPass;
use crate::network::vgg::{self, Extent, Kernels, Placement, Vgg};
use crate::settings::{CheckpointsSettings, NetworkSettings};

/// A checkpoint, and its network on the device, with what the manifest says of its file.
pub(super) type Loaded = (Checkpoint, Result<(Vgg, StageTimings, Entry), RunError>);

/// How networks are loaded.
pub(super) struct Loading<'a> {
    pub(super) settings: &'a NetworkSettings,
    pub(super) pass: &'a ForwardPass,
    pub(super) kernels: Kernels,
    /// What every checkpoint has to hold.
    pub(super) network: &'a RunNetwork,
}

impl Loading<'_> {
    pub(super) fn load(&self, path: &Path) -> Result<(Vgg, StageTimings), RunError> {
        let (deepest, is_gray) = (self.pass.deepest(), self.pass.is_gray());
        load(
            path,
            self.settings,
            (self.network, deepest, is_gray),
            self.pass.device(),
            self.kernels,
        )
    }
}

/// The network at a place, or where checkpoints that cannot be read are skipped, before it.
pub(super) fn nearest_readable<'a>(
    sequence: &'a [Checkpoint],
    place: usize,
    loading: &Loading<'_>,
    settings: &CheckpointsSettings,
) -> Result<Option<(&'a Checkpoint, Vgg)>, RunError> {
    for checkpoint in sequence.iter().take(place + 1).rev() {
        match loading.load(&checkpoint.path) {
            Ok((network, _)) => return Ok(Some((checkpoint, network))),
            Err(error) if settings.on_error() == OnError::Stop => return Err(error),
            // It is skipped, and said so, when its step comes.
            Err(_) => {}
        }
    }
    Ok(None)
}

/// Loads the checkpoints in order on a thread of its own, one ahead of the receiver.
pub(super) fn load_ahead(
    sequence: impl Iterator<Item = Found> + Send + 'static,
    loading: &Loading<'_>,
) -> Receiver<Loaded> {
    let Loading {
        settings,
        pass,
        kernels,
        network,
    } = *loading;
    let (is_gray, deepest, device) = (pass.is_gray(), pass.deepest(), pass.device().clone());
    let (settings, expected) = (settings.clone(), network.clone());
    // No place to wait in: the thread itself holds the next network.
    let (sender, receiver) = sync_channel(0);
    thread::spawn(move || {
        for (file, found) in sequence {
            let network = caught(|| {
                found?;
                // First, so that a file which is replaced meanwhile is seen to be another one later.
                let entry = Entry::of(&file);
                let (network, timings) = load(
                    &file.path,
                    &settings,
                    (&expected, deepest, is_gray),
                    &device,
                    kernels,
                )?;
                let path = file.path.clone();
                let entry = entry.map_err(|source| RunError::ReadManifest { path, source })?;
                Ok((network, timings, entry))
            });
            let network = network.unwrap_or_else(|source| {
                let path = file.path.clone();
                Err(RunError::Loading { path, source })
            });
            // The receiver has stopped early.
            if sender.send((file, network)).is_err() {
                break;
            }
        }
    });
    receiver
}

fn load(
    path: &Path,
    settings: &NetworkSettings,
    (expected, deepest, is_gray): (&RunNetwork, usize, bool),
    device: &OpenDevice,
    kernels: Kernels,
) -> Result<(Vgg, StageTimings), RunError> {
    let place = Placement {
        device: &device.device,
        kernels,
    };
    let mut timings = StageTimings::default();
    let network = timings.time(Stage::Load, || {
        let (held, weights) = parameters::open_file(path, settings)?;
        if held.is_gray() != is_gray {
            return Err(RunError::OtherColors(path.to_owned()));
        }
        expected.check(&weights)?;
        let extent = Extent::Features { deepest };
        Ok::<_, RunError>(vgg::build_from(&weights, path, &held, extent, place)?)
    })?;
    Ok((network, timings))
}
