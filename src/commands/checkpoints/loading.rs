//! How checkpoints become networks.

use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use super::follow::Found;
use super::manifest::Entry;
use crate::analysis::probe::Capture;
use crate::commands::context::Context;
use crate::commands::error::RunError;
use crate::commands::parameters;
use crate::data::checkpoints::Checkpoint;
use crate::data::on_error::OnError;
use crate::device::{OpenDevice, guarded};
use crate::logger::{Stage, StageTimings};
use crate::network::vgg::{Extent, Kernels, Placement, Vgg};
use crate::network::{self, Held};
use crate::settings::{CheckpointsSettings, NetworkSettings};

/// A checkpoint, and its network on the device, with what the manifest says of its file.
pub(super) type Loaded = (Checkpoint, Result<(Vgg, StageTimings, Entry), RunError>);

/// How networks are loaded.
pub(super) struct Loading<'a> {
    pub(super) settings: &'a NetworkSettings,
    pub(super) capture: &'a Capture,
    pub(super) kernels: Kernels,
}

impl Loading<'_> {
    pub(super) fn load(&self, path: &Path) -> Result<(Vgg, StageTimings), RunError> {
        let (deepest, is_gray) = (self.capture.deepest(), self.capture.is_gray);
        load(
            path,
            self.settings,
            (deepest, is_gray),
            &self.capture.device,
            self.kernels,
        )
    }
}

/// Checkpoints that are looked at to find the network of most; each is opened, none is read.
const LOOKED_AT: usize = 64;

/// The network that is shown, and the place of the first checkpoint of it. The first checkpoint decides; where those that
/// do not fit are skipped, most of them decide, so that one stray file at the beginning does not cost all
/// others.
pub(super) fn shown_network(
    sequence: &[Checkpoint],
    settings: &NetworkSettings,
    on_error: OnError,
    context: &Context,
) -> Result<(Held, usize), RunError> {
    let (mut found, mut first_error) = (Vec::new(), None);
    for (place, checkpoint) in sequence.iter().enumerate() {
        match parameters::open_file(&checkpoint.path, settings) {
            Ok((held, file)) => found.push((held, place, network::notes(&file, held))),
            Err(error) => drop(first_error.get_or_insert(error)),
        }
        if on_error == OnError::Stop || found.len() == LOOKED_AT {
            break;
        }
    }
    let count = |held: Held| found.iter().filter(|(other, ..)| *other == held).count();
    // The last of the highest, so the first in the reversed order.
    let shown = found.iter().rev().max_by_key(|(held, ..)| count(*held));
    match (shown, first_error) {
        (Some((held, place, notes)), _) => {
            for note in notes {
                context.terminal.note(note);
            }
            Ok((*held, *place))
        }
        (None, error) => Err(error.unwrap_or(RunError::NoCheckpoint)),
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
            Ok((vgg, _)) => return Ok(Some((checkpoint, vgg))),
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
        capture,
        kernels,
    } = *loading;
    let (is_gray, deepest, device) = (capture.is_gray, capture.deepest(), capture.device.clone());
    let settings = settings.clone();
    // No place to wait in: the thread itself holds the next network.
    let (sender, receiver) = sync_channel(0);
    thread::spawn(move || {
        for (file, found) in sequence {
            let network = guarded(|| {
                found?;
                // First, so that a file which is replaced meanwhile is seen to be another one later.
                let entry = Entry::of(&file);
                let (vgg, timings) =
                    load(&file.path, &settings, (deepest, is_gray), &device, kernels)?;
                let path = file.path.clone();
                let entry = entry.map_err(|source| RunError::ReadManifest { path, source })?;
                Ok((vgg, timings, entry))
            });
            let network = network.unwrap_or_else(|why| {
                let path = file.path.clone();
                Err(RunError::Loading { path, why })
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
    (deepest, is_gray): (usize, bool),
    device: &OpenDevice,
    kernels: Kernels,
) -> Result<(Vgg, StageTimings), RunError> {
    let place = Placement {
        device: &device.device,
        kernels,
    };
    let mut timings = StageTimings::default();
    let vgg = timings.time(Stage::Load, || {
        let (held, weights) = parameters::open_file(path, settings)?;
        if held.is_gray != is_gray {
            return Err(RunError::OtherColors(path.to_owned()));
        }
        let extent = Extent::Features { deepest };
        Ok::<_, RunError>(network::build(&weights, path, held.arch, extent, place)?)
    })?;
    Ok((vgg, timings))
}
