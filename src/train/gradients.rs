//! The norm of all gradients of a step.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use crate::device::norm;
use crate::vgg::Vgg;

/// The Euclidean norm of all gradients as one vector.
///
/// Source: `torch.nn.utils.get_total_norm`.
pub(super) fn total_norm(vgg: &Vgg, gradients: &GradientsParams) -> f64 {
    let mut norms = Norms {
        gradients,
        norms: Vec::new(),
    };
    vgg.visit(&mut norms);
    norms
        .norms
        .into_iter()
        .map(|norm| f64::from(norm.into_scalar::<f32>()).powi(2))
        .sum::<f64>()
        .sqrt()
}

struct Norms<'a> {
    gradients: &'a GradientsParams,
    /// Read only at the end, so that a GPU is not synchronized for each.
    norms: Vec<Tensor<1>>,
}

impl ModuleVisitor for Norms<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            self.norms.push(norm(gradient));
        }
    }
}

/// Multiplies every gradient by `factor`.
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
