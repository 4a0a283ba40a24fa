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
mod guard;
mod images;
mod lane;
mod load;
mod pictures;
mod plan;
mod report;
mod timings;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use thiserror::Error;

use crate::config::Config;
use crate::device::DeviceError;
use crate::events::EventFileError;
use crate::input::checkpoints::CheckpointError;
use crate::input::find::FindError;
use crate::input::load::LoadError;
use crate::terminal::Terminal;
use crate::vgg::{self, BuildError, InputTooSmall, NoSuchParameter, SelectError};
use crate::weights::{WeightsError, imagenet::ImagenetError};
pub use pictures::PictureError;
pub use report::Report;

use lane::Lane;
use plan::{Networks, Plan};
use report::Progress;
use writer::Writer;

/// A run that did not come to its end. What was written before stays readable.
#[derive(Debug, Error)]
pub enum RunError {
    /// The images cannot be listed.
    #[error(transparent)]
    List(#[from] FindError),
    /// The checkpoints cannot be listed.
    #[error(transparent)]
    Checkpoints(#[from] CheckpointError),
    /// The device is not there.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The weights cannot be used.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The published weights cannot be had.
    #[error(transparent)]
    Imagenet(#[from] ImagenetError),
    /// The tensors of a file do not fit each other.
    #[error("{path}")]
    Build {
        /// The file.
        path: PathBuf,
        /// Which tensor, and why.
        source: BuildError<WeightsError>,
    },
    /// The random parameters do not make the network.
    #[error("the random network cannot be built")]
    BuildRandom(#[from] BuildError<NoSuchParameter>),
    /// No such layer.
    #[error(transparent)]
    Select(#[from] SelectError),
    /// The pictures are too small for the layers.
    #[error(transparent)]
    Size(#[from] InputTooSmall),
    /// One image is too small for the layers.
    #[error("{path}")]
    ImageSize {
        /// The image.
        path: PathBuf,
        /// Which layer it does not reach.
        source: InputTooSmall,
    },
    /// An image cannot be read.
    #[error(transparent)]
    Image(#[from] LoadError),
    /// The run's folder has a run in it.
    #[error(
        "{folder} already holds a run ({file}): choose another name with --run, or delete the folder"
    )]
    UsedFolder {
        /// The run's folder.
        folder: PathBuf,
        /// The event file in it.
        file: PathBuf,
    },
    /// The run's folder cannot be looked into.
    #[error("cannot use the run folder {folder}: choose another with --logdir or --run")]
    RunFolder {
        /// The run's folder.
        folder: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The event file cannot be written.
    #[error(transparent)]
    Events(#[from] EventFileError),
    /// The resolved configuration cannot be written.
    #[error("cannot write {path}: free some space or choose another folder with --logdir")]
    WriteConfig {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The resolved configuration cannot be put into TOML.
    #[error("the configuration cannot be written as TOML, perhaps because a path is not UTF-8")]
    Resolve(#[from] toml::ser::Error),
    /// A picture cannot be made or written.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// The backend gave up: out of memory, most likely.
    #[error(
        "{what}: the device gave up: {why}; try a smaller --crop, fewer layers or a smaller --batch"
    )]
    Backend {
        /// What was being run.
        what: String,
        /// What the backend says.
        why: String,
    },
    /// Nothing could be read.
    #[error("nothing is left to show: all {count} {what} were skipped; the first: {first}")]
    NothingLeft {
        /// How many there were.
        count: usize,
        /// Images or checkpoints.
        what: &'static str,
        /// The first one and why.
        first: String,
    },
    /// A thread of the program died.
    #[error("internal error: a thread of vggscope died; please report it with the command you ran")]
    Crashed,
}

impl RunError {
    /// A network that could not be built from the file at `path`.
    fn build(path: &Path, error: BuildError<WeightsError>) -> Self {
        match error {
            // Names the file itself.
            BuildError::Source(error) => Self::Weights(error),
            source @ BuildError::Shape { .. } => Self::Build {
                path: path.to_owned(),
                source,
            },
        }
    }

    /// Whether the command could never have worked as it was typed.
    #[must_use]
    pub fn is_wrong_use(&self) -> bool {
        matches!(self, Self::Select(_) | Self::Size(_))
    }
}

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
        config_text,
    } = plan::plan(config, terminal, interrupt)?;
    let total = match &networks {
        Networks::One(_) => images.len(),
        Networks::Sequence(sequence) => sequence.len(),
    };
    let progress = Progress::new(Arc::clone(terminal), total as u64);
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
    let went = match networks {
        Networks::One(parameters) => images::run(&lane, &parameters, images, config, &config_text),
        Networks::Sequence(sequence) => {
            checkpoints::run(&lane, sequence, &images, config, &config_text)
        }
    };
    // The writer's error is the cause when both have one: without a writer nothing else can go on.
    let progress = lane.writer.finish()?;
    let skipped = went?;
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
        timings: config.timings.then(|| progress.laps.table(progress.steps)),
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

/// An error and its causes in a line.
#[must_use]
pub fn one_line(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        // Transparent wrappers say the same as what they wrap.
        if !text.ends_with(&next) {
            text = text + ": " + &next;
        }
        cause = error.source();
    }
    text.replace('\n', " ")
}
