//! One forward pass, keeping the feature maps of the layers that are shown.

use burn::tensor::Tensor;

use super::error::ProbeError;
use crate::device::{OpenDevice, guarded, upload};
use crate::input::prepared::PreparedImage;
use crate::logger::{FeatureLogger, LoggerError, Step};
use crate::vgg::{self, Arch, Layer, Vgg};

/// Which layers of which network are shown, and where it runs.
pub(crate) struct Capture {
    pub(crate) device: OpenDevice,
    pub(crate) arch: Arch,
    pub(crate) layers: Vec<Layer>,
    pub(crate) kernels: bool,
    /// Whether the network takes gray images.
    pub(crate) is_gray: bool,
}

/// The maps of one forward pass: a layer and its `[batch, channels, height, width]`.
pub(crate) struct Captured(Vec<(Layer, Tensor<4>)>);

impl Capture {
    /// The index of the deepest layer that is shown.
    pub(crate) fn deepest(&self) -> usize {
        self.layers.last().map_or(0, |layer| layer.index)
    }

    /// Checks that an image reaches the deepest layer.
    pub(crate) fn check_size(&self, image: &PreparedImage) -> Result<(), ProbeError> {
        // The number of channels does not affect how far an image reaches.
        let layers = &self.arch.layers()[..=self.deepest()];
        vgg::output_shapes(layers, &[1; 16], image.size())
            .map(drop)
            .map_err(|source| ProbeError::TooSmall {
                path: image.path.clone(),
                source,
            })
    }

    /// Runs the network over images of one size; `what` names them in errors.
    pub(crate) fn forward(
        &self,
        vgg: &Vgg,
        images: &[PreparedImage],
        what: &str,
    ) -> Result<Captured, ProbeError> {
        let size = images.first().map_or([0; 2], PreparedImage::size);
        let pixels: Vec<&[f32]> = images.iter().map(|image| &*image.pixels).collect();
        let mut captured = Vec::with_capacity(self.layers.len());
        self.observe(vgg, &pixels, size, what, |layer, maps| {
            captured.push((layer, maps.clone()));
            Ok(())
        })?;
        Ok(Captured(captured))
    }

    /// The same with every image's pixels, `[height, width, 3]`; `take` gets the layers that are shown, one
    /// after the other, and the maps of all images.
    pub(crate) fn observe(
        &self,
        vgg: &Vgg,
        images: &[&[f32]],
        [height, width]: [usize; 2],
        what: &str,
        mut take: impl FnMut(Layer, &Tensor<4>) -> Result<(), ProbeError>,
    ) -> Result<(), ProbeError> {
        let channels = if self.is_gray { 1 } else { 3 };
        let shape = [images.len(), height, width, channels];
        let pixels = images.concat();
        let mut taken = Ok(());
        guarded(|| {
            // Channels-last memory seen as [batch, channels, height, width]: libtorch keeps that layout
            // through every layer.
            let x = upload(pixels, shape, &self.device.device).permute([0, 3, 1, 2]);
            let mut wanted = self.layers.iter().peekable();
            vgg.forward(x, |index, maps| {
                if let Some(layer) = wanted.next_if(|layer| layer.index == index)
                    && taken.is_ok()
                {
                    taken = take(*layer, maps);
                }
            });
        })
        .map_err(|why| ProbeError::Backend {
            what: what.to_owned(),
            why,
        })?;
        taken
    }

    /// Describes the tags of `group` in TensorBoard.
    pub(crate) fn describe(&self, logger: &mut FeatureLogger, group: &str) {
        for layer in &self.layers {
            let heading = format!(
                "**{}** (`{}`, {}) of {}",
                layer.name(),
                layer.torch_name(),
                layer.kind,
                self.arch
            );
            logger.describe(format!("{group}/{}", layer.tag()), heading);
        }
        let heading = format!(
            "**first-layer kernels** (`features.0.weight`) of {}",
            self.arch
        );
        logger.describe(self.kernels_tag(), heading);
    }

    pub(crate) fn log_kernels(&self, vgg: &Vgg, step: &mut Step<'_>) -> Result<(), LoggerError> {
        match vgg.kernels() {
            Some(kernels) if self.kernels => step.kernels(self.kernels_tag(), kernels),
            _ => Ok(()),
        }
    }

    pub(crate) fn kernels_tag(&self) -> String {
        let first = self.arch.layers().first().map(|layer| layer.tag());
        format!("kernels/{}", first.unwrap_or_default())
    }
}

impl Captured {
    /// Images in the batch.
    pub(super) fn images(&self) -> usize {
        self.0.first().map_or(0, |(_, maps)| maps.dims()[0])
    }

    /// The maps of the image at `at` in the batch, layer by layer: `[1, channels, height, width]`.
    pub(crate) fn of_image(&self, at: usize) -> impl Iterator<Item = (Layer, Tensor<4>)> {
        self.0.iter().map(move |(layer, maps)| {
            let [batch, channels, height, width] = maps.dims();
            // A batch of one is not sliced: the view would count as a second owner of the maps.
            let maps = if batch == 1 {
                maps.clone()
            } else {
                let of_image = [at..at + 1, 0..channels, 0..height, 0..width];
                maps.clone().slice(of_image)
            };
            (*layer, maps)
        })
    }

    /// Logs the maps of the image at `at` in the batch, under tags of `group`.
    pub(crate) fn log(
        &self,
        step: &mut Step<'_>,
        at: usize,
        group: &str,
    ) -> Result<(), LoggerError> {
        for (layer, maps) in self.of_image(at) {
            step.maps_of_layer(format!("{group}/{}", layer.tag()), layer.tag(), maps)?;
        }
        Ok(())
    }
}
