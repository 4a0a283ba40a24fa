//! The shape of every layer's output, without running anything.

use thiserror::Error;

use super::arch::{Layer, LayerKind};

/// An input that is pooled away before it reaches a layer.
#[derive(Debug, Error)]
#[error(
    "an input of {width} x {height} pixels is too small for {layer}: pooling leaves nothing of it there; use a larger --crop, or only layers before it"
)]
pub struct InputTooSmall {
    /// Pixels down.
    pub height: usize,
    /// Pixels across.
    pub width: usize,
    /// The first layer with an empty output.
    pub layer: String,
}

/// The shape `[channels, height, width]` of each layer's output for an input of
/// `[height, width]` pixels; `widths` holds the output channels of each convolution in order.
///
/// # Errors
///
/// The input is too small for a layer.
pub fn output_shapes(
    layers: &[Layer],
    widths: &[usize],
    [height, width]: [usize; 2],
) -> Result<Vec<[usize; 3]>, InputTooSmall> {
    let mut shape = [0, height, width];
    let mut widths = widths.iter();
    let mut shapes = Vec::with_capacity(layers.len());
    for layer in layers {
        match layer.kind {
            LayerKind::Convolution => shape[0] = widths.next().copied().unwrap_or_default(),
            LayerKind::MaxPool => shape = [shape[0], shape[1] / 2, shape[2] / 2],
            LayerKind::BatchNorm | LayerKind::Relu => {}
        }
        if shape[1] == 0 || shape[2] == 0 {
            return Err(InputTooSmall {
                height,
                width,
                layer: layer.name(),
            });
        }
        shapes.push(shape);
    }
    Ok(shapes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::vgg::Arch;

    const WIDTHS: [usize; 13] = [
        64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512,
    ];

    #[test]
    fn vgg16_at_224_has_the_papers_shapes() {
        let shapes = output_shapes(&Arch::VGG16.layers(), &WIDTHS, [224, 224]).unwrap();
        assert_eq!(shapes[0], [64, 224, 224]);
        assert_eq!(shapes[5], [128, 112, 112]);
        assert_eq!(shapes[30], [512, 7, 7]);
    }

    #[test]
    fn odd_sizes_are_halved_downwards() {
        let shapes = output_shapes(&Arch::VGG16.layers(), &WIDTHS, [451, 300]).unwrap();
        assert_eq!(shapes[4], [64, 225, 150]);
        assert_eq!(shapes[30], [512, 14, 9]);
    }

    #[test]
    fn a_small_input_names_the_layer_it_does_not_reach() {
        let error = output_shapes(&Arch::VGG16.layers(), &WIDTHS, [16, 40]).unwrap_err();
        assert_eq!(error.layer, "pool5");
    }
}
