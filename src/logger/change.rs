//! How much a layer's values changed from one step to another.

use crate::device::PairSums;
use feature_grid::{Floats, ReadError};

/// Values that are read and compared at a time: both pieces stay in the first-level cache.
const PIECE: usize = 2048;

/// Compares values in the same order. Pairs of which one is not finite take no part.
pub(super) fn compare(new: &dyn Floats, old: &dyn Floats) -> Result<PairSums, ReadError> {
    let mut sums = PairSums::default();
    let (mut now, mut then) = (vec![0.0; PIECE], vec![0.0; PIECE]);
    for at in (0..new.count()).step_by(PIECE) {
        let length = PIECE.min(new.count() - at);
        new.read(at, &mut now[..length])?;
        old.read(at, &mut then[..length])?;
        sums = sums.merged(PairSums::over_finite(&then[..length], &now[..length]));
    }
    Ok(sums)
}

/// What `new` has more than `old`.
pub(super) struct Difference<'a> {
    pub(super) new: &'a dyn Floats,
    pub(super) old: &'a dyn Floats,
}

impl Floats for Difference<'_> {
    fn count(&self) -> usize {
        self.new.count()
    }

    fn read(&self, at: usize, out: &mut [f32]) -> Result<(), ReadError> {
        self.new.read(at, out)?;
        let mut old = [0.0; PIECE];
        for (i, out) in out.chunks_mut(PIECE).enumerate() {
            let old = &mut old[..out.len()];
            self.old.read(at + i * PIECE, old)?;
            for (new, old) in out.iter_mut().zip(old) {
                *new -= *old;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Values(Vec<f32>);

    impl Floats for Values {
        fn count(&self) -> usize {
            self.0.len()
        }

        fn read(&self, at: usize, out: &mut [f32]) -> Result<(), ReadError> {
            out.copy_from_slice(&self.0[at..at + out.len()]);
            Ok(())
        }
    }

    /// More than are read at a time, and so large that their squares are not finite in single precision.
    #[test]
    fn all_pieces_are_compared() {
        let sin = |i: u16| f32::from(i).sin() * 4.8e21;
        let old = Values((0..5003).map(sin).collect());
        let new = (0..5003).map(|i| (f32::from(i) * 1.5).cos() * 4.8e21 + sin(i));
        let new = Values(new.collect());
        let sums = compare(&new, &old).unwrap();
        assert!((sums.cosine() - 0.707_085_6).abs() < 1e-6, "{sums:?}");
        assert!((sums.relative() - 1.000_143_4).abs() < 1e-6, "{sums:?}");
        let mut difference = vec![0.0; 5003];
        let both = Difference {
            new: &new,
            old: &old,
        };
        both.read(0, &mut difference).unwrap();
        assert_eq!(difference[4000], new.0[4000] - old.0[4000]);
    }
}
