//! Many checkpoints over the same probe images: a step a checkpoint.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use super::lane::{Lane, OpenStep};
use super::load::{Prepared, file_name};
use super::timings::{Laps, Stage};
use super::{RunError, one_line, require_size};
use crate::config::{Config, OnError};
use crate::device::OpenDevice;
use crate::events::Summary;
use crate::input::checkpoints::Checkpoint;
use crate::input::list::ImageFile;
use crate::vgg::{Arch, Extent, Placement, Vgg, build};
use crate::weights::WeightsFile;

/// A checkpoint that is on the device.
struct Loaded {
    file: Checkpoint,
    network: Result<(Vgg, Laps), RunError>,
}

/// Probe images of one size that go through the network together.
type Batch = Vec<Arc<Prepared>>;

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
    let networks = ahead(sequence, lane.arch, extent, lane.device.clone());
    let mut skipped = Vec::new();
    let batches = probes(lane, images, config, &mut skipped)?;
    let alone = batches.iter().map(Vec::len).sum::<usize>() == 1;
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
        for batch in &batches {
            show(
                lane,
                &vgg,
                batch,
                &mut open,
                &name,
                Showing { alone, first },
            )?;
        }
        if lane.kernels {
            let folder = Arc::from(format!("{:06}", open.step()));
            open.make_kernels(&vgg, lane.arch, &folder, first);
        }
        open.finish();
        first = false;
    }
    Ok(skipped)
}

/// How a probe image's tags are written.
#[derive(Clone, Copy)]
struct Showing {
    /// Whether it is the only probe image, so that tags need not name it.
    alone: bool,
    /// Whether this is the first step, which shows the inputs and describes every tag.
    first: bool,
}

/// Reads every probe image once, in batches of one size.
fn probes(
    lane: &Lane,
    images: &[ImageFile],
    config: &Config,
    skipped: &mut Vec<String>,
) -> Result<Vec<Batch>, RunError> {
    let mut batches: Vec<Batch> = Vec::new();
    for file in images {
        let image = match Prepared::load(file, &config.preprocess) {
            Ok(image) => Arc::new(image),
            Err(error) if lane.on_error == OnError::Skip => {
                skipped.push(one_line(&error));
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        require_size(lane, &image)?;
        match batches.last_mut() {
            Some(batch)
                if batch.len() < config.batch
                    && (batch[0].height, batch[0].width) == (image.height, image.width) =>
            {
                batch.push(image);
            }
            _ => batches.push(vec![image]),
        }
    }
    if batches.is_empty() {
        return Err(RunError::NothingLeft {
            count: skipped.len(),
            what: "probe images",
            first: skipped.first().cloned().unwrap_or_default(),
        });
    }
    Ok(batches)
}

/// One forward pass over a batch of probe images, into an open step.
fn show(
    lane: &Lane,
    vgg: &Vgg,
    batch: &Batch,
    open: &mut OpenStep,
    checkpoint: &str,
    showing: Showing,
) -> Result<(), RunError> {
    let start = std::time::Instant::now();
    let captured = lane.forward(vgg, batch, checkpoint)?;
    open.laps.record(Stage::Forward, start.elapsed());
    for (at, image) in batch.iter().enumerate() {
        let group: Arc<str> = if showing.alone {
            Arc::from("feature_maps")
        } else {
            Arc::clone(&image.name)
        };
        let folder: Arc<str> = Arc::from(format!("{:06}/{}", open.step(), image.name));
        open.make_maps(&captured, at, &group, &folder, showing.first);
        if showing.first {
            open.laps.add(&image.laps);
            open.make_input(&format!("input/{}", image.name), image, true);
        }
    }
    Ok(())
}

/// Loads the checkpoints in order on a thread of its own, one ahead of whoever takes them.
fn ahead(
    sequence: Vec<Checkpoint>,
    arch: Arch,
    extent: Extent,
    device: OpenDevice,
) -> Receiver<Loaded> {
    // No place to wait in: the thread holds the next network in its hands.
    let (sender, receiver) = sync_channel(0);
    thread::spawn(move || {
        for file in sequence {
            let network = load(&file, arch, extent, &device);
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
    device: &OpenDevice,
) -> Result<(Vgg, Laps), RunError> {
    let mut laps = Laps::default();
    let place = Placement {
        device: &device.device,
        // For one or two probe images turning them would cost more than it saves.
        interleaved_kernels: false,
    };
    let vgg = laps.time(Stage::Load, || {
        let weights = WeightsFile::open(&file.path)?;
        weights.expect_arch(&arch.to_string())?;
        build(&weights, arch, extent, place).map_err(|error| RunError::build(&file.path, error))
    })?;
    Ok((vgg, laps))
}
