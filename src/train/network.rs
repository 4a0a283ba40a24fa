//! Preparing a network for training.

use burn::module::{Module, ModuleMapper, Param, ParamId};
use burn::nn::Linear;
use burn::tensor::Tensor;

use crate::network::vgg::{Classifier, Vgg};

/// Prepares `vgg`, which must be on a device with gradients, for training.
///
/// Parameter ids are made positional, so that a saved optimizer state matches them in another process.
/// Layers up to and including `frozen` keep their parameters and running statistics.
pub(super) fn ready(vgg: Vgg, frozen: Option<usize>) -> Vgg {
    let mut vgg = vgg.map(&mut PositionalIds(0));
    vgg.classifier = vgg.classifier.map(row_major);
    let frozen = frozen.map_or(0, |deepest| deepest + 1);
    let learning = vgg.features.split_off(frozen.min(vgg.features.len()));
    let frozen = vgg.features.into_iter().map(Module::freeze);
    vgg.features = frozen.chain(learning).collect();
    vgg
}

struct PositionalIds(u64);

impl ModuleMapper for PositionalIds {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (_, tensor, mapper) = param.consume();
        self.0 += 1;
        Param::from_mapped_value(ParamId::from(self.0), tensor, mapper)
    }
}

/// Gradients are row-major. Weights that were transposed from torch's files are column-major, and every
/// optimizer would stride through 400 MB of them.
fn row_major(mut classifier: Classifier) -> Classifier {
    let contiguous = |layer: Linear| Linear {
        weight: layer.weight.map(|weight| {
            let device = weight.device();
            Tensor::from_data(weight.into_data(), &device).require_grad()
        }),
        bias: layer.bias,
    };
    classifier.hidden1 = contiguous(classifier.hidden1);
    classifier.hidden2 = contiguous(classifier.hidden2);
    classifier.output = contiguous(classifier.output);
    classifier
}
