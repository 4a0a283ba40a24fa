//! Old parameters with a new classifier.

use thiserror::Error;

use super::build::ParameterSource;
use super::init::{NoSuchParameter, RandomParameters};

/// How much of a classifier is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewPart {
    /// All three layers.
    Classifier,
    /// The last layer, which has an output a class.
    Output,
}

/// The parameters of one source with a classifier, or its last layer, from random numbers.
#[derive(Debug)]
pub struct Grafted<'a, S> {
    /// Where everything else comes from.
    pub base: &'a S,
    /// Where the new part comes from.
    pub fresh: RandomParameters,
    /// What is new.
    pub part: NewPart,
}

/// A parameter that one of the two sources does not give.
#[derive(Debug, Error)]
pub enum GraftError<E: std::error::Error + 'static> {
    /// The base.
    #[error(transparent)]
    Base(E),
    /// The new part.
    #[error(transparent)]
    Fresh(NoSuchParameter),
}

impl<S> Grafted<'_, S> {
    fn is_new(&self, name: &str) -> bool {
        name.starts_with(match self.part {
            NewPart::Classifier => "classifier.",
            NewPart::Output => "classifier.6.",
        })
    }
}

impl<S: ParameterSource> ParameterSource for Grafted<'_, S> {
    type Error = GraftError<S::Error>;

    fn shape(&self, name: &str) -> Result<Vec<usize>, Self::Error> {
        if self.is_new(name) {
            self.fresh.shape(name).map_err(GraftError::Fresh)
        } else {
            self.base.shape(name).map_err(GraftError::Base)
        }
    }

    fn read(&self, name: &str) -> Result<Vec<f32>, Self::Error> {
        if self.is_new(name) {
            self.fresh.read(name).map_err(GraftError::Fresh)
        } else {
            self.base.read(name).map_err(GraftError::Base)
        }
    }
}
