//! Existing parameters with a new classifier.

use super::build::{ParameterSource, SourceError};
use super::init::RandomParameters;

/// The parameters of `base`, with those whose names begin with `new`, as `classifier.` does, of random numbers.
#[derive(Debug)]
pub(crate) struct Grafted<S> {
    pub(crate) base: S,
    pub(crate) fresh: RandomParameters,
    pub(crate) new: &'static str,
}

impl<S: ParameterSource> Grafted<S> {
    fn source_of(&self, name: &str) -> &dyn ParameterSource {
        if name.starts_with(self.new) {
            &self.fresh
        } else {
            &self.base
        }
    }
}

impl<S: ParameterSource> ParameterSource for Grafted<S> {
    fn shape(&self, name: &str) -> Result<Vec<usize>, SourceError> {
        self.source_of(name).shape(name)
    }

    fn read(&self, name: &str) -> Result<Vec<f32>, SourceError> {
        self.source_of(name).read(name)
    }

    fn batches_tracked(&self, norm: &str) -> Result<i64, SourceError> {
        self.source_of(norm).batches_tracked(norm)
    }
}
