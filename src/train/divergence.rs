//! A training that diverged: the symptom, and where it originates.

use std::fmt;
use std::path::PathBuf;

use burn::tensor::Tensor;

use crate::network::vgg::Vgg;
use crate::network::{Architecture, Layer, Network, Parameter};

/// A step that was not taken because of its loss or gradients.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Divergence {
    /// The step, from 1.
    pub(crate) step: u64,
    /// What was observed.
    pub(crate) symptom: Symptom,
    pub(crate) origin: Origin,
    /// The network's file of the last checkpoint. Steps after it are not saved, since they led to this.
    pub(crate) last_good: Option<PathBuf>,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { step, symptom, .. } = self;
        write!(f, "step {step}: {symptom}; {}", self.origin)
    }
}

/// What was observed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Symptom {
    /// A loss that is not finite or above the limit, in nats.
    Loss { value: f64, max: f64 },
    /// A gradient norm that is not finite.
    GradientNorm(f64),
}

impl fmt::Display for Symptom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Fixed-point digits of larger values are noise.
            Self::Loss { value, max } if value.is_finite() && value.abs() < 1e6 => {
                write!(f, "the loss is {value:.4}, above {max}")
            }
            Self::Loss { value, max } if value.is_finite() => {
                write!(f, "the loss is {value:.3e}, above {max}")
            }
            Self::Loss { value, .. } => write!(f, "the loss is {value}"),
            Self::GradientNorm(value) => write!(f, "the gradient norm is {value}"),
        }
    }
}

/// The first part of the network with values that are not finite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A parameter, by torchvision's name.
    Parameter(String),
    /// The feature maps of a layer.
    Layer(Layer),
    /// The logits.
    Classifier,
    /// None: all values are finite.
    AllFinite,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parameter(name) => write!(f, "the parameter {name} is not finite"),
            Self::Layer(layer) => {
                let (name, torch_name) = (layer.name(), layer.torch_name());
                let what = "is the first layer whose maps are not finite";
                write!(f, "{name} ({torch_name}) {what}")
            }
            Self::Classifier => {
                f.write_str("all feature maps are finite, the classifier's scores are not")
            }
            Self::AllFinite => f.write_str("all feature maps and scores are finite"),
        }
    }
}

impl Origin {
    /// Searches the parameters, then the activations of `x` `[batch, 3, height, width]`. Running
    /// statistics are not searched: they already contain the batch that diverged.
    pub(super) fn find(vgg: &Vgg, x: Option<Tensor<4>>) -> Self {
        let parameters = vgg.parameters();
        let is_wrong = |parameter: &&Parameter| {
            let value = parameter.value.clone();
            parameter.id.is_some() && !all_finite(value.flatten())
        };
        if let Some(first) = parameters.iter().find(is_wrong) {
            return Self::Parameter(first.name.clone());
        }
        let Some(x) = x else { return Self::AllFinite };
        let mut first = None;
        vgg.visit(x.clone(), &vgg.layers(), &mut |layer, maps| {
            if first.is_none() && !all_finite(maps.clone()) {
                first = Some(layer.clone());
            }
        });
        match (first, vgg.logits(x)) {
            (Some(layer), _) => Self::Layer(layer),
            (None, Some(logits)) if !all_finite(logits.clone()) => Self::Classifier,
            (None, _) => Self::AllFinite,
        }
    }
}

fn all_finite<const D: usize>(tensor: Tensor<D>) -> bool {
    tensor.is_finite().all().into_scalar::<bool>()
}
