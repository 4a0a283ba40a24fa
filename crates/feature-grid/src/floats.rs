//! Values that are had in pieces, and how rendering goes over them.

use std::cell::Cell;

use super::RenderError;

/// Floats in a piece, 256 KiB: few enough that a piece is still in the second-level cache of one
/// core when it is looked at, and so many that asking for them costs little.
const PIECE: usize = 1 << 16;

thread_local! {
    /// The piece that a thread had last; new memory for every layer would have to be cleared.
    static BUFFER: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// The values of a layer, where they lie in memory that cannot be borrowed.
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
    /// They cannot be had; says why.
    fn read(&self, at: usize, out: &mut [f32]) -> Result<(), String>;

    /// All of them, where they can be borrowed after all. Then nothing is copied.
    fn slice(&self) -> Option<&[f32]> {
        None
    }
}

/// Where a layer's values are.
#[derive(Clone, Copy)]
pub(super) enum Values<'a> {
    Here(&'a [f32]),
    Elsewhere(&'a dyn Floats),
}

impl<'a> Values<'a> {
    pub(super) fn of(floats: &'a dyn Floats) -> Self {
        floats.slice().map_or(Self::Elsewhere(floats), Self::Here)
    }

    pub(super) fn count(self) -> usize {
        match self {
            Self::Here(data) => data.len(),
            Self::Elsewhere(floats) => floats.count(),
        }
    }

    /// Hands over the first `rows` rows of `width` values in order: the number of the first row of
    /// a piece, and the piece.
    pub(super) fn in_pieces(
        self,
        rows: usize,
        width: usize,
        mut take: impl FnMut(usize, &[f32]),
    ) -> Result<(), RenderError> {
        let floats = match self {
            Self::Here(data) => {
                take(0, &data[..rows * width]);
                return Ok(());
            }
            Self::Elsewhere(floats) => floats,
        };
        let most = (PIECE / width).clamp(1, rows);
        let mut buffer = BUFFER.take();
        buffer.resize(most * width, 0.0);
        for first in (0..rows).step_by(most) {
            let piece = &mut buffer[..most.min(rows - first) * width];
            floats
                .read(first * width, piece)
                .map_err(|why| RenderError::Read { why })?;
            take(first, piece);
        }
        BUFFER.set(buffer);
        Ok(())
    }
}
