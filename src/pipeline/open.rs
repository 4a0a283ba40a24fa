//! Where networks come from, opened before anything is computed.

use std::path::PathBuf;
use std::thread;

use super::describe::WeightsLabel;
use super::load::file_name;
use super::train::Start;
use super::{Interrupt, RunError};
use crate::config::{Config, OnError, WeightsChoice};
use crate::input::checkpoints::Checkpoint;
use crate::terminal::{Terminal, Unit};
use crate::vgg::{Arch, RandomParameters, Sizes};
use crate::weights::{WeightsFile, imagenet};

/// Where networks come from.
pub(super) enum Networks {
    /// One, whose parameters are already open.
    One(Parameters),
    /// One a checkpoint.
    Sequence(Vec<Checkpoint>),
    /// One that changes.
    Training(Box<Start>),
}

/// Parameters of one network.
pub(super) enum Parameters {
    File(WeightsFile),
    Random(RandomParameters),
}

/// Parameters that are open, and what they are.
pub(super) struct Opened {
    pub(super) arch: Arch,
    pub(super) networks: Networks,
    pub(super) label: WeightsLabel,
}

pub(super) fn open_one(
    config: &Config,
    weights: &WeightsChoice,
    terminal: &Terminal,
    interrupt: &Interrupt,
) -> Result<Opened, RunError> {
    let path = match weights {
        WeightsChoice::Random => return Ok(random(config, terminal)),
        WeightsChoice::File(path) => path.clone(),
        WeightsChoice::Imagenet => {
            published(config.arch.unwrap_or(Arch::VGG16), terminal, interrupt)?
        }
    };
    let file = WeightsFile::open(&path)?;
    let arch = arch_of(&file, config.arch)?;
    Ok(Opened {
        arch,
        label: hashed_label(file_name(&path), path),
        networks: Networks::One(Parameters::File(file)),
    })
}

fn random(config: &Config, terminal: &Terminal) -> Opened {
    let arch = config.arch.unwrap_or(Arch::VGG16);
    let seed = config.seed;
    terminal.note(&format!(
        "no --weights given: {arch} with random weights, seed {seed}, initialised as torchvision does"
    ));
    let parameters = RandomParameters::new(arch, Sizes::PUBLISHED, seed);
    Opened {
        arch,
        label: WeightsLabel::known(format!("random, seed {seed}")),
        networks: Networks::One(Parameters::Random(parameters)),
    }
}

/// The published ImageNet weights, downloaded if they are nowhere yet.
pub(super) fn published(
    arch: Arch,
    terminal: &Terminal,
    interrupt: &Interrupt,
) -> Result<PathBuf, RunError> {
    let mut begun = false;
    let mut progress = |done: u64, total: Option<u64>| {
        if !begun {
            terminal.begin(0, total.unwrap_or_default(), Unit::Bytes);
            begun = true;
        }
        terminal.reached(done, "ImageNet weights");
        !interrupt.is_asked()
    };
    let places = imagenet::Places::from_env();
    let path = imagenet::resolve(&arch.to_string(), &places, &mut progress)?;
    terminal.end();
    Ok(path)
}

/// The first checkpoint that can be read decides which network it is.
pub(super) fn open_sequence(
    config: &Config,
    sequence: Vec<Checkpoint>,
) -> Result<Opened, RunError> {
    let mut first_error = None;
    for checkpoint in &sequence {
        match WeightsFile::open(&checkpoint.path) {
            Ok(file) => {
                let arch = arch_of(&file, config.arch)?;
                let label = format!(
                    "the first of {} checkpoints is {}",
                    sequence.len(),
                    file_name(&checkpoint.path)
                );
                return Ok(Opened {
                    arch,
                    label: hashed_label(label, checkpoint.path.clone()),
                    networks: Networks::Sequence(sequence),
                });
            }
            Err(error) if config.on_error == OnError::Stop => return Err(error.into()),
            Err(error) => {
                first_error.get_or_insert(error);
            }
        }
    }
    Err(first_error.map_or(RunError::Crashed, RunError::from))
}

/// The network that was asked for, if the weights can be its; else the one whose weights they are.
pub(super) fn arch_of(file: &WeightsFile, asked: Option<Arch>) -> Result<Arch, RunError> {
    let fitting = file.architectures();
    let vgg16 = Arch::VGG16.to_string();
    let arch = asked
        .or_else(|| {
            let name = fitting
                .iter()
                .find(|name| **name == vgg16)
                .or(fitting.first());
            name?.parse().ok()
        })
        .unwrap_or(Arch::VGG16);
    file.expect_arch(&arch.to_string())?;
    Ok(arch)
}

fn hashed_label(label: String, path: PathBuf) -> WeightsLabel {
    let thread = thread::spawn(move || {
        WeightsFile::open(&path)
            .and_then(|file| file.fingerprint())
            .map_err(|error| error.to_string())
    });
    WeightsLabel::with_hash(label, thread)
}
