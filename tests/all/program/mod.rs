//! The program from outside: every command, message and exit code.

mod any_network;
mod bad_input;
mod book;
mod checkpoints;
mod compare;
mod comparison;
mod configuration;
pub(crate) mod continued;
mod devices;
mod diff;
mod diff_images;
mod export;
mod follow;
mod gif;
mod images;
mod information;
mod inspect;
// Numbers of one backend, and links to the fixtures.
#[cfg(all(unix, feature = "libtorch"))]
mod messages;
mod mistyped;
mod notes;
mod other_networks;
mod refused_networks;
mod repaired;
mod run_folder;
mod sharded;
mod summary;
pub(crate) mod support;
// What writes is the same without libtorch.
#[cfg(all(target_os = "linux", feature = "libtorch"))]
mod torture;
mod train;
mod view;
mod weights;
