//! A training that diverged: the symptom, and where it originates.

use std::path::PathBuf;

use burn::tensor::Tensor;
use thiserror::Error;

use crate::network::vgg::Vgg;
use crate::network::{Layer, Network, Parameter};

#[derive(Debug, Clone, PartialEq, Error)]
#[error("step {step}: {symptom}; {origin}")]
pub(crate) struct Divergence {
    /// The step, from 1.
    pub(crate) step: u64,
    pub(crate) symptom: Symptom,
    pub(crate) origin: Origin,
    /// The network's file of the last checkpoint. Steps after it are not saved, since they led to this.
    pub(crate) last_good: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Error)]
pub(crate) enum Symptom {
    #[error("the loss is {}", shown_loss(*value, *max))]
    Loss { value: f64, max: f64 },
    #[error("the gradient norm is {0}")]
    GradientNorm(f64),
}

fn shown_loss(value: f64, max: f64) -> String {
    match value.abs() {
        // Fixed-point digits of larger values are noise.
        size if size < 1e6 => format!("{value:.4}, above {max}"),
        size if size.is_finite() => format!("{value:.3e}, above {max}"),
        _ => value.to_string(),
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum Origin {
    #[error("the parameter {0} is not finite")]
    Parameter(String),
    #[error("{} ({}) is the first layer whose maps are not finite", .0.name(), .0.torch_name())]
    Layer(Layer),
    #[error("all feature maps are finite, the classifier's scores are not")]
    Classifier,
    #[error("all feature maps and scores are finite")]
    AllFinite,
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
        let layers = vgg.architecture().layers();
        let visited = vgg.visit(x.clone(), &layers, &mut |layer, maps| {
            if first.is_none() && !all_finite(maps.clone()) {
                first = Some(layer.clone());
            }
        });
        match (first, vgg.logits(x)) {
            _ if visited.is_err() => Self::AllFinite,
            (Some(layer), _) => Self::Layer(layer),
            (None, Some(logits)) if !all_finite(logits.clone()) => Self::Classifier,
            (None, _) => Self::AllFinite,
        }
    }
}

fn all_finite<const D: usize>(tensor: Tensor<D>) -> bool {
    tensor.is_finite().all().into_scalar::<bool>()
}
