//! Values that are read chunk by chunk, and how rendering goes over them.

use std::cell::Cell;

use thiserror::Error;

use super::RenderError;

/// Floats in a piece, 256 KiB: few enough that a piece is still in the second-level cache of one
/// core when it is computed on, and so many that asking for them costs little.
const PIECE: usize = 1 << 16;

thread_local! {
    /// The piece that a thread had last; new memory for every layer would have to be cleared.
    static BUFFER: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// The values of a layer. Slices, vectors and arrays of `f32` are some; implement it for values that
/// lie where they cannot be borrowed, such as in another library's tensor.
///
/// Rendering reads them twice, in pieces that stay in the cache. To copy all of them out first would
/// write as much memory again, which rendering threads do not have to themselves and the system may
/// have to hand out anew.
pub trait Floats {
    /// How many there are.
    fn count(&self) -> usize;

    /// Copies the values from number `at` on into all of `out`.
    ///
    /// # Errors
    ///
    /// Reading failed.
    fn read(&self, at: usize, out: &mut [f32]) -> Result<(), ReadError>;

    /// All of them, where they can be borrowed after all. Then nothing is copied.
    fn slice(&self) -> Option<&[f32]> {
        None
    }
}

/// Why [`Floats`] could not be read, in the words of the library that holds them.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct ReadError(String);

impl From<String> for ReadError {
    fn from(why: String) -> Self {
        Self(why)
    }
}

impl<T: AsRef<[f32]>> Floats for T {
    fn count(&self) -> usize {
        self.as_ref().len()
    }

    fn read(&self, at: usize, out: &mut [f32]) -> Result<(), ReadError> {
        out.copy_from_slice(&self.as_ref()[at..at + out.len()]);
        Ok(())
    }

    fn slice(&self) -> Option<&[f32]> {
        Some(self.as_ref())
    }
}

/// Hands over the first `rows` rows of `width` values in order: the number of the first row of
/// a piece, and the piece.
pub(super) fn in_pieces(
    floats: &dyn Floats,
    rows: usize,
    width: usize,
    mut take: impl FnMut(usize, &[f32]),
) -> Result<(), RenderError> {
    if let Some(data) = floats.slice() {
        take(0, &data[..rows * width]);
        return Ok(());
    }
    let most = (PIECE / width).clamp(1, rows);
    let mut buffer = BUFFER.take();
    buffer.resize(most * width, 0.0);
    for first in (0..rows).step_by(most) {
        let piece = &mut buffer[..most.min(rows - first) * width];
        floats.read(first * width, piece)?;
        take(first, piece);
    }
    BUFFER.set(buffer);
    Ok(())
}
