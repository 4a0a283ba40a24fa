//! Feature maps, kernels, images and numbers of convolutional networks into TensorBoard, at almost no
//! cost beside the forward pass. The library of the program `vggscope`, which does it for VGG networks.
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
//! use vggscope::{logger::FeatureLogger, render::Range};
//!
//! let mut logger = FeatureLogger::builder(&folder).range(Range::Layer).max_maps(64).create()?;
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
//! ```text
//! input ───┐
//!          ├─> vgg (forward) ─> logger ─> render ─> PNG ─> events
//! weights ─┘
//! ```
//!
//! Data moves one way. [`weights`] reads files into named tensors, [`vgg`] is the network, [`logger`]
//! renders and writes in the background, [`render`] turns slices of floats into pictures, [`events`] frames
//! them into event files, [`similarity`] says how alike two representations are. The program's parts are
//! private: `commands` use all the others, `probe` shows images to a network, `train` trains one on a
//! `dataset`, `compare` reads what runs left, `settings` are what the user typed.

// Until `config` and `cli` are private too.
// Not in Cargo.toml, since tests may.
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used))]

mod analysis;
#[doc(hidden)]
pub mod commands;
mod data;
mod device;
mod durable;
mod interrupt;
pub mod logger;
pub mod network;
mod one_line;
mod settings;
mod tags;
mod train;
pub mod weights;
