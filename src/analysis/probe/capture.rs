//! One forward pass, keeping the feature maps of the layers that are shown.

use std::iter;

use burn::module::Module;
use burn::tensor::Tensor;

use super::error::ProbeError;
use crate::data::prepared::PreparedImage;
use crate::device::{Mark, OpenDevice, Precision, Span, guarded, in_float32, planar, upload};
use crate::logger::{BatchMaps, FeatureLogger, LoggerError, Step};
use crate::network::vgg::{self, Arch, Layer, Vgg};

/// Which layers of which network are shown, and where it runs.
pub(crate) struct Capture {
    pub(crate) device: OpenDevice,
    /// Further devices, which batches of images are shared with.
    pub(crate) others: Vec<OpenDevice>,
    pub(crate) arch: Arch,
    pub(crate) layers: Vec<Layer>,
    pub(crate) kernels: bool,
    /// Whether the network takes gray images.
    pub(crate) is_gray: bool,
}

/// The maps of one forward pass: a layer and its `[batch, channels, height, width]`.
pub(crate) struct Captured(Vec<(Layer, BatchMaps)>);

impl Capture {
    /// All devices.
    pub(crate) fn devices(&self) -> impl Iterator<Item = &OpenDevice> {
        iter::once(&self.device).chain(&self.others)
    }

    /// A network, which is on the first device, on every device.
    pub(crate) fn on_all_devices(&self, vgg: &Vgg, what: &str) -> Result<Vec<Vgg>, ProbeError> {
        let copies = self.others.iter().map(|other| {
            guarded(|| vgg.clone().to_device(&other.device)).map_err(|why| ProbeError::Backend {
                what: what.to_owned(),
                why,
            })
        });
        iter::once(Ok(vgg.clone())).chain(copies).collect()
    }

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

    /// Runs batch number `number` of images of one size through the network on the device whose turn it is; `what`
    /// names them in errors.
    pub(crate) fn forward(
        &self,
        on_all: &[Vgg],
        (number, images): (usize, &[PreparedImage]),
        what: &str,
    ) -> Result<(Captured, Span), ProbeError> {
        let size = images.first().map_or([0; 2], PreparedImage::size);
        let pixels: Vec<&[f32]> = images.iter().map(|image| &*image.pixels).collect();
        let mut captured = Vec::with_capacity(self.layers.len());
        let turn = number % on_all.len();
        let device = self.devices().nth(turn).unwrap_or(&self.device);
        let start = Mark::on(device);
        self.observe_on(
            (device, &on_all[turn]),
            &pixels,
            size,
            what,
            |layer, maps| {
                captured.push((layer, BatchMaps::new(maps.clone())));
                Ok(())
            },
        )?;
        let end = Mark::on(device);
        Ok((Captured(captured), Span { start, end }))
    }

    /// Runs every image's pixels, `[height, width, 3]`, through a network on the first device; `take` gets the layers
    /// that are shown, one after the other, and the maps of all images.
    pub(crate) fn observe(
        &self,
        vgg: &Vgg,
        images: &[&[f32]],
        size: [usize; 2],
        what: &str,
        take: impl FnMut(Layer, &Tensor<4>) -> Result<(), ProbeError>,
    ) -> Result<(), ProbeError> {
        self.observe_on((&self.device, vgg), images, size, what, take)
    }

    fn observe_on(
        &self,
        (device, vgg): (&OpenDevice, &Vgg),
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
            let mut x = upload(pixels, shape, &device.device).permute([0, 3, 1, 2]);
            if !device.prefers_interleaved() {
                x = planar(x);
            }
            let mut wanted = self.layers.iter().peekable();
            vgg.forward(device.precision.cast(x), |index, maps| {
                if let Some(layer) = wanted.next_if(|layer| layer.index == index)
                    && taken.is_ok()
                {
                    taken = match device.precision {
                        Precision::F32 | Precision::Tf32 => take(*layer, maps),
                        _ => take(*layer, &in_float32(maps.clone())),
                    };
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
        self.0.first().map_or(0, |(_, maps)| maps.images())
    }

    /// The maps of the image at `at` in the batch, layer by layer: `[1, channels, height, width]`.
    pub(crate) fn of_image(&self, at: usize) -> impl Iterator<Item = (Layer, Tensor<4>)> {
        let of_image = move |(layer, maps): &(Layer, BatchMaps)| (*layer, maps.of_image(at));
        self.0.iter().map(of_image)
    }

    /// Logs the maps of the image at `at` in the batch, under tags of `group`.
    pub(crate) fn log(
        &self,
        step: &mut Step<'_>,
        at: usize,
        group: &str,
    ) -> Result<(), LoggerError> {
        for (layer, maps) in &self.0 {
            step.maps_of_layer(format!("{group}/{}", layer.tag()), layer.tag(), (maps, at))?;
        }
        Ok(())
    }
}
