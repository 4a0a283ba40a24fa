//! The parameters of a network, by name.

use burn::module::ParamId;
use burn::tensor::{Tensor, TensorData};

use super::layer::{Layer, LayerKind};

/// All parameters and running statistics of a network, in the order of PyTorch's state dict.
#[derive(Debug, Clone, Default)]
pub(crate) struct Parameters(pub(crate) Vec<Parameter>);

#[derive(Debug, Clone)]
pub(crate) struct Parameter {
    /// PyTorch's name: `features.0.weight`.
    pub(crate) name: String,
    /// The layer that it belongs to, if that is one with feature maps.
    pub(crate) layer: Option<Layer>,
    /// Burn's id, by which gradients are found; `None` for running statistics.
    pub(crate) id: Option<ParamId>,
    pub(crate) value: ParameterValue,
}

/// The values of a parameter, in the shape that PyTorch has.
#[derive(Debug, Clone)]
pub(crate) enum ParameterValue {
    /// A bias, or what batch normalization has of each channel: `[channels]`.
    Vector(Tensor<1>),
    /// A linear layer: `[outputs, inputs]`.
    Matrix(Tensor<2>),
    /// A convolution: `[filters, channels, height, width]`.
    Kernels(Tensor<4>),
}

impl ParameterValue {
    /// The values on the host, in the shape that PyTorch has.
    pub(crate) fn into_data(self) -> TensorData {
        match self {
            Self::Vector(vector) => vector.into_data(),
            Self::Matrix(matrix) => matrix.into_data(),
            Self::Kernels(kernels) => kernels.into_data(),
        }
    }

    /// The values in some order, where they are: `[values]`.
    pub(crate) fn flatten(self) -> Tensor<1> {
        match self {
            Self::Vector(vector) => vector,
            Self::Matrix(matrix) => matrix.flatten(0, 1),
            Self::Kernels(kernels) => kernels.flatten(0, 3),
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Convolution<'a> {
    pub(crate) layer: &'a Layer,
    /// `[filters, channels, height, width]`.
    pub(crate) kernels: &'a Tensor<4>,
    /// What else stands before the next convolution, each a value a filter: the bias, and batch normalization.
    pub(crate) vectors: Vec<&'a Tensor<1>>,
}

impl Parameters {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Parameter> {
        self.0.iter()
    }

    /// The convolutions, in the network's order.
    pub(crate) fn convolutions(&self) -> impl Iterator<Item = Convolution<'_>> {
        self.0.iter().enumerate().filter_map(|(at, parameter)| {
            let (Some(layer), ParameterValue::Kernels(kernels)) =
                (&parameter.layer, &parameter.value)
            else {
                return None;
            };
            let of_features = |parameter: &&Parameter| parameter.layer.is_some();
            let vectors = self.0[at + 1..].iter().take_while(of_features);
            let vectors = vectors.map_while(|next| match &next.value {
                ParameterValue::Vector(vector) => Some(vector),
                _ => None,
            });
            (layer.kind == LayerKind::Convolution).then(|| Convolution {
                layer,
                kernels,
                vectors: vectors.collect(),
            })
        })
    }

    /// The weights of the linear layers, which belong to no layer with maps, by PyTorch's name of the layer:
    /// `[inputs, outputs]`, as Burn has them.
    pub(crate) fn linears(&self) -> impl Iterator<Item = (&str, Tensor<2>)> {
        self.0
            .iter()
            .filter_map(|parameter| match &parameter.value {
                ParameterValue::Matrix(weights) => {
                    let name = parameter.name.strip_suffix(".weight")?;
                    Some((name, weights.clone().transpose()))
                }
                _ => None,
            })
    }

    /// Those of the first convolution, `[filters, channels, height, width]`, where it takes an image.
    pub(crate) fn kernels(&self) -> Option<&Tensor<4>> {
        let first = self.convolutions().next().map(|first| first.kernels);
        first.filter(|kernels| matches!(kernels.dims()[1], 1 | 3))
    }
}
