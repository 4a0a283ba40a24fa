//! A network's parameters under torchvision's names and in torch's layout.

use super::model::{Feature, Vgg};
use crate::network::ParameterValue::{Kernels, Matrix, Vector};
use crate::network::{Architecture, Layer, Parameter, Parameters};

impl Vgg {
    /// Every parameter and running statistic, in the order of torchvision's state dict.
    pub(super) fn named_parameters(&self) -> Parameters {
        let mut all = Vec::new();
        let mut add = |layer: Option<&Layer>, name: &str, part: &str, id, value| {
            all.push(Parameter {
                name: format!("{name}.{part}"),
                layer: layer.cloned(),
                id,
                value,
            });
        };
        for (layer, feature) in self.variant.all_layers().iter().zip(&self.features) {
            let mut add = |part, id, value| add(Some(layer), layer.torch_name(), part, id, value);
            match feature {
                Feature::Convolution(own) => {
                    add("weight", Some(own.weight.id), Kernels(own.weight.val()));
                    if let Some(bias) = &own.bias {
                        add("bias", Some(bias.id), Vector(bias.val()));
                    }
                }
                Feature::BatchNorm(norm) => {
                    let own = &norm.layer;
                    if norm.is_affine {
                        add("weight", Some(own.gamma.id), Vector(own.gamma.val()));
                        add("bias", Some(own.beta.id), Vector(own.beta.val()));
                    }
                    add("running_mean", None, Vector(own.running_mean.value_sync()));
                    add("running_var", None, Vector(own.running_var.value_sync()));
                }
                Feature::Relu(_) | Feature::MaxPool(_) => {}
            }
        }
        let linears = self.classifier.iter().flat_map(|classifier| {
            [
                ("classifier.0", &classifier.hidden1),
                ("classifier.3", &classifier.hidden2),
                ("classifier.6", &classifier.output),
            ]
        });
        for (name, linear) in linears {
            // Burn keeps `[inputs, outputs]`, torch `[outputs, inputs]`.
            let weight = Matrix(linear.weight.val().transpose());
            add(None, name, "weight", Some(linear.weight.id), weight);
            if let Some(bias) = &linear.bias {
                add(None, name, "bias", Some(bias.id), Vector(bias.val()));
            }
        }
        Parameters(all)
    }
}
