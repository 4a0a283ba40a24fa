//! Feature maps, kernels, images and numbers of convolutional networks into TensorBoard, at almost no
//! cost beside the forward pass. The library of the program `vggscope`, which does it for VGG and what
//! `torch.export` wrote.
//!
//! [`logger::FeatureLogger`] takes tensors of any Burn network on any device:
//!
//! ```
//! # use burn::tensor::{Device, Distribution, Tensor};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let runs = tempfile::tempdir()?;
//! # let folder = runs.path().join("mine");
//! # let maps = Tensor::<4>::random([1, 8, 16, 16], Distribution::Default, &Device::flex());
//! # let kernels = Tensor::<4>::random([8, 3, 3, 3], Distribution::Default, &Device::flex());
//! use vggscope::{feature_grid::Range, logger::FeatureLogger};
//!
//! let logger = FeatureLogger::builder(&folder).range(Range::Layer).max_maps(64).create()?;
//! for n in 0..10 {
//!     let mut step = logger.step(n)?; // waits while the queue is full
//!     step.feature_maps("feature_maps/conv1", maps.clone())?; // [1, channels, height, width]
//!     step.kernels("kernels/conv1", kernels.clone())?; // [kernels, channels, height, width]
//!     step.scalar("train/loss", 0.5);
//!     step.finish(); // rendered in the background, written in order
//! }
//! logger.finish()?; // errors of the writer come out here
//! # Ok(())
//! # }
//! ```
//!
//! # Vocabulary
//!
//! | word | meaning |
//! | --- | --- |
//! | layer | one of `features.0 … features.30`, named `conv1_1 … pool5` as in the paper |
//! | feature map | one channel of a layer's output |
//! | kernel | one filter of the first convolution |
//! | probe image | an image shown to every checkpoint |
//! | grid | all feature maps of a layer tiled into one picture |
//! | step, tag, run | TensorBoard's: a number on the slider, a card's name, a folder of event files |
//! | summary, event file | one value of a tag at a step; the file that holds them |
//! | checkpoint, weights | a network's parameters saved during training; any such file |
//!
//! # How data flows
//!
//! Three verbs for everything: a command makes an iterator of items, images, checkpoints or training steps
//! (*next*); a network turns a batch into feature maps (*forward*); observers measure them, and the logger
//! renders and writes them (*log*).
//!
//! ```text
//! commands ── next ──> network ── forward ──> analysis ── log ──> logger ──> feature-grid ──> tensorboard-events
//!     │                   │                                         │
//! settings          weights, data ──────── device ──────────────────┘
//! ```
//!
//! Public are [`logger`] and the two crates that it stands on: [`feature_grid`] turns slices of floats into
//! pictures, [`tensorboard_events`] writes and reads event files. The program's rooms are private:
//! `commands` use all the others, `settings` are what the user typed, `train` makes a better network,
//! `analysis` measures what a step shows, `state` is the folder of a run, `network` has layers and a forward
//! pass, `weights` reads files into named tensors, `data` reads images, `device` knows the backends.

// Not in Cargo.toml, since tests may.
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used))]

#[cfg(all(test, not(feature = "flex")))]
compile_error!("the tests need flex too: leave out --no-default-features");

mod analysis;
#[doc(hidden)]
pub mod commands;
mod data;
mod device;
mod durable;
#[cfg(feature = "fuzz")]
#[doc(hidden)]
pub mod fuzz;
mod interrupt;
pub mod logger;
mod network;
mod one_line;
mod schedule;
mod settings;
mod state;
mod tags;
#[cfg(test)]
mod tests;
mod train;
#[doc(hidden)]
pub mod weights;

pub use {feature_grid, tensorboard_events};

/// The code of the README is tested.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
