//! From named parameters to a network on a device, checking every shape on the way.

use burn::module::Param;
use burn::module::RunningState;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::MaxPool2dConfig;
use burn::nn::{BatchNorm, BatchNormConfig, Linear, PaddingConfig2d, Relu};
use burn::tensor::{Device, Tensor, TensorData};
use thiserror::Error;

use super::arch::{Arch, Layer, LayerKind};
use super::model::{Classifier, Feature, Vgg};
use crate::device::pack;
use crate::weights::{WeightsError, WeightsFile};

/// Somewhere to take parameters from, by torchvision's name.
pub trait ParameterSource {
    /// What reading can fail with.
    type Error: std::error::Error + Send + Sync + 'static;

    /// The shape of a parameter.
    ///
    /// # Errors
    ///
    /// There is no such parameter.
    fn shape(&self, name: &str) -> Result<Vec<usize>, Self::Error>;

    /// The values of a parameter, row-major, in the shape that [`shape`](Self::shape) gave.
    ///
    /// # Errors
    ///
    /// There is no such parameter, or it cannot be read.
    fn read(&self, name: &str) -> Result<Vec<f32>, Self::Error>;
}

impl ParameterSource for WeightsFile {
    type Error = WeightsError;

    fn shape(&self, name: &str) -> Result<Vec<usize>, Self::Error> {
        Self::shape(self, name).map(<[usize]>::to_vec)
    }

    fn read(&self, name: &str) -> Result<Vec<f32>, Self::Error> {
        Self::read(self, name)
    }
}

/// Parameters that do not make the network that was asked for.
#[derive(Debug, Error)]
pub enum BuildError<E: std::error::Error + 'static> {
    /// A parameter cannot be had.
    #[error(transparent)]
    Source(#[from] E),
    /// A parameter has another shape than its place in the network allows.
    #[error(
        "{name} has shape {found:?}, expected {expected}: these are not the weights of a {arch}"
    )]
    Shape {
        /// torchvision's name of the parameter.
        name: String,
        /// The shape in the source.
        found: Vec<usize>,
        /// What would fit.
        expected: String,
        /// The network.
        arch: Arch,
    },
}

/// How much of a network to build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// `features.0` up to and with this index, no classifier.
    Features {
        /// The deepest layer that is needed.
        deepest: usize,
    },
    /// Everything.
    Whole,
}

/// Where a network is put.
#[derive(Debug, Clone, Copy)]
pub struct Placement<'a> {
    /// The device.
    pub device: &'a Device,
    /// How kernels lie in memory.
    pub kernels: Kernels,
}

/// How the kernels of convolutions lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernels {
    /// As `[out, in, 3, 3]`.
    Planar,
    /// As `[out, 3, 3, in]`, seen as `[out, in, 3, 3]` all the same. libtorch's CPU convolutions are an
    /// eighth faster for it; turning the kernels costs about what two forward passes save.
    Interleaved,
    /// In the order in which the device computes with them for inputs of this size, where it has one;
    /// those of the first layer interleaved, since they are looked at. On the CPU with libtorch a forward
    /// pass is a sixth faster than with interleaved ones. Inputs of other sizes are computed rightly, but
    /// slower. Such a network cannot be trained, nor its parameters read.
    Packed {
        /// Images in a batch.
        batch: usize,
        /// Pixels across and down.
        side: usize,
    },
}

/// Builds a network from the parameters of `source`.
///
/// Widths, input channels and class count are whatever the parameters have; that they fit each
/// other is checked before anything is read. Only what `extent` needs is read.
///
/// # Errors
///
/// A parameter is missing, unreadable or of a shape that does not fit its neighbours.
pub fn build<S: ParameterSource>(
    source: &S,
    arch: Arch,
    extent: Extent,
    place: Placement<'_>,
) -> Result<Vgg, BuildError<S::Error>> {
    let builder = Builder {
        source,
        arch,
        place,
    };
    let mut layers = arch.layers();
    if let Extent::Features { deepest } = extent {
        layers.truncate(deepest + 1);
    }
    let widths = builder.widths(&layers)?;
    let classifier = match extent {
        Extent::Whole => Some(builder.classifier(widths.last().copied().unwrap_or_default())?),
        Extent::Features { .. } => None,
    };
    let features = layers
        .iter()
        .zip(&widths)
        .map(|(layer, width)| builder.feature(*layer, *width))
        .collect::<Result<_, _>>()?;
    Ok(Vgg {
        features,
        classifier,
    })
}

struct Builder<'a, S> {
    source: &'a S,
    arch: Arch,
    place: Placement<'a>,
}

type Built<T, S> = Result<T, BuildError<<S as ParameterSource>::Error>>;

impl<S: ParameterSource> Builder<'_, S> {
    /// The channels that come out of each layer, with every shape checked.
    fn widths(&self, layers: &[Layer]) -> Built<Vec<usize>, S> {
        let mut channels = None;
        let mut widths = Vec::with_capacity(layers.len());
        for layer in layers {
            let name = layer.torch_name();
            match layer.kind {
                LayerKind::Convolution => {
                    let width = self.check_convolution(&name, channels)?;
                    channels = Some(width);
                }
                LayerKind::BatchNorm => {
                    for part in ["weight", "bias", "running_mean", "running_var"] {
                        self.check(&format!("{name}.{part}"), &[channels.unwrap_or_default()])?;
                    }
                }
                LayerKind::Relu | LayerKind::MaxPool => {}
            }
            widths.push(channels.unwrap_or_default());
        }
        Ok(widths)
    }

    /// Checks one convolution's kernels `[out, in, 3, 3]` and bias `[out]`; gives `out`.
    fn check_convolution(&self, name: &str, channels: Option<usize>) -> Built<usize, S> {
        let weight = format!("{name}.weight");
        let found = self.source.shape(&weight)?;
        match found[..] {
            [out, input, 3, 3] if out > 0 && channels.is_none_or(|channels| channels == input) => {
                self.check(&format!("{name}.bias"), &[out])?;
                Ok(out)
            }
            _ => Err(BuildError::Shape {
                name: weight,
                found,
                expected: format!(
                    "[kernels, {}, 3, 3]",
                    channels.map_or("channels".to_owned(), |channels| channels.to_string())
                ),
                arch: self.arch,
            }),
        }
    }

    fn check(&self, name: &str, expected: &[usize]) -> Built<(), S> {
        let found = self.source.shape(name)?;
        if found == expected {
            return Ok(());
        }
        Err(BuildError::Shape {
            name: name.to_owned(),
            found,
            expected: format!("{expected:?}"),
            arch: self.arch,
        })
    }

    fn feature(&self, layer: Layer, width: usize) -> Built<Feature, S> {
        let name = layer.torch_name();
        Ok(match layer.kind {
            LayerKind::Convolution => Feature::Convolution(self.convolution(layer)?),
            LayerKind::BatchNorm => Feature::BatchNorm(self.batch_norm(&name, width)?),
            LayerKind::Relu => Feature::Relu(Relu::new()),
            LayerKind::MaxPool => {
                Feature::MaxPool(MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init())
            }
        })
    }

    fn convolution(&self, layer: Layer) -> Built<Conv2d, S> {
        let name = layer.torch_name();
        let weight: Tensor<4> = self.tensor(&format!("{name}.weight"))?;
        let [out, input, ..] = weight.dims();
        let weight = match self.place.kernels {
            Kernels::Planar => weight,
            Kernels::Packed { batch, side } if layer.index > 0 => {
                let side = side >> (layer.block - 1);
                pack(weight, [batch, input, side, side])
            }
            Kernels::Interleaved | Kernels::Packed { .. } => {
                let turned = weight.permute([0, 2, 3, 1]).into_data();
                Tensor::<4>::from_data(turned, self.place.device).permute([0, 3, 1, 2])
            }
        };
        // Burn initialises a layer only when its parameters are first looked at, and these are
        // replaced before that.
        let mut layer = Conv2dConfig::new([input, out], [3, 3])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .init(self.place.device);
        layer.weight = Param::from_tensor(weight);
        layer.bias = Some(Param::from_tensor(self.tensor(&format!("{name}.bias"))?));
        Ok(layer)
    }

    fn batch_norm(&self, name: &str, width: usize) -> Built<BatchNorm, S> {
        let mut layer = BatchNormConfig::new(width).init(self.place.device);
        layer.gamma = Param::from_tensor(self.tensor(&format!("{name}.weight"))?);
        layer.beta = Param::from_tensor(self.tensor(&format!("{name}.bias"))?);
        layer.running_mean = RunningState::new(self.tensor(&format!("{name}.running_mean"))?);
        layer.running_var = RunningState::new(self.tensor(&format!("{name}.running_var"))?);
        Ok(layer)
    }

    /// The classifier after feature maps of `width` channels, pooled to 7 x 7.
    fn classifier(&self, width: usize) -> Built<Classifier, S> {
        let mut input = width * 49;
        let mut linears = Vec::with_capacity(3);
        for index in [0, 3, 6] {
            let name = format!("classifier.{index}");
            let weight = format!("{name}.weight");
            let found = self.source.shape(&weight)?;
            let [output, _] = found[..] else {
                return Err(self.linear_shape(weight, found, input));
            };
            if found[1] != input {
                return Err(self.linear_shape(weight, found, input));
            }
            self.check(&format!("{name}.bias"), &[output])?;
            linears.push(self.linear(&name)?);
            input = output;
        }
        let Ok(linears) = <[Linear; 3]>::try_from(linears) else {
            unreachable!("three names give three layers");
        };
        Ok(Classifier::new(linears, 0.5))
    }

    fn linear_shape(&self, name: String, found: Vec<usize>, input: usize) -> BuildError<S::Error> {
        BuildError::Shape {
            name,
            found,
            expected: format!("[outputs, {input}]"),
            arch: self.arch,
        }
    }

    /// torch keeps `[outputs, inputs]`, Burn `[inputs, outputs]`.
    fn linear(&self, name: &str) -> Built<Linear, S> {
        let weight: Tensor<2> = self.tensor(&format!("{name}.weight"))?;
        Ok(Linear {
            weight: Param::from_tensor(weight.transpose()),
            bias: Some(Param::from_tensor(self.tensor(&format!("{name}.bias"))?)),
        })
    }

    fn tensor<const D: usize>(&self, name: &str) -> Built<Tensor<D>, S> {
        let shape = self.source.shape(name)?;
        let values = self.source.read(name)?;
        Ok(Tensor::from_data(
            TensorData::new(values, shape),
            self.place.device,
        ))
    }
}
