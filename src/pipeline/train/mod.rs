//! A training: optimisation steps, and at every one of them what the network sees.
//!
//! ```text
//! loader threads       this thread                          rendering threads    writer thread
//! decode, augment ───> step, probe images' forward pass ──> render, encode ────> event file
//!                      validation, checkpoints
//! ```
//!
//! Step 0 is the network as it begins; step N what it is after N optimisation steps.

mod data;
mod explain;
mod graph;
mod hparams;
mod record;
mod session;
mod start;
mod validate;

use burn::tensor::Device;

pub(super) use start::{Start, open};

use self::data::Reading;
use self::session::Session;
use self::start::checkpoints_folder;
use super::RunError;
use super::lane::Lane;
use super::probes::Probes;
use super::report::Ended;
use crate::config::{Config, Training};
use crate::input::list::ImageFile;
use crate::train::{Keeper, Optimisation, Progress, Schedule, Trainer};
use crate::vgg::Kernels;

/// Trains to the end, or until it is asked to end.
pub(super) fn run(
    lane: &Lane,
    start: Start,
    images: &[ImageFile],
    config: &Config,
    training: &Training,
    resolved: &str,
) -> Result<Ended, RunError> {
    let (_, total) = start.taken_and_total(config, training)?;
    let mut ended = Ended::default();
    let probes = Probes::load(lane, images, config, &mut ended.skipped)?;
    let reading = Reading::new(config, training);
    let device = lane.device.device.clone().autodiff();
    let mut session = Session {
        lane,
        probes,
        training,
        total,
        keeper: Keeper {
            folder: checkpoints_folder(&config.run_folder()),
            newest: training.keep.count(),
        },
        trainer: trainer(lane, &start, config, training, total, &device)?,
        progress: start.resumed.as_ref().map_or_else(
            || Progress {
                batch_size: training.batch_size,
                samples: start.dataset.train.len(),
                classes: start.dataset.classes.clone(),
                ..Progress::default()
            },
            |(_, progress)| progress.clone(),
        ),
        last_saved: start.resumed.as_ref().map(|(saved, _)| saved.clone()),
        config_file: config.run_folder().join("config.toml"),
        reading,
        first: true,
        start,
        ended,
    };
    // What goes on from step 0 has written that already.
    if session.start.resumed.is_none() {
        session.begin(resolved)?;
    }
    session.train()?;
    Ok(session.conclude())
}

fn trainer(
    lane: &Lane,
    start: &Start,
    config: &Config,
    training: &Training,
    total: u64,
    device: &Device,
) -> Result<Trainer, RunError> {
    let kernels = if lane.device.prefers_interleaved() {
        Kernels::Interleaved
    } else {
        Kernels::Planar
    };
    let vgg = start
        .network(device, kernels)?
        .with_dropout(training.dropout);
    #[expect(clippy::cast_possible_truncation, reason = "Burn takes f32 here")]
    let settings = Optimisation {
        optimiser: training.optimiser,
        weight_decay: training.weight_decay as f32,
        schedule: Schedule {
            learning_rate: training.learning_rate,
            decay: training.decay,
            warm_up: training.warm_up,
            steps: usize::try_from(total).unwrap_or(usize::MAX),
        },
        clip_norm: training.clip_norm,
        label_smoothing: training.label_smoothing as f32,
        frozen: start.frozen,
        highest_loss: training.stop_above,
        seed: config.seed,
    };
    let mut trainer = Trainer::new(vgg, settings, device)?;
    if let Some((saved, _)) = &start.resumed {
        trainer.restore(saved)?;
    }
    Ok(trainer)
}
