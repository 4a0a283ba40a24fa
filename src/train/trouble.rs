//! A training that went wrong: what was seen, and where it begins.

use std::fmt;

use burn::tensor::Tensor;

use crate::vgg::{Named, ParameterVisitor, Vgg};

/// A step that cannot be taken.
#[derive(Debug, Clone, PartialEq)]
pub struct Trouble {
    /// The step that was not taken, from 1.
    pub step: u64,
    /// What was seen.
    pub symptom: Symptom,
    /// Where it begins.
    pub place: Place,
}

/// What was seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Symptom {
    /// The loss: not finite, or above what is allowed.
    Loss {
        /// What it is.
        value: f64,
        /// What is allowed.
        highest: f64,
    },
    /// The norm of all gradients.
    Gradients(f64),
}

impl fmt::Display for Symptom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Beyond this the digits before the point say nothing.
            Self::Loss { value, highest } if value.is_finite() && value.abs() < 1e6 => {
                write!(f, "the loss is {value:.4}, above {highest} (--stop-above)")
            }
            Self::Loss { value, highest } if value.is_finite() => {
                write!(f, "the loss is {value:.3e}, above {highest} (--stop-above)")
            }
            Self::Loss { value, .. } => write!(f, "the loss is {value}"),
            Self::Gradients(value) => write!(f, "the norm of the gradients is {value}"),
        }
    }
}

/// The first place in the network with values that are not finite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A parameter, by torchvision's name.
    Parameter(String),
    /// The maps of the layer with this index.
    Layer(usize),
    /// The class scores.
    Classifier,
    /// None: all is finite.
    Nowhere,
}

/// Looks for the first value that is not finite: in the parameters, then in what the network makes
/// of `x`. Running statistics are not looked at: they are what the batch made of them.
pub(super) fn locate(vgg: &Vgg, x: Option<Tensor<4>>) -> Place {
    let mut parameters = FirstParameter(None);
    vgg.each_parameter(&mut parameters);
    if let Some(name) = parameters.0 {
        return Place::Parameter(name);
    }
    let Some(x) = x else { return Place::Nowhere };
    let mut first = None;
    vgg.forward(x.clone(), |index, maps| {
        if first.is_none() && !all_finite(maps.clone()) {
            first = Some(index);
        }
    });
    match (first, vgg.logits(x)) {
        (Some(index), _) => Place::Layer(index),
        (None, Some(logits)) if !all_finite(logits.clone()) => Place::Classifier,
        (None, _) => Place::Nowhere,
    }
}

fn all_finite<const D: usize>(tensor: Tensor<D>) -> bool {
    tensor.is_finite().all().into_scalar::<bool>()
}

struct FirstParameter(Option<String>);

impl ParameterVisitor for FirstParameter {
    fn visit<const D: usize>(&mut self, parameter: Named<D>) {
        if self.0.is_none() && parameter.id.is_some() && !all_finite(parameter.value) {
            self.0 = Some(parameter.name);
        }
    }
}
