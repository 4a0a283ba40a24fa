//! Networks: layers with names, kinds and shapes; a forward pass that stops at the deepest layer that is
//! wanted; parameters by name. What kind of network it is, only the rooms below know: [`vgg`], and [`pt2`] for all
//! others.

mod forward;
mod layer;
mod model;
mod parameters;
pub(crate) mod pt2;
mod select;
pub(crate) mod vgg;

use std::fmt::Debug;

use burn::tensor::{Device, Tensor};

use crate::device::BackendError;

pub(crate) use forward::{ForwardError, ForwardPass};
pub(crate) use layer::{InputError, Layer, LayerKind};
pub(crate) use model::{Model, ModelError};
pub(crate) use parameters::{Convolution, Parameter, ParameterValue, Parameters};
pub(crate) use select::SelectError;
pub(crate) use select::select;

/// What is known of a network without its parameters.
pub(crate) trait Architecture: Debug + Send + Sync {
    /// What people call it: `vgg16_bn`.
    fn name(&self) -> String;

    /// Its layers, as far as the weights go.
    fn layers(&self) -> Vec<Layer>;

    /// All its layers, those among them that the weights lack.
    fn all_layers(&self) -> Vec<Layer> {
        self.layers()
    }

    /// Those that are shown where nothing else is asked for.
    fn default_layers(&self) -> Vec<Layer> {
        self.layers()
    }

    /// Channels of the images that it takes: 3, or 1 for gray ones.
    fn input_channels(&self) -> usize;

    /// The size of the images that it was made for, `[height, width]`, if it says so. Units: pixels.
    fn input_size(&self) -> Option<[usize; 2]> {
        None
    }

    /// SHA-256 of the file that describes it, where there is one.
    fn hash(&self) -> Option<String> {
        None
    }

    /// The shape `[channels, height, width]` of the output of each of these layers, in the network's order, for an input of
    /// `[height, width]` pixels.
    fn output_shapes(
        &self,
        wanted: &[Layer],
        size: [usize; 2],
    ) -> Result<Vec<[usize; 3]>, InputError>;

    /// The parameters and running statistics, up to those of the deepest wanted layer, that its checkpoints may have: the
    /// name of the layer or module, and PyTorch's name of the parameter.
    fn parameter_names(&self, wanted: &[Layer]) -> Vec<(String, String)>;
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Placement<'a> {
    pub(crate) device: &'a Device,
    pub(crate) kernels: Kernels,
}

/// How the kernels of convolutions lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kernels {
    Planar,
    /// Channels-last: `[out, height, width, in]` in memory, `[out, in, height, width]` in shape. libtorch's CPU
    /// convolutions are an eighth faster with it; reordering the kernels costs about what two forward passes save.
    Interleaved,
}

/// A network with its parameters, on a device.
pub(crate) trait Network: Debug + Send + Sync {
    fn architecture(&self) -> &dyn Architecture;

    /// Runs a batch to the deepest layer that is wanted; `wanted` is in the network's order. `take` gets the
    /// maps of each wanted layer as they come, `[batch, channels, height, width]`: what it does not keep
    /// makes room for those of the next layer.
    ///
    /// Shapes: `batch` `[batch, channels, height, width]`, normalized as the network was trained.
    fn visit(
        &self,
        batch: Tensor<4>,
        wanted: &[Layer],
        take: &mut dyn FnMut(&Layer, &Tensor<4>),
    ) -> Result<(), BackendError>;

    /// Its parameters, which share memory with it.
    fn parameters(&self) -> Parameters;

    fn to_device(&self, device: &Device) -> Box<dyn Network>;
}

/// The feature maps of the layers that were wanted, in the network's order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Activations {
    /// Each layer's `[batch, channels, height, width]`.
    pub(crate) layers: Vec<(Layer, Tensor<4>)>,
}

impl Activations {
    pub(crate) fn images(&self) -> usize {
        self.layers.first().map_or(0, |(_, maps)| maps.dims()[0])
    }

    /// The maps of the image at a place in the batch, layer by layer: `[1, channels, height, width]`.
    pub(crate) fn of_image(&self, at: usize) -> impl Iterator<Item = (&Layer, Tensor<4>)> {
        self.layers.iter().map(move |(layer, maps)| {
            let maps = maps.clone();
            // A batch of one is not sliced: the view would count as a second owner of the maps.
            let is_one = maps.dims()[0] == 1;
            (layer, if is_one { maps } else { maps.narrow(0, at, 1) })
        })
    }
}
