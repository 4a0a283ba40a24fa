//! The run folder: reserved for one process, with the configuration of the run, and which file each of its steps shows.

mod error;
mod files;
mod folder;
mod manifest;
mod network;

pub(crate) use error::StateError;
pub(crate) use files::{lock_file, read_toml, write_text, write_toml};
pub(crate) use folder::{CONFIG, PARTS, RunFolder};
pub(crate) use manifest::{Entry, MANIFEST, Manifest, ManifestWriter, Stamp};
pub(crate) use network::{RunNetwork, WidthMismatch};
