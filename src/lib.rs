//! See what every layer of a VGG network responds to, and how that changes from checkpoint to
//! checkpoint, in TensorBoard.
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
//! input ──┐
//!         ├─> vgg (forward) ─> render ─> png ─> events
//! weights ┘
//! ```
//!
//! Data moves one way. [`input`] and [`weights`] read files, [`vgg`] runs the network on a
//! [`device`], [`render`] and [`png`] turn slices of floats into pictures, [`events`] frames them
//! into event files. For training, [`dataset`] makes batches of folders of labelled images.
//! [`pipeline`] is the only room that sees all of them; [`config`] says what a run
//! does, [`cli`] what the user typed.

// Not in Cargo.toml, since tests may.
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used))]

pub mod cli;
pub mod config;
pub mod dataset;
pub mod device;
pub mod doctor;
pub mod events;
pub mod input;
pub mod layers;
pub mod pipeline;
pub mod png;
pub mod render;
pub mod terminal;
pub mod train;
pub mod vgg;
pub mod weights;
