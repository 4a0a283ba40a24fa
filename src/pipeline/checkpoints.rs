//! Many checkpoints over the same probe images: a step a checkpoint.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use super::lane::Lane;
use super::load::file_name;
use super::probes::Probes;
use super::timings::{Laps, Stage};
use super::{RunError, one_line};
use crate::config::{Config, OnError};
use crate::device::OpenDevice;
use crate::events::Summary;
use crate::input::checkpoints::Checkpoint;
use crate::input::list::ImageFile;
use crate::vgg::{Arch, Extent, Kernels, Placement, Vgg, build};
use crate::weights::WeightsFile;

/// A checkpoint that is on the device.
struct Loaded {
    file: Checkpoint,
    network: Result<(Vgg, Laps), RunError>,
}

/// Runs over all checkpoints; gives what was skipped.
pub(super) fn run(
    lane: &Lane,
    sequence: Vec<Checkpoint>,
    images: &[ImageFile],
    config: &Config,
    config_text: &str,
) -> Result<Vec<String>, RunError> {
    let extent = Extent::Features {
        deepest: lane.deepest(),
    };
    let kernels = match lane.kernels_for(config, images.len()) {
        // For one or two probe images turning them would cost more than it saves.
        Kernels::Interleaved => Kernels::Planar,
        other => other,
    };
    let networks = ahead(sequence, lane.arch, extent, kernels, lane.device.clone());
    let mut skipped = Vec::new();
    let probes = Probes::load(lane, images, config, &mut skipped)?;
    let mut first = true;
    for loaded in networks {
        if lane.interrupt.is_asked() {
            break;
        }
        let (vgg, laps) = match loaded.network {
            Ok(network) => network,
            Err(error) if lane.on_error == OnError::Skip => {
                skipped.push(one_line(&error));
                continue;
            }
            Err(error) => return Err(error),
        };
        let Ok(mut open) = lane.begin(loaded.file.step, file_name(&loaded.file.path)) else {
            break;
        };
        open.laps.add(&laps);
        if first {
            open.add("config", Summary::text("config", config_text));
        }
        let name = file_name(&loaded.file.path);
        open.add(
            "checkpoint",
            Summary::text("checkpoint", format!("`{name}`")),
        );
        probes.show(lane, &vgg, &mut open, &name, first)?;
        open.finish();
        first = false;
    }
    Ok(skipped)
}

/// Loads the checkpoints in order on a thread of its own, one ahead of whoever takes them.
fn ahead(
    sequence: Vec<Checkpoint>,
    arch: Arch,
    extent: Extent,
    kernels: Kernels,
    device: OpenDevice,
) -> Receiver<Loaded> {
    // No place to wait in: the thread holds the next network in its hands.
    let (sender, receiver) = sync_channel(0);
    thread::spawn(move || {
        for file in sequence {
            let network = load(&file, arch, extent, kernels, &device);
            // Whoever took the networks has stopped; so do we.
            if sender.send(Loaded { file, network }).is_err() {
                break;
            }
        }
    });
    receiver
}

fn load(
    file: &Checkpoint,
    arch: Arch,
    extent: Extent,
    kernels: Kernels,
    device: &OpenDevice,
) -> Result<(Vgg, Laps), RunError> {
    let mut laps = Laps::default();
    let place = Placement {
        device: &device.device,
        kernels,
    };
    let vgg = laps.time(Stage::Load, || {
        let weights = WeightsFile::open(&file.path)?;
        weights.expect_arch(&arch.to_string())?;
        build(&weights, arch, extent, place).map_err(|error| RunError::build(&file.path, error))
    })?;
    Ok((vgg, laps))
}
