//! The one picture type of this module.

use std::fmt;

/// An RGB picture with 8 bits a channel.
///
/// # Shapes
/// Pixels are interleaved, `[height, width, 3]`, row by row from the top; `width` and `height` are
/// at least 1.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl Picture {
    /// A picture of these pixels, `[height, width, 3]`; `None` when there are not
    /// `height * width * 3` of them or when there are none.
    #[must_use]
    pub fn new(width: usize, height: usize, pixels: Vec<u8>) -> Option<Self> {
        let expected = width.checked_mul(height)?.checked_mul(3)?;
        (expected > 0 && pixels.len() == expected).then_some(Self {
            width,
            height,
            pixels,
        })
    }

    /// A black picture to draw on; both sides are at least 1.
    pub(crate) fn black(width: usize, height: usize) -> Self {
        debug_assert!(width > 0 && height > 0, "a picture has pixels");
        Self {
            width,
            height,
            pixels: vec![0; width * height * 3],
        }
    }

    pub(crate) fn pixels_mut(&mut self) -> &mut [u8] {
        &mut self.pixels
    }

    /// Pixels a row.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    #[must_use]
    pub fn height(&self) -> usize {
        self.height
    }

    /// The pixels, `[height, width, 3]`.
    #[must_use]
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The pixels, `[height, width, 3]`, taken out.
    #[must_use]
    pub fn into_pixels(self) -> Vec<u8> {
        self.pixels
    }
}

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Picture({} x {})", self.width, self.height)
    }
}
