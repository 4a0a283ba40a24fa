//! From named parameters to a network on a device, checking every shape on the way.

use std::path::Path;

use burn::module::{Param, RunningState};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::MaxPool2dConfig;
use burn::nn::{BatchNormConfig, Linear, PaddingConfig2d, Relu};
use burn::tensor::{Tensor, TensorData};

use super::batch_norm::BatchNorm;
use super::error::NetworkError;
use super::model::{Classifier, Feature, Vgg};
use super::variant::Variant;
use crate::network::{Kernels, Layer, LayerKind, Placement};
use crate::weights::{WeightsError, WeightsErrorKind};

/// Parameters of a network by torchvision's names (`features.0.weight`).
pub(crate) trait ParameterSource {
    /// Where they are from, for errors.
    fn path(&self) -> &Path;

    /// In torch's layout: convolutions `[outputs, inputs, 3, 3]`, linear weights `[outputs, inputs]`.
    fn shape(&self, name: &str) -> Result<Vec<usize>, WeightsError>;

    /// Row-major.
    fn read(&self, name: &str) -> Result<Vec<f32>, WeightsError>;

    /// The batches that a batch norm was trained with.
    fn batches_tracked(&self, _norm: &str) -> Result<i64, WeightsError> {
        Ok(0)
    }
}

/// How much of a network to build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// `features.0` up to and with this index, no classifier.
    Features {
        deepest: usize,
    },
    Whole,
}

/// Builds a network from the parameters of `source`.
///
/// Widths, input channels and class count are taken from the parameters; that they fit each other
/// is checked before anything is read. Only what `extent` needs is read.
pub(crate) fn build(
    source: &dyn ParameterSource,
    variant: &Variant,
    extent: Extent,
    place: Placement<'_>,
) -> Result<Vgg, NetworkError> {
    let builder = Builder { source, place };
    let mut layers = variant.arch.layers();
    if let Extent::Features { deepest } = extent {
        layers.truncate(deepest + 1);
    }
    let widths = builder.widths(&layers)?;
    let classifier = match extent {
        Extent::Whole => Some(builder.classifier(widths.last().copied().unwrap_or_default())?),
        Extent::Features { .. } => None,
    };
    let features = layers.iter().zip(widths);
    let features = features.map(|(layer, width)| builder.feature(layer, width));
    Ok(Vgg {
        features: features.collect::<Result<_, _>>()?,
        classifier,
        variant: variant.clone(),
    })
}

struct Builder<'a> {
    source: &'a dyn ParameterSource,
    place: Placement<'a>,
}

impl Builder<'_> {
    /// The channels that come out of each layer, with every shape checked.
    fn widths(&self, layers: &[Layer]) -> Result<Vec<usize>, NetworkError> {
        let mut channels = None;
        let mut widths = Vec::with_capacity(layers.len());
        for layer in layers {
            let name = layer.torch_name();
            match layer.kind {
                LayerKind::Convolution => {
                    channels = Some(self.check_convolution(name, channels)?);
                }
                LayerKind::BatchNorm => {
                    let is_affine = self.is_affine(name);
                    let scaling = ["weight", "bias"].into_iter().filter(|_| is_affine);
                    for part in scaling.chain(["running_mean", "running_var"]) {
                        self.check(&format!("{name}.{part}"), &[channels.unwrap_or_default()])?;
                    }
                }
                _ => {}
            }
            widths.push(channels.unwrap_or_default());
        }
        Ok(widths)
    }

    /// Checks a convolution's kernels `[out, in, 3, 3]` and bias `[out]`; returns `out`.
    fn check_convolution(
        &self,
        name: &str,
        channels: Option<usize>,
    ) -> Result<usize, NetworkError> {
        let weight = format!("{name}.weight");
        let found = self.source.shape(&weight)?;
        match found[..] {
            [out, input, 3, 3] if out > 0 && channels.is_none_or(|channels| channels == input) => {
                if self.has_bias(name) {
                    self.check(&format!("{name}.bias"), &[out])?;
                }
                Ok(out)
            }
            _ => {
                let input = channels.map_or("channels".to_owned(), |channels| channels.to_string());
                Err(self.mismatch(&weight, found, format!("[kernels, {input}, 3, 3]")))
            }
        }
    }

    /// Networks whose convolutions have no biases exist, mostly before batch normalization; a single bias
    /// that is missing is an error where it is looked for.
    fn has_bias(&self, convolution: &str) -> bool {
        let has = |name: &str| self.source.shape(&format!("{name}.bias")).is_ok();
        has(convolution) || has("features.0")
    }

    /// Whether a batch norm has a weight and a bias (`affine=False`: neither).
    fn is_affine(&self, norm: &str) -> bool {
        let has = |part: &str| self.source.shape(&format!("{norm}.{part}")).is_ok();
        has("weight") || has("bias") || !has("running_mean")
    }

    fn check(&self, name: &str, expected: &[usize]) -> Result<(), NetworkError> {
        let found = self.source.shape(name)?;
        if found == expected {
            return Ok(());
        }
        Err(self.mismatch(name, found, format!("{expected:?}")))
    }

    fn mismatch(&self, name: &str, found: Vec<usize>, expected: String) -> NetworkError {
        let name = name.to_owned();
        let kind = WeightsErrorKind::Shape {
            name,
            found,
            expected,
        };
        WeightsError::new(self.source.path(), kind).into()
    }

    fn feature(&self, layer: &Layer, width: usize) -> Result<Feature, NetworkError> {
        let name = layer.torch_name();
        Ok(match layer.kind {
            LayerKind::Convolution => Feature::Convolution(self.convolution(name)?),
            LayerKind::BatchNorm => Feature::BatchNorm(self.batch_norm(name, width)?),
            LayerKind::Relu => Feature::Relu(Relu::new()),
            _ => Feature::MaxPool(MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init()),
        })
    }

    fn convolution(&self, name: &str) -> Result<Conv2d, NetworkError> {
        let weight: Tensor<4> = self.tensor(&format!("{name}.weight"))?;
        let [out, input, ..] = weight.dims();
        let weight = match self.place.kernels {
            Kernels::Planar => weight,
            Kernels::Interleaved => {
                let reordered = weight.permute([0, 2, 3, 1]).into_data();
                Tensor::<4>::from_data(reordered, self.place.device).permute([0, 3, 1, 2])
            }
        };
        // Burn initializes a layer only when its parameters are first looked at, and these are
        // replaced before that.
        let mut layer = Conv2dConfig::new([input, out], [3, 3])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .init(self.place.device);
        layer.weight = Param::from_tensor(weight);
        layer.bias = if self.has_bias(name) {
            Some(Param::from_tensor(self.tensor(&format!("{name}.bias"))?))
        } else {
            None
        };
        Ok(layer)
    }

    fn batch_norm(&self, name: &str, width: usize) -> Result<BatchNorm, NetworkError> {
        let mut layer = BatchNormConfig::new(width).init(self.place.device);
        let is_affine = self.is_affine(name);
        if is_affine {
            layer.gamma = Param::from_tensor(self.tensor(&format!("{name}.weight"))?);
            layer.beta = Param::from_tensor(self.tensor(&format!("{name}.bias"))?);
        } else {
            layer.gamma = layer.gamma.set_require_grad(false);
            layer.beta = layer.beta.set_require_grad(false);
        }
        layer.running_mean = RunningState::new(self.tensor(&format!("{name}.running_mean"))?);
        layer.running_var = RunningState::new(self.tensor(&format!("{name}.running_var"))?);
        Ok(BatchNorm {
            layer,
            is_affine,
            batches_tracked: self.source.batches_tracked(name)?,
        })
    }

    /// The classifier after feature maps of `width` channels, pooled to 7 x 7.
    fn classifier(&self, width: usize) -> Result<Classifier, NetworkError> {
        let mut input = width * 49;
        let mut next = |index: usize| {
            let name = format!("classifier.{index}");
            let weight = format!("{name}.weight");
            let found = self.source.shape(&weight)?;
            let output = match found[..] {
                [output, inputs] if inputs == input => output,
                _ => return Err(self.mismatch(&weight, found, format!("[outputs, {input}]"))),
            };
            self.check(&format!("{name}.bias"), &[output])?;
            input = output;
            self.linear(&name)
        };
        Ok(Classifier::new([next(0)?, next(3)?, next(6)?], 0.5))
    }

    /// torch stores `[outputs, inputs]`, Burn `[inputs, outputs]`.
    fn linear(&self, name: &str) -> Result<Linear, NetworkError> {
        let weight: Tensor<2> = self.tensor(&format!("{name}.weight"))?;
        Ok(Linear {
            weight: Param::from_tensor(weight.transpose()),
            bias: Some(Param::from_tensor(self.tensor(&format!("{name}.bias"))?)),
        })
    }

    fn tensor<const D: usize>(&self, name: &str) -> Result<Tensor<D>, NetworkError> {
        let shape = self.source.shape(name)?;
        let values = self.source.read(name)?;
        let data = TensorData::new(values, shape);
        Ok(Tensor::from_data(data, self.place.device))
    }
}
