//! The run folder: reserved for one process, with the configuration of the run, and which file each of its steps shows.

mod error;
mod files;
mod folder;
mod network;
mod record;
mod steps;
mod writer;

pub(crate) use error::StateError;
pub(crate) use files::binary;
pub(crate) use folder::{CONFIG, RunFolder, part_folders};
pub(crate) use network::{RunNetwork, WidthMismatch};
pub(crate) use record::{Entry, PartOf, RunOf, Stamp, checksum};
pub(crate) use steps::{STATE, State};
pub(crate) use writer::StateWriter;
