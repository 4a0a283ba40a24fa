//! A network's parameters under torchvision's names and in torch's layout.

use burn::module::ParamId;
use burn::nn::conv::Conv2d;
use burn::tensor::Tensor;

use super::model::{Feature, Vgg};

/// One parameter or running statistic.
pub(crate) struct Named<const D: usize> {
    /// torchvision's name: `features.0.weight`.
    pub(crate) name: String,
    /// Burn's id of the parameter, by which gradients are found; `None` for running statistics.
    pub(crate) id: Option<ParamId>,
    /// The values, in the shape that torch has.
    pub(crate) value: Tensor<D>,
}

pub(crate) trait ParameterVisitor {
    fn visit<const D: usize>(&mut self, parameter: Named<D>);
}

impl<const D: usize> Named<D> {
    fn of(name: &str, part: &str, id: Option<ParamId>, value: Tensor<D>) -> Self {
        let name = format!("{name}.{part}");
        Self { name, id, value }
    }
}

impl Vgg {
    /// Visits every parameter and running statistic, in the order of torchvision's state dict.
    pub(crate) fn each_parameter(&self, visitor: &mut impl ParameterVisitor) {
        for (index, layer) in self.features.iter().enumerate() {
            layer.each_parameter(&format!("features.{index}"), visitor);
        }
        let Some(classifier) = &self.classifier else {
            return;
        };
        let linears = [
            ("classifier.0", &classifier.hidden1),
            ("classifier.3", &classifier.hidden2),
            ("classifier.6", &classifier.output),
        ];
        for (name, layer) in linears {
            // Burn keeps `[inputs, outputs]`, torch `[outputs, inputs]`.
            let weight = layer.weight.val().transpose();
            visitor.visit(Named::of(name, "weight", Some(layer.weight.id), weight));
            if let Some(bias) = &layer.bias {
                visitor.visit(Named::of(name, "bias", Some(bias.id), bias.val()));
            }
        }
    }
}

impl Feature {
    fn each_parameter(&self, name: &str, visitor: &mut impl ParameterVisitor) {
        match self {
            Self::Convolution(Conv2d { weight, bias, .. }) => {
                visitor.visit(Named::of(name, "weight", Some(weight.id), weight.val()));
                if let Some(bias) = bias {
                    visitor.visit(Named::of(name, "bias", Some(bias.id), bias.val()));
                }
            }
            Self::BatchNorm(layer) => {
                for (part, parameter) in [("weight", &layer.gamma), ("bias", &layer.beta)] {
                    let id = Some(parameter.id);
                    visitor.visit(Named::of(name, part, id, parameter.val()));
                }
                let statistics = [
                    ("running_mean", &layer.running_mean),
                    ("running_var", &layer.running_var),
                ];
                for (part, statistic) in statistics {
                    visitor.visit(Named::of(name, part, None, statistic.value_sync()));
                }
            }
            Self::Relu(_) | Self::MaxPool(_) => {}
        }
    }
}
