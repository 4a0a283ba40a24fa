//! The program from outside: every command, message and exit code.

mod bad_input;
mod checkpoints;
mod compare;
mod comparison;
mod configuration;
mod continued;
mod devices;
mod diff;
mod diff_images;
mod export;
mod follow;
mod images;
mod information;
mod inspect;
mod notes;
mod other_networks;
mod repaired;
mod run_folder;
mod sharded;
pub(crate) mod support;
#[cfg(target_os = "linux")]
mod torture;
mod train;
mod view;
mod weights;
