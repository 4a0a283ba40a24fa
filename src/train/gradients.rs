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

/// Estimates of one step, from the gradients of its batches and of all of them together.
///
/// Source: `McCandlish` and others, "An Empirical Model of Large-Batch Training" (2018), appendix A.1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct GradientNoise {
    /// The squared norm of the true gradient. An estimate may be below 0.
    pub(crate) signal: f64,
    /// The variance of one sample's gradient, summed over all parameters. An estimate may be below 0.
    pub(crate) variance: f64,
}

impl GradientNoise {
    /// From the norms of the gradients of batches of so many images, and that of the mean; `None` of a single batch.
    pub(super) fn of(norms: &[f64], sizes: &[usize], of_mean: f64) -> Option<Self> {
        let count = norms.len() as f64;
        let large = sizes.iter().sum::<usize>() as f64;
        // The squared norm of a batch's gradient has the variance over its images: over batches of several sizes, that
        // of the harmonic mean.
        let small = sizes.len() as f64 / sizes.iter().map(|size| 1.0 / *size as f64).sum::<f64>();
        let of_batches = norms.iter().map(|norm| norm * norm).sum::<f64>() / count.max(1.0);
        let of_all = of_mean * of_mean;
        (norms.len() > 1 && large > small).then(|| Self {
            signal: (large * of_all - small * of_batches) / (large - small),
            variance: (of_batches - of_all) / (1.0 / small - 1.0 / large),
        })
    }

    /// The batch size above which a larger one gains little; `None` where this step's estimates are too noisy to say.
    pub(crate) fn scale(self) -> Option<f64> {
        (self.signal > 0.0 && self.variance > 0.0).then(|| self.variance / self.signal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gradients of a known signal and variance: the mean squared norm over `n` samples is their sum with the
    /// variance divided by `n`.
    #[test]
    fn signal_and_variance_are_found_again() {
        let (signal, variance) = (4.0_f64, 48.0_f64);
        let norm = |samples: f64| (signal + variance / samples).sqrt();
        for sizes in [[8_u8; 4], [8, 8, 8, 3]] {
            let norms = sizes.map(|size| norm(f64::from(size)));
            let all = norm(sizes.iter().copied().map(f64::from).sum());
            let noise = GradientNoise::of(&norms, &sizes.map(usize::from), all).unwrap();
            assert!((noise.signal - signal).abs() < 1e-11);
            assert!((noise.variance - variance).abs() < 1e-11);
            assert!((noise.scale().unwrap() - 12.0).abs() < 1e-11);
        }
        assert_eq!(GradientNoise::of(&[norm(8.0)], &[8], norm(8.0)), None);
        assert_eq!(GradientNoise::of(&[], &[8], norm(8.0)), None);
        let negative = GradientNoise::of(&[1.0; 4], &[8; 4], 2.0_f64.sqrt()).unwrap();
        assert_eq!(negative.scale(), None);
    }
}
