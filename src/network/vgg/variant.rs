//! Which VGG it is, how deep its weights go and how wide its layers are: all that is known of a network
//! without its parameters.

use super::arch::{Arch, Sizes};
use crate::network::{Architecture, InputError, Layer, LayerKind};

/// A VGG of some depth and widths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Variant {
    pub(crate) arch: Arch,
    /// How many of its layers there are, from the first.
    pub(crate) depth: usize,
    /// 3, or 1 for gray images.
    pub(crate) input_channels: usize,
    /// Output channels of each convolution that is there.
    pub(crate) widths: Vec<usize>,
}

impl Variant {
    /// All of a network of color images, with these output channels in each block.
    pub(crate) fn whole(arch: Arch, widths: [usize; 5]) -> Self {
        Self {
            arch,
            depth: arch.layers().len(),
            input_channels: 3,
            widths: arch.by_convolution(widths).collect(),
        }
    }

    pub(crate) fn published(arch: Arch) -> Self {
        Self::whole(arch, Sizes::PUBLISHED.widths)
    }

    pub(crate) fn is_gray(&self) -> bool {
        self.input_channels == 1
    }
}

impl Architecture for Variant {
    fn name(&self) -> String {
        self.arch.to_string()
    }

    fn layers(&self) -> Vec<Layer> {
        let mut layers = self.arch.layers();
        layers.truncate(self.depth);
        layers
    }

    fn all_layers(&self) -> Vec<Layer> {
        self.arch.layers()
    }

    fn input_channels(&self) -> usize {
        self.input_channels
    }

    fn output_shapes(
        &self,
        wanted: &[Layer],
        [height, width]: [usize; 2],
    ) -> Result<Vec<[usize; 3]>, InputError> {
        let mut shape = [self.input_channels, height, width];
        let mut widths = self.widths.iter();
        let deepest = wanted.iter().map(|layer| layer.index).max();
        let mut shapes = Vec::with_capacity(wanted.len());
        for layer in self.layers() {
            if Some(layer.index) > deepest {
                break;
            }
            match layer.kind {
                LayerKind::Convolution => shape[0] = widths.next().copied().unwrap_or_default(),
                LayerKind::MaxPool => shape = [shape[0], shape[1] / 2, shape[2] / 2],
                _ => {}
            }
            if shape[1] == 0 || shape[2] == 0 {
                return Err(InputError::TooSmall {
                    height,
                    width,
                    layer: layer.name().to_owned(),
                });
            }
            if wanted.contains(&layer) {
                shapes.push(shape);
            }
        }
        Ok(shapes)
    }

    fn parameter_names(&self, wanted: &[Layer]) -> Vec<(String, String)> {
        let deepest = wanted.last().map(|layer| layer.index);
        let layers = self.layers().into_iter();
        let layers = layers.filter(|layer| Some(layer.index) <= deepest);
        let names = layers.flat_map(|layer| {
            let parts: &[&str] = match layer.kind {
                LayerKind::Convolution => &["weight", "bias"],
                LayerKind::BatchNorm => &["weight", "bias", "running_mean", "running_var"],
                _ => &[],
            };
            parts.iter().map(move |part| {
                let name = format!("{}.{part}", layer.torch_name());
                (layer.name().to_owned(), name)
            })
        });
        names.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shapes(size: [usize; 2]) -> Result<Vec<[usize; 3]>, InputError> {
        let vgg = Variant::published(Arch::VGG16);
        vgg.output_shapes(&vgg.layers(), size)
    }

    #[test]
    fn vgg16_at_224_has_the_papers_shapes() {
        let shapes = shapes([224, 224]).unwrap();
        assert_eq!(shapes[0], [64, 224, 224]);
        assert_eq!(shapes[5], [128, 112, 112]);
        assert_eq!(shapes[30], [512, 7, 7]);
    }

    #[test]
    fn odd_sizes_are_halved_downwards() {
        let shapes = shapes([451, 300]).unwrap();
        assert_eq!(shapes[4], [64, 225, 150]);
        assert_eq!(shapes[30], [512, 14, 9]);
    }

    #[test]
    fn a_small_input_names_the_layer_it_does_not_reach() {
        let error = shapes([16, 40]).unwrap_err().to_string();
        assert!(error.contains("too small for pool5"), "{error}");
    }
}
