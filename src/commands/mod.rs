//! The commands: each opens what it needs, loops, and logs.

mod calibration;
pub(crate) mod checkpoints;
pub(crate) mod compare;
pub(crate) mod context;
mod devices;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod error;
mod event_runs;
pub(crate) mod export;
pub(crate) mod images;
pub(crate) mod inspect;
pub(crate) mod layers;
pub(crate) mod parameters;
pub mod program;
pub(crate) mod remedy;
pub(crate) mod report;
mod resumed;
mod run_style;
mod start;
mod summary;
mod table;
mod tensorboard;
pub(crate) mod terminal;
pub(crate) mod train;
mod training_sweep;
pub(crate) mod view;
