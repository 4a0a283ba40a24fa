//! A network's parameters under torchvision's names and in torch's layout.

use burn::nn::conv::Conv2d;

use super::model::{Feature, Vgg};
use crate::network::{Architecture, Layer, Parameter, ParameterValue, Parameters};

impl Vgg {
    /// Every parameter and running statistic, in the order of torchvision's state dict.
    pub(super) fn named_parameters(&self) -> Parameters {
        let mut all = Vec::new();
        for (layer, feature) in self.variant.all_layers().iter().zip(&self.features) {
            feature.add_parameters(layer, &mut all);
        }
        let Some(classifier) = &self.classifier else {
            return Parameters(all);
        };
        let linears = [
            ("classifier.0", &classifier.hidden1),
            ("classifier.3", &classifier.hidden2),
            ("classifier.6", &classifier.output),
        ];
        for (name, linear) in linears {
            // Burn keeps `[inputs, outputs]`, torch `[outputs, inputs]`.
            let weight = ParameterValue::Matrix(linear.weight.val().transpose());
            all.push(Parameter {
                name: format!("{name}.weight"),
                layer: None,
                id: Some(linear.weight.id),
                value: weight,
            });
            all.extend(linear.bias.as_ref().map(|bias| Parameter {
                name: format!("{name}.bias"),
                layer: None,
                id: Some(bias.id),
                value: ParameterValue::Vector(bias.val()),
            }));
        }
        Parameters(all)
    }
}

impl Feature {
    fn add_parameters(&self, layer: &Layer, all: &mut Vec<Parameter>) {
        let mut add = |part: &str, id, value| {
            all.push(Parameter {
                name: format!("{}.{part}", layer.torch_name()),
                layer: Some(layer.clone()),
                id,
                value,
            });
        };
        match self {
            Self::Convolution(Conv2d { weight, bias, .. }) => {
                let kernels = ParameterValue::Kernels(weight.val());
                add("weight", Some(weight.id), kernels);
                if let Some(bias) = bias {
                    add("bias", Some(bias.id), ParameterValue::Vector(bias.val()));
                }
            }
            Self::BatchNorm(norm) => {
                let (norm, is_affine) = (&norm.layer, norm.is_affine);
                let scaling = [("weight", &norm.gamma), ("bias", &norm.beta)];
                for (part, parameter) in scaling.into_iter().filter(|_| is_affine) {
                    add(
                        part,
                        Some(parameter.id),
                        ParameterValue::Vector(parameter.val()),
                    );
                }
                let statistics = [
                    ("running_mean", &norm.running_mean),
                    ("running_var", &norm.running_var),
                ];
                for (part, statistic) in statistics {
                    add(part, None, ParameterValue::Vector(statistic.value_sync()));
                }
            }
            Self::Relu(_) | Self::MaxPool(_) => {}
        }
    }
}
