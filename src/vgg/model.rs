//! The network as a Burn module, and its forward pass.

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::pool::{AdaptiveAvgPool2d, AdaptiveAvgPool2dConfig, MaxPool2d};
use burn::nn::{BatchNorm, Dropout, DropoutConfig, Linear, Relu};
use burn::tensor::Tensor;

use super::batch_norm::normalise;
use crate::device::convolve;

/// Side of the average-pooled picture that the classifier sees.
const POOLED: usize = 7;

/// A VGG network, from its first layer to the deepest one it was built for.
#[derive(Module, Debug)]
pub struct Vgg {
    /// torchvision's `features`: the position in the list is the index.
    pub features: Vec<Feature>,
    /// torchvision's `classifier`, when it was built.
    pub classifier: Option<Classifier>,
}

/// One layer of `features`.
#[derive(Module, Debug)]
pub enum Feature {
    /// 3 x 3 convolution.
    Convolution(Conv2d),
    /// Batch normalisation.
    BatchNorm(BatchNorm),
    /// `max(x, 0)`.
    Relu(Relu),
    /// 2 x 2 max pooling.
    MaxPool(MaxPool2d),
}

impl Feature {
    /// Shapes: `[batch, channels, height, width]` in and out.
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Convolution(layer) => match &layer.bias {
                Some(bias) => convolve(x, layer.weight.val(), bias.val()),
                None => layer.forward(x),
            },
            Self::BatchNorm(layer) => normalise(layer, x),
            Self::Relu(layer) => layer.forward(x),
            Self::MaxPool(layer) => layer.forward(x),
        }
    }
}

/// torchvision's `classifier`: three fully connected layers, ReLU and dropout between them.
#[derive(Module, Debug)]
pub struct Classifier {
    /// `classifier.0`, from 7 x 7 pooled feature maps.
    pub hidden1: Linear,
    /// `classifier.3`.
    pub hidden2: Linear,
    /// `classifier.6`, one output a class.
    pub output: Linear,
    pool: AdaptiveAvgPool2d,
    relu: Relu,
    dropout: Dropout,
}

impl Classifier {
    /// Puts the three layers together; `dropout` is the probability during training.
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
        let x: Tensor<2> = self.pool.forward(maps).flatten(1, 3);
        let x = self
            .dropout
            .forward(self.relu.forward(self.hidden1.forward(x)));
        let x = self
            .dropout
            .forward(self.relu.forward(self.hidden2.forward(x)));
        self.output.forward(x)
    }
}

impl Vgg {
    /// Runs the network to its deepest layer, showing `see` each layer's index and output on the way.
    ///
    /// A captured convolution keeps its negative values: Burn lets ReLU work in place only while
    /// nobody else holds the tensor, so it is enough for `see` to clone what it wants to keep.
    /// Nothing else may be cloned, or every ReLU would copy.
    ///
    /// Shapes: input `[batch, 3, height, width]`; outputs `[batch, channels, height, width]`.
    pub fn forward(&self, x: Tensor<4>, mut see: impl FnMut(usize, &Tensor<4>)) -> Tensor<4> {
        self.features
            .iter()
            .enumerate()
            .fold(x, |x, (index, layer)| {
                let x = layer.forward(x);
                see(index, &x);
                x
            })
    }

    /// No network at all: what stands in for one that is being changed.
    pub(crate) fn empty() -> Self {
        Self {
            features: Vec::new(),
            classifier: None,
        }
    }

    /// The class scores, or `None` when the network was built without its classifier.
    ///
    /// Shapes: input `[batch, 3, height, width]`, output `[batch, classes]`.
    #[must_use]
    pub fn logits(&self, x: Tensor<4>) -> Option<Tensor<2>> {
        let classifier = self.classifier.as_ref()?;
        Some(classifier.forward(self.forward(x, |_, _| ())))
    }

    /// The same network with this chance that a hidden value of its classifier is dropped in training,
    /// from 0 to below 1.
    #[must_use]
    pub fn with_dropout(mut self, chance: f64) -> Self {
        if let Some(classifier) = &mut self.classifier {
            classifier.dropout = DropoutConfig::new(chance).init();
        }
        self
    }

    /// The first convolution's kernels: `[kernels, channels, height, width]`.
    #[must_use]
    pub fn kernels(&self) -> Option<Tensor<4>> {
        match self.features.first() {
            Some(Feature::Convolution(layer)) => Some(layer.weight.val()),
            _ => None,
        }
    }
}
