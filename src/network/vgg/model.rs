//! The network as a Burn module, and its forward pass.

use burn::module::{Module, Param};
use burn::nn::conv::Conv2d;
use burn::nn::pool::{AdaptiveAvgPool2d, AdaptiveAvgPool2dConfig, MaxPool2d};
use burn::nn::{Dropout, DropoutConfig, Linear, Relu};
use burn::tensor::{Device, Tensor};

use super::batch_norm::BatchNorm;
use super::variant::Variant;
use crate::device::{BackendError, convolve};
use crate::network::{Architecture, Layer, Network, Parameters};

/// Side of the average-pooled maps that the classifier sees.
const POOLED: usize = 7;

/// A VGG network, from its first layer to the deepest one it was built for.
#[derive(Module, Debug)]
pub(crate) struct Vgg {
    /// torchvision's `features`: the position in the list is the index.
    pub(crate) features: Vec<Feature>,
    /// torchvision's `classifier`, when it was built.
    pub(crate) classifier: Option<Classifier>,
    #[module(skip)]
    pub(crate) variant: Variant,
}

#[derive(Module, Debug)]
pub(crate) enum Feature {
    Convolution(Conv2d),
    BatchNorm(BatchNorm),
    Relu(Relu),
    MaxPool(MaxPool2d),
}

impl Feature {
    /// Shapes: `[batch, channels, height, width]` in and out.
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Convolution(layer) => {
                let bias = layer.bias.as_ref().map(Param::val);
                convolve(x, layer.weight.val(), bias)
            }
            Self::BatchNorm(layer) => layer.forward(x),
            Self::Relu(layer) => layer.forward(x),
            Self::MaxPool(layer) => layer.forward(x),
        }
    }
}

/// torchvision's `classifier`: three fully connected layers, ReLU and dropout between them.
#[derive(Module, Debug)]
pub(crate) struct Classifier {
    pub hidden1: Linear,
    pub hidden2: Linear,
    pub(crate) output: Linear,
    pool: AdaptiveAvgPool2d,
    relu: Relu,
    dropout: Dropout,
}

impl Classifier {
    /// Joins the three layers; `dropout` is the probability in training.
    pub(super) fn new([hidden1, hidden2, output]: [Linear; 3], dropout: f64) -> Self {
        Self {
            hidden1,
            hidden2,
            output,
            pool: AdaptiveAvgPool2dConfig::new([POOLED, POOLED]).init(),
            relu: Relu::new(),
            dropout: DropoutConfig::new(dropout).init(),
        }
    }

    /// Shapes: `[batch, channels, height, width]` in, `[batch, classes]` out.
    fn forward(&self, maps: Tensor<4>) -> Tensor<2> {
        let mut x: Tensor<2> = self.pool.forward(maps).flatten(1, 3);
        for hidden in [&self.hidden1, &self.hidden2] {
            x = self.dropout.forward(self.relu.forward(hidden.forward(x)));
        }
        self.output.forward(x)
    }
}

impl Vgg {
    /// Runs the layers of `features` up to `deepest`, and calls `observe` with each layer's index and output.
    ///
    /// A cloned convolution output keeps its negative values: Burn applies ReLU in place only while
    /// there is no clone. Clone only what is kept, or every ReLU copies.
    fn run(
        &self,
        mut x: Tensor<4>,
        deepest: usize,
        mut observe: impl FnMut(usize, &Tensor<4>),
    ) -> Tensor<4> {
        for (index, layer) in self.features.iter().enumerate().take(deepest + 1) {
            x = layer.forward(x);
            observe(index, &x);
        }
        x
    }

    /// The class scores, or `None` when the network was built without its classifier.
    ///
    /// Shapes: input `[batch, 3, height, width]`, output `[batch, classes]`.
    pub(crate) fn logits(&self, x: Tensor<4>) -> Option<Tensor<2>> {
        let classifier = self.classifier.as_ref()?;
        Some(classifier.forward(self.run(x, usize::MAX - 1, |_, _| ())))
    }

    /// The same network with another dropout probability in its classifier, from 0 to below 1.
    pub(crate) fn with_dropout(mut self, probability: f64) -> Self {
        if let Some(classifier) = &mut self.classifier {
            classifier.dropout = DropoutConfig::new(probability).init();
        }
        self
    }
}

impl Network for Vgg {
    fn architecture(&self) -> &dyn Architecture {
        &self.variant
    }

    fn visit(
        &self,
        batch: Tensor<4>,
        wanted: &[Layer],
        take: &mut dyn FnMut(&Layer, &Tensor<4>),
    ) -> Result<(), BackendError> {
        let Some(deepest) = wanted.last().map(|layer| layer.index) else {
            return Ok(());
        };
        let mut coming = wanted.iter().peekable();
        self.run(batch, deepest, |index, maps| {
            if let Some(layer) = coming.next_if(|layer| layer.index == index) {
                take(layer, maps);
            }
        });
        Ok(())
    }

    fn parameters(&self) -> Parameters {
        self.named_parameters()
    }

    fn to_device(&self, device: &Device) -> Box<dyn Network> {
        Box::new(Module::to_device(self.clone(), device))
    }
}
