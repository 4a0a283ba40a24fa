//! What can go wrong on the way to a picture.

use thiserror::Error;

use super::floats::ReadError;

/// Why there is no picture.
#[derive(Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum RenderError {
    /// Nothing to show.
    #[error("values of shape {shape:?} make no picture: every dimension must be at least 1")]
    Shape {
        /// What was handed over.
        shape: Vec<usize>,
    },
    /// The values do not fit the shape.
    #[error("shape {shape:?} needs {expected} values, found {found}")]
    Length {
        /// What the values were said to be.
        shape: Vec<usize>,
        /// The product of the shape.
        expected: usize,
        /// The number of values.
        found: usize,
    },
    /// The ends of a fixed range.
    #[error("a fixed range must go from one finite number to a larger one, found {low} to {high}")]
    Fixed {
        /// The first end.
        low: f32,
        /// The second.
        high: f32,
    },
    /// More pixels than anything shows.
    #[error("a grid of {count} tiles of {tile_width} x {tile_height} pixels is too large")]
    TooLarge {
        /// Maps or kernels.
        count: usize,
        /// After enlarging.
        tile_width: usize,
        /// After enlarging.
        tile_height: usize,
    },
    /// Kernels that are neither gray nor colored.
    #[error("kernels over {channels} input channels cannot be shown as colors, only 3 or 1 can")]
    KernelChannels {
        /// The second dimension of the kernels.
        channels: usize,
    },
    /// [`Floats`](crate::Floats) were not read.
    #[error("the values could not be read: {0}")]
    Read(#[from] ReadError),
}
