//! The program from outside: every command, message and exit code.

mod bad_input;
mod checkpoints;
mod compare;
mod comparison;
mod configuration;
mod continued;
mod devices;
mod diff;
mod follow;
mod images;
mod information;
mod notes;
mod other_networks;
mod read_back;
mod run_folder;
mod sharded;
pub(crate) mod support;
mod train;
mod weights;
