//! What a run asks of each of its networks: some of the layers, of batches of images, on some devices.

use std::path::PathBuf;
use std::sync::Arc;

use burn::tensor::Tensor;
use thiserror::Error;

use super::{Activations, Architecture, InputError, Layer, LayerKind, Network};
use crate::data::prepared::PreparedImage;
use crate::device::{BackendError, OpenDevice, Span, caught, in_float32, mark, planar, upload};

#[derive(Debug, Error)]
pub(crate) enum ForwardError {
    #[error("{path}")]
    Input { path: PathBuf, source: InputError },
    #[error("{what}: backend error")]
    Backend { what: String, source: BackendError },
}

/// Which layers of which network are shown, and where it runs.
pub(crate) struct ForwardPass {
    /// At least one; batches of images take turns on them.
    pub(crate) devices: Vec<OpenDevice>,
    pub(crate) architecture: Arc<dyn Architecture>,
    pub(crate) wanted: Vec<Layer>,
    pub(crate) kernels: bool,
    pub(crate) batch: usize,
}

/// Images go through a network together while the largest of their maps have at most so many values: that many are
/// enough for all cores. Two of VGG16, 224 x 224 each, take as long together as one by one; four of ResNet-50 take a quarter
/// less, whose parameters are reordered for each pass.
const VALUES_AT_ONCE: usize = 1 << 22;
const IMAGES_AT_ONCE: usize = 4;

impl ForwardPass {
    pub(crate) fn device(&self) -> &OpenDevice {
        &self.devices[0]
    }

    pub(crate) fn first_convolution(&self) -> Option<Layer> {
        let mut layers = self.architecture.layers().into_iter();
        layers.find(|layer| layer.kind == LayerKind::Convolution)
    }

    pub(crate) fn is_gray(&self) -> bool {
        self.architecture.input_channels() == 1
    }

    /// Copies of a network, which is on the first device, on the others; `what` names it in errors.
    pub(crate) fn copies(
        &self,
        network: &dyn Network,
        what: &str,
    ) -> Result<Vec<Box<dyn Network>>, ForwardError> {
        let others = self.devices.iter().skip(1);
        let copies = others.map(|other| {
            caught(|| network.to_device(&other.device)).map_err(|why| backend(what, why))
        });
        copies.collect()
    }

    /// How many images of `[height, width]` pixels go through the network together where nothing else was asked for.
    pub(crate) fn images_at_once(&self, size: [usize; 2]) -> usize {
        let deepest = self.wanted.last().map_or(0, |layer| layer.index);
        let mut layers = self.architecture.layers();
        layers.retain(|layer| layer.index <= deepest);
        let shapes = self.architecture.output_shapes(&layers, size);
        let values = shapes
            .iter()
            .flatten()
            .map(|shape| shape.iter().product::<usize>());
        let most = values.max().unwrap_or(VALUES_AT_ONCE);
        (VALUES_AT_ONCE / most.max(1)).clamp(1, IMAGES_AT_ONCE)
    }

    /// Checks that images of `[height, width]` pixels reach the deepest layer.
    pub(crate) fn check_size(&self, size: [usize; 2]) -> Result<(), InputError> {
        let shapes = self.architecture.output_shapes(&self.wanted, size);
        shapes.map(drop)
    }

    pub(crate) fn check_image(&self, image: &PreparedImage) -> Result<(), ForwardError> {
        let checked = self.check_size(image.size());
        checked.map_err(|source| ForwardError::Input {
            path: image.path.clone(),
            source,
        })
    }

    /// Runs batch number `turn` of images of one size through a network on the device whose turn it is, where `copies` has
    /// it if that is not the first; `what` names it in errors.
    pub(crate) fn run(
        &self,
        network: &dyn Network,
        copies: &[Box<dyn Network>],
        turn: usize,
        images: &[&PreparedImage],
        what: &str,
    ) -> Result<(Activations, Span), ForwardError> {
        let turn = turn % self.devices.len();
        let device = &self.devices[turn];
        let network = turn.checked_sub(1).map_or(network, |other| &*copies[other]);
        let size = images.first().map_or([0; 2], |image| image.size());
        let pixels: Vec<&[f32]> = images.iter().map(|image| &*image.pixels).collect();
        let mut seen = Activations::default();
        let keep = &mut |layer: &Layer, maps: &Tensor<4>| {
            seen.layers.push((layer.clone(), maps.clone()));
        };
        let start = mark(&device.device);
        self.visit(device, network, &pixels, size, what, keep)?;
        let end = mark(&device.device);
        Ok((seen, Span { start, end }))
    }

    /// Runs images' pixels, `[height, width, channels]` each, through a network on its `device`. `take` gets the maps of
    /// the layers that are shown as they come.
    pub(crate) fn visit(
        &self,
        device: &OpenDevice,
        network: &dyn Network,
        images: &[&[f32]],
        size: [usize; 2],
        what: &str,
        take: &mut dyn FnMut(&Layer, &Tensor<4>),
    ) -> Result<(), ForwardError> {
        let visited = caught(|| {
            let batch = self.batch(device, images, size);
            network.visit(batch, &self.wanted, &mut |layer, maps| {
                if device.precision.is_reduced() {
                    take(layer, &in_float32(maps.clone()));
                } else {
                    take(layer, maps);
                }
            })
        });
        visited
            .and_then(|visited| visited)
            .map_err(|why| backend(what, why))
    }

    /// Images on a device, `[batch, channels, height, width]`, in the numbers of its forward pass.
    fn batch(
        &self,
        device: &OpenDevice,
        images: &[&[f32]],
        [height, width]: [usize; 2],
    ) -> Tensor<4> {
        let channels = self.architecture.input_channels();
        let shape = [images.len(), height, width, channels];
        // Channels-last memory seen as [batch, channels, height, width]: libtorch keeps that layout
        // through every layer.
        let batch = upload(images.concat(), shape, &device.device).permute([0, 3, 1, 2]);
        let interleaved = device.prefers_interleaved();
        device
            .precision
            .cast(if interleaved { batch } else { planar(batch) })
    }
}

fn backend(what: &str, source: BackendError) -> ForwardError {
    let what = what.to_owned();
    ForwardError::Backend { what, source }
}
