//! A network made ready for training.

use burn::module::{Module, ModuleMapper, Param, ParamId};
use burn::nn::Linear;
use burn::tensor::Tensor;

use crate::vgg::{Classifier, Vgg};

/// Makes `vgg`, which must be on a device with gradients, ready for training.
///
/// Parameters get numbers by their place, so that an optimiser's saved state finds them again in
/// another process. Layers up to and with `frozen` keep their parameters, and their batch
/// normalisation keeps its running statistics.
pub(super) fn ready(vgg: Vgg, frozen: Option<usize>) -> Vgg {
    let mut vgg = vgg.map(&mut Numbering(0));
    vgg.classifier = vgg.classifier.map(in_rows);
    if let Some(deepest) = frozen {
        vgg.features = vgg
            .features
            .into_iter()
            .enumerate()
            .map(|(index, layer)| {
                if index <= deepest {
                    layer.freeze()
                } else {
                    layer
                }
            })
            .collect();
    }
    vgg
}

struct Numbering(u64);

impl ModuleMapper for Numbering {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (_, tensor, mapper) = param.consume();
        self.0 += 1;
        Param::from_mapped_value(ParamId::from(self.0), tensor, mapper)
    }
}

/// Gradients come row by row. Where the weights lie column by column, as torch's files have them,
/// every optimiser would walk 400 MB of them across the grain.
fn in_rows(mut classifier: Classifier) -> Classifier {
    let turn = |layer: Linear| Linear {
        weight: layer.weight.map(|weight| {
            let device = weight.device();
            Tensor::from_data(weight.into_data(), &device).require_grad()
        }),
        bias: layer.bias,
    };
    classifier.hidden1 = turn(classifier.hidden1);
    classifier.hidden2 = turn(classifier.hidden2);
    classifier.output = turn(classifier.output);
    classifier
}
