//! Existing parameters with a new classifier.

use super::build::{ParameterSource, SourceError};
use super::init::RandomParameters;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NewPart {
    /// All three layers.
    Classifier,
    /// The last layer, which has one output per class.
    Output,
}

/// The parameters of `base`, with a classifier, or its last layer, of random numbers.
#[derive(Debug)]
pub(crate) struct Grafted<'a, S> {
    pub(crate) base: &'a S,
    pub(crate) fresh: RandomParameters,
    pub(crate) part: NewPart,
}

impl<S: ParameterSource> Grafted<'_, S> {
    fn source_of(&self, name: &str) -> &dyn ParameterSource {
        let new = match self.part {
            NewPart::Classifier => "classifier.",
            NewPart::Output => "classifier.6.",
        };
        if name.starts_with(new) {
            &self.fresh
        } else {
            self.base
        }
    }
}

impl<S: ParameterSource> ParameterSource for Grafted<'_, S> {
    fn shape(&self, name: &str) -> Result<Vec<usize>, SourceError> {
        self.source_of(name).shape(name)
    }

    fn read(&self, name: &str) -> Result<Vec<f32>, SourceError> {
        self.source_of(name).read(name)
    }
}
