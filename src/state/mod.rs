//! The run folder: reserved for one process, with the configuration of the run, and which file each of its steps shows.

mod error;
mod files;
mod folder;
mod network;
mod steps;

pub(crate) use error::StateError;
pub(crate) use folder::{CONFIG, RunFolder, part_folders};
pub(crate) use network::{RunNetwork, WidthMismatch};
pub(crate) use steps::{Entry, PartOf, RunOf, STATE, Stamp, State, StateWriter};
