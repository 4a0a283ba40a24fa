//! A network's parameters under torchvision's names and in torch's layout.

use burn::module::ParamId;
use burn::tensor::Tensor;

use super::model::{Feature, Vgg};

/// One parameter or running statistic.
pub struct Named<const D: usize> {
    /// torchvision's name: `features.0.weight`.
    pub name: String,
    /// Burn's number of the parameter, by which gradients are found; `None` for running statistics,
    /// which have none.
    pub id: Option<ParamId>,
    /// The values, in the shape that torch has.
    pub value: Tensor<D>,
}

/// Something that looks at parameters of any rank.
pub trait ParameterVisitor {
    /// Looks at one.
    fn visit<const D: usize>(&mut self, parameter: Named<D>);
}

impl Vgg {
    /// Shows `visitor` every parameter and running statistic, in the order of torchvision's state
    /// dict.
    pub fn each_parameter(&self, visitor: &mut impl ParameterVisitor) {
        for (index, layer) in self.features.iter().enumerate() {
            layer.each_parameter(&format!("features.{index}"), visitor);
        }
        let Some(classifier) = &self.classifier else {
            return;
        };
        let linears = [
            (0, &classifier.hidden1),
            (3, &classifier.hidden2),
            (6, &classifier.output),
        ];
        for (index, layer) in linears {
            // Burn keeps `[inputs, outputs]`, torch `[outputs, inputs]`.
            visitor.visit(Named {
                name: format!("classifier.{index}.weight"),
                id: Some(layer.weight.id),
                value: layer.weight.val().transpose(),
            });
            if let Some(bias) = &layer.bias {
                visitor.visit(Named {
                    name: format!("classifier.{index}.bias"),
                    id: Some(bias.id),
                    value: bias.val(),
                });
            }
        }
    }
}

impl Feature {
    fn each_parameter(&self, name: &str, visitor: &mut impl ParameterVisitor) {
        match self {
            Self::Convolution(layer) => {
                visitor.visit(Named {
                    name: format!("{name}.weight"),
                    id: Some(layer.weight.id),
                    value: layer.weight.val(),
                });
                if let Some(bias) = &layer.bias {
                    visitor.visit(Named {
                        name: format!("{name}.bias"),
                        id: Some(bias.id),
                        value: bias.val(),
                    });
                }
            }
            Self::BatchNorm(layer) => {
                for (part, parameter) in [("weight", &layer.gamma), ("bias", &layer.beta)] {
                    visitor.visit(Named {
                        name: format!("{name}.{part}"),
                        id: Some(parameter.id),
                        value: parameter.val(),
                    });
                }
                let statistics = [
                    ("running_mean", &layer.running_mean),
                    ("running_var", &layer.running_var),
                ];
                for (part, statistic) in statistics {
                    visitor.visit(Named {
                        name: format!("{name}.{part}"),
                        id: None,
                        value: statistic.value_sync(),
                    });
                }
            }
            Self::Relu(_) | Self::MaxPool(_) => {}
        }
    }
}
