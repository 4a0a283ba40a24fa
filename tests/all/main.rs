//! Everything that is tested from outside the crate, in one binary: linking libtorch takes longer than
//! most of the tests.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod logger;
mod program;
mod tensorboard;
mod weights;
mod weights_refused;
