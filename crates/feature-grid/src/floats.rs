//! Values that are read chunk by chunk.

use thiserror::Error;

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
        let from = self.as_ref().get(at..).unwrap_or_default();
        let part = from
            .get(..out.len())
            .ok_or_else(|| ReadError("there are not so many values".to_owned()))?;
        out.copy_from_slice(part);
        Ok(())
    }

    fn slice(&self) -> Option<&[f32]> {
        Some(self.as_ref())
    }
}
