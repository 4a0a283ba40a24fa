#![doc = include_str!("../README.md")]
#![expect(
    clippy::inline_always,
    reason = "pulp compiles for AVX2 only what is inlined into its dispatcher"
)]

pub mod png;

mod colormap;
mod drawing;
mod error;
mod extremes;
mod floats;
mod grid;
mod maps;
mod picture;
mod quantize;
mod range;
mod render;
mod statistics;

pub use colormap::{Colormap, Palette, ParseColormapError};
pub use drawing::{Drawing, Rendered, Style};
pub use error::RenderError;
pub use floats::{Floats, ReadError};
pub use maps::{Layout, Maps};
pub use picture::{Color, Picture};
pub use range::{NARROWEST, NARROWEST_END, Range};
pub use render::{feature_maps, kernels};
pub use statistics::Statistics;

#[cfg(test)]
mod tests;
