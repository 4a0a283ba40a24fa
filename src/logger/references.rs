//! The feature maps of earlier steps, which those of a step are compared with.

use std::collections::HashMap;

use burn::tensor::Tensor;

use super::error::LoggerError;

/// Which maps the pictures of changes show the difference from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Against {
    /// Those of the run's first step.
    First,
    /// Those of the step before.
    Previous,
    /// Those handed over with [`FeatureLogger::reference`](super::FeatureLogger::reference).
    Given,
}

/// What is remembered of a tag's maps.
#[derive(Clone, Default)]
pub(super) struct Reference {
    pub(super) first: Option<Tensor<4>>,
    pub(super) previous: Option<Tensor<4>>,
    pub(super) given: Option<Tensor<4>>,
}

impl Reference {
    pub(super) fn of(&self, against: Against) -> Option<&Tensor<4>> {
        match against {
            Against::First => self.first.as_ref(),
            Against::Previous => self.previous.as_ref(),
            Against::Given => self.given.as_ref(),
        }
    }
}

/// The references of all tags. Tensors are shared with the step they come from, not copied.
#[derive(Default)]
pub(super) struct References {
    /// Whether values are compared at all.
    pub(super) measured: bool,
    /// What the pictures of changes show, where they are made.
    pub(super) pictured: Option<Against>,
    by_tag: HashMap<String, Reference>,
}

impl References {
    pub(super) fn new(measured: bool, pictured: Option<Against>) -> Self {
        Self {
            measured,
            pictured,
            by_tag: HashMap::new(),
        }
    }

    /// What the maps of `tag` are compared with.
    pub(super) fn of(&self, tag: &str, maps: &Tensor<4>) -> Result<Reference, LoggerError> {
        let reference = self.by_tag.get(tag).cloned().unwrap_or_default();
        let earlier = [&reference.first, &reference.previous, &reference.given];
        let shapes: Vec<_> = earlier.into_iter().flatten().map(Tensor::dims).collect();
        if let Some(&other) = shapes.iter().find(|shape| **shape != maps.dims()) {
            return Err(LoggerError::OtherShape {
                tag: tag.to_owned(),
                shape: maps.dims(),
                reference: other,
            });
        }
        Ok(reference)
    }

    pub(super) fn set(&mut self, tag: String, maps: Tensor<4>, as_what: Against) {
        let reference = self.by_tag.entry(tag).or_default();
        let place = match as_what {
            Against::First => &mut reference.first,
            Against::Previous => &mut reference.previous,
            Against::Given => &mut reference.given,
        };
        *place = Some(maps);
    }

    /// A step with these maps was handed over.
    pub(super) fn advance(&mut self, tag: String, maps: Tensor<4>) {
        let reference = self.by_tag.entry(tag).or_default();
        reference.first.get_or_insert_with(|| maps.clone());
        reference.previous = Some(maps);
    }
}
