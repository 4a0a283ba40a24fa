//! What rendering makes and PNG takes.

use super::colormap::Colormap;

/// Eight-bit pixels, row by row from the top.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// What the bytes of `pixels` mean.
    pub color: Color,
    /// `[height, width, channels]`.
    pub pixels: Vec<u8>,
}

/// What the bytes of a picture mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Color {
    /// One byte a pixel, from black to white.
    Gray,
    /// One byte a pixel, an index into this colormap's palette.
    Indexed(Colormap),
    /// Three bytes a pixel: red, green, blue.
    Rgb,
}

impl Color {
    /// Bytes a pixel.
    pub const fn channels(self) -> usize {
        match self {
            Self::Gray | Self::Indexed(_) => 1,
            Self::Rgb => 3,
        }
    }
}

impl Picture {
    /// A color picture.
    ///
    /// # Shapes
    ///
    /// `pixels` is `[height, width, 3]`; another length is found out when the picture is encoded.
    pub const fn rgb(width: u32, height: u32, pixels: Vec<u8>) -> Self {
        Self {
            width,
            height,
            color: Color::Rgb,
            pixels,
        }
    }
}
