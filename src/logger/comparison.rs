//! Feature maps of earlier steps, and how those of a step differ from them.

use std::collections::HashMap;

use burn::tensor::Tensor;

use super::error::LoggerError;
use crate::device::caught;
use feature_grid::{Floats, ReadError};

const PIECE: usize = 2048;

/// Which maps the pictures of changes show the difference from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Against {
    /// Those of the run's first step.
    First,
    /// Those of the step before.
    Previous,
    /// Those handed over with `FeatureLogger::reference`.
    Given,
}

const KINDS: [(Against, &str); 3] = [
    (Against::First, "first"),
    (Against::Previous, "previous"),
    (Against::Given, "reference"),
];

/// The maps of earlier steps by tag. Tensors are shared with the step they come from, not copied.
#[derive(Default)]
pub(super) struct References {
    pub(super) measured: bool,
    pub(super) pictured: Option<Against>,
    /// In the order of [`Against`].
    pub(super) by_tag: HashMap<String, [Option<Tensor<4>>; 3]>,
}

#[derive(Default)]
pub(super) struct Earlier {
    pub(super) measured: Vec<(&'static str, Tensor<4>)>,
    pub(super) pictured: Option<Tensor<4>>,
}

impl References {
    pub(super) fn are_kept(&self) -> bool {
        self.measured || self.pictured.is_some()
    }

    /// What the maps of `tag` are compared with, on their device.
    pub(super) fn of(&self, tag: &str, maps: &Tensor<4>) -> Result<Earlier, LoggerError> {
        let none = [const { None }; 3];
        let known = self.by_tag.get(tag).unwrap_or(&none);
        let mut earlier = Earlier::default();
        for (old, (against, name)) in known.iter().zip(KINDS) {
            let Some(old) = old else { continue };
            if old.dims() != maps.dims() {
                return Err(LoggerError::OtherShape {
                    tag: tag.to_owned(),
                    shape: maps.dims(),
                    reference: old.dims(),
                });
            }
            // An earlier batch may have been another device's.
            let old = caught(|| old.clone().to_device(&maps.device()));
            let old = old.map_err(|error| LoggerError::Copy(tag.to_owned(), error))?;
            if self.pictured == Some(against) {
                earlier.pictured = Some(old.clone());
            }
            if self.measured {
                earlier.measured.push((name, old));
            }
        }
        Ok(earlier)
    }

    pub(super) fn set(&mut self, tag: String, maps: Tensor<4>, as_what: Against) {
        self.by_tag.entry(tag).or_default()[as_what as usize] = Some(maps);
    }

    pub(super) fn advance(&mut self, tag: String, maps: Tensor<4>) {
        let [first, previous, _] = self.by_tag.entry(tag).or_default();
        first.get_or_insert_with(|| maps.clone());
        *previous = Some(maps);
    }
}

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
    use crate::device::PairSums;

    /// More than are read at a time, and so large that their squares are not finite in single precision.
    #[test]
    fn all_pieces_are_compared() {
        let sin = |i: u16| f32::from(i).sin() * 4.8e21;
        let old: Vec<f32> = (0..5003).map(sin).collect();
        let new = (0..5003).map(|i| (f32::from(i) * 1.5).cos() * 4.8e21 + sin(i));
        let new: Vec<f32> = new.collect();
        let sums = PairSums::of_floats(&old, &new).unwrap();
        assert!((sums.cosine() - 0.707_085_6).abs() < 1e-6, "{sums:?}");
        assert!((sums.relative() - 1.000_143_4).abs() < 1e-6, "{sums:?}");
        let mut difference = vec![0.0; 5003];
        let both = Difference {
            new: &new,
            old: &old,
        };
        both.read(0, &mut difference).unwrap();
        assert_eq!(
            difference[4000].to_bits(),
            (new[4000] - old[4000]).to_bits()
        );
    }
}
