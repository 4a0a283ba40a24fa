//! The norm of all gradients of a step, and scaling them.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use crate::device::norm;
use crate::network::vgg::Vgg;

/// The Euclidean norm of every gradient, where the gradients are: shape `[gradients]`.
pub(super) fn norms(vgg: &Vgg, gradients: &GradientsParams) -> Tensor<1> {
    let mut norms = Norms {
        gradients,
        norms: Vec::new(),
    };
    vgg.visit(&mut norms);
    Tensor::cat(norms.norms, 0)
}

/// The Euclidean norm of all gradients as one vector, from the norm of each.
///
/// Source: `torch.nn.utils.get_total_norm`.
pub(super) fn total_norm(norms: &[f32]) -> f64 {
    let squares = norms.iter().map(|norm| f64::from(*norm).powi(2));
    squares.sum::<f64>().sqrt()
}

struct Norms<'a> {
    gradients: &'a GradientsParams,
    norms: Vec<Tensor<1>>,
}

impl ModuleVisitor for Norms<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            self.norms.push(norm(gradient));
        }
    }
}

pub(super) fn scale(vgg: &Vgg, gradients: &mut GradientsParams, factor: f64) {
    vgg.visit(&mut Scale { gradients, factor });
}

struct Scale<'a> {
    gradients: &'a mut GradientsParams,
    factor: f64,
}

impl ModuleVisitor for Scale<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.remove::<D>(param.id) {
            self.gradients
                .register(param.id, gradient.mul_scalar(self.factor));
        }
    }
}
