//! The one room that sees all the others: source -> forward -> render -> encode -> write.
//!
//! ```text
//! loader thread        this thread         rayon threads            writer thread
//! decode, read ──(2)──> forward pass ────> copy, render, encode ──(1)──> event file
//! ```
//!
//! The numbers are how many steps may wait there, so memory does not grow with the number of steps.
//! While a step is rendered and encoded, the next one's forward pass runs.

mod checkpoints;
mod describe;
mod error;
mod floats;
mod guard;
mod images;
mod lane;
mod load;
mod open;
mod pictures;
mod plan;
mod probes;
mod report;
mod timings;
mod train;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::config::{Config, Source, as_markdown};
use crate::terminal::Terminal;
use crate::vgg;
pub use error::{RunError, one_line};
pub use pictures::PictureError;
pub use report::Report;

use lane::Lane;
use open::Networks;
use plan::Plan;
use report::{Ended, Progress};
use writer::Writer;

/// A wish to end early, usually a Ctrl-C. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    asked: Arc<AtomicBool>,
    stepping: Arc<AtomicBool>,
}

impl Interrupt {
    /// Asks the run to end after the current step. True if there is a step to wait for.
    #[must_use]
    pub fn ask(&self) -> bool {
        self.asked.store(true, Ordering::SeqCst);
        self.stepping.load(Ordering::SeqCst)
    }

    /// Whether the run shall end.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }

    /// From here on there are steps to wait for.
    fn steps_begin(&self) {
        self.stepping.store(true, Ordering::SeqCst);
    }
}

/// Runs the network over everything that `config` names, writing a step for each.
///
/// # Errors
///
/// See [`RunError`]. Everything that can be checked is checked before the first forward pass.
pub fn run(
    config: &Config,
    terminal: &Arc<Terminal>,
    interrupt: &Interrupt,
) -> Result<Report, RunError> {
    let Plan {
        device,
        arch,
        layers,
        images,
        networks,
        studio,
        events,
        resolved,
    } = plan::plan(config, terminal, interrupt)?;
    let (done, total) = match (&networks, &config.source) {
        (Networks::Training(start), Source::Training(training)) => {
            start.written_and_total(config, training)?
        }
        (Networks::Sequence(sequence), _) => (0, sequence.len() as u64),
        _ => (0, images.len() as u64),
    };
    let progress = Progress::new(Arc::clone(terminal), done, total);
    interrupt.steps_begin();
    let lane = Lane {
        writer: Writer::start(events, progress, config.timings),
        studio,
        device,
        arch,
        layers,
        kernels: config.pictures.kernels,
        interrupt: interrupt.clone(),
        on_error: config.on_error,
    };
    let went = match (networks, &config.source) {
        (Networks::One(parameters), _) => {
            images::run(&lane, &parameters, images, config, &as_markdown(&resolved))
                .map(Ended::skipped)
        }
        (Networks::Sequence(sequence), _) => {
            checkpoints::run(&lane, sequence, &images, config, &as_markdown(&resolved))
                .map(Ended::skipped)
        }
        (Networks::Training(start), Source::Training(training)) => {
            train::run(&lane, *start, &images, config, training, &resolved)
        }
        (Networks::Training(_), _) => Err(RunError::Crashed),
    };
    // The writer's error is the cause when both have one: without a writer nothing else can go on.
    let progress = lane.writer.finish()?;
    let Ended { skipped, notes } = went?;
    if progress.steps == 0 && !interrupt.is_asked() {
        return Err(RunError::NothingLeft {
            count: skipped.len(),
            what: config.source.command(),
            first: skipped.into_iter().next().unwrap_or_default(),
        });
    }
    Ok(Report {
        run_folder: config.run_folder(),
        logdir: config.logdir.clone(),
        steps: progress.steps,
        tags: progress.tags.len(),
        bytes: progress.bytes,
        skipped,
        non_finite: progress.non_finite,
        timings: config
            .timings
            .then(|| progress.laps.table(progress.steps.saturating_sub(done))),
        notes,
        interrupted: interrupt.is_asked(),
    })
}

/// Makes sure that an image reaches the deepest layer.
fn require_size(lane: &Lane, image: &load::Prepared) -> Result<(), RunError> {
    let all = lane.arch.layers();
    let needed = all.get(..=lane.deepest()).unwrap_or(&all);
    // Widths play no part in how far an image reaches.
    let widths = vec![1; needed.len()];
    vgg::output_shapes(needed, &widths, [image.height, image.width])
        .map(drop)
        .map_err(|source| RunError::ImageSize {
            path: image.path.clone(),
            source,
        })
}
