//! 8-bit image -> the values that the network is fed: its colors, and their normalization.

use feature_grid::{Color, Picture};

/// The order of a pixel's three channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChannelOrder {
    /// Red, green, blue: torchvision.
    Rgb,
    /// Blue, green, red: Caffe, and Keras' VGG.
    Bgr,
    /// Luma alone, for networks of gray images.
    Gray,
}

/// How gray levels become numbers: `(v / divisor - mean) / std`, channel by channel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Normalize {
    /// The order of the channels that the network is fed, and of [`mean`](Self::mean) and
    /// [`std`](Self::std).
    pub(crate) order: ChannelOrder,
    /// What 0..=255 is divided by: 255 for numbers from 0 to 1, 1 for gray levels as they are.
    pub(crate) divisor: f32,
    /// Subtracted, in units of what the division gives.
    pub(crate) mean: [f32; 3],
    /// What the rest is divided by.
    pub(crate) std: [f32; 3],
}

impl Normalize {
    /// The same for a network of gray images: what the three channels have on average, as
    /// `timm.create_model(…, in_chans=1)` has it.
    pub(crate) fn gray(self) -> Self {
        let average = |numbers: [f32; 3]| {
            let sum: f64 = numbers.into_iter().map(f64::from).sum();
            #[expect(clippy::cast_possible_truncation, reason = "the numbers are f32")]
            let average = (sum / 3.0) as f32;
            [average; 3]
        };
        Self {
            order: ChannelOrder::Gray,
            mean: average(self.mean),
            std: average(self.std),
            ..self
        }
    }

    /// The numbers that the network is fed.
    ///
    /// They are computed in `f32` in torchvision's order of operations (`ToTensor`'s division,
    /// then `Normalize`'s subtraction and division), so they are its very values.
    ///
    /// Shapes: `[height, width, 3]` -> `[height, width, 3]`, the last in [`order`](Self::order): the layout
    /// that libtorch calls channels-last. Images of one size, one after the other, are a batch
    /// `[batch, height, width, 3]`. A gray picture has 1 channel in place of 3.
    pub(crate) fn apply(&self, picture: &Picture) -> Vec<f32> {
        let table = self.table();
        if self.order == ChannelOrder::Gray {
            let values = picture.pixels.iter();
            return values.map(|&v| table[0][usize::from(v)]).collect();
        }
        let (pixels, _) = picture.pixels.as_chunks::<3>();
        let number = |(channel, &value): (&[f32; 256], &u8)| channel[usize::from(value)];
        pixels
            .iter()
            .flat_map(|&[r, g, b]| {
                let pixel = match self.order {
                    ChannelOrder::Rgb | ChannelOrder::Gray => [r, g, b],
                    ChannelOrder::Bgr => [b, g, r],
                };
                [0, 1, 2].map(|c| number((&table[c], &pixel[c])))
            })
            .collect()
    }

    /// What each gray level becomes in each channel.
    fn table(&self) -> [[f32; 256]; 3] {
        let mut table = [[0.0; 256]; 3];
        for ((column, mean), std) in table.iter_mut().zip(self.mean).zip(self.std) {
            for (value, number) in (0_u8..=255).zip(column) {
                *number = (f32::from(value) / self.divisor - mean) / std;
            }
        }
        table
    }
}

/// Pillow's `convert("L")` of a picture.
///
/// Shapes: `[height, width, 3]` -> `[height, width, 1]`.
pub(super) fn luma(picture: &Picture) -> Picture {
    let (pixels, _) = picture.pixels.as_chunks::<3>();
    Picture {
        color: Color::Gray,
        pixels: pixels.iter().copied().map(luma_of).collect(),
        ..*picture
    }
}

/// Pillow's `convert("L")` of a pixel, to the bit: ITU-R 601-2 luma in 16-bit fixed point.
///
/// Source: `rgb2l` in Pillow's `src/libImaging/Convert.c`.
pub(crate) fn luma_of(rgb: [u8; 3]) -> u8 {
    let [r, g, b] = rgb.map(u32::from);
    // The weights add up to 1 << 16.
    let [_, level, _, _] = (r * 19595 + g * 38470 + b * 7471 + 0x8000).to_be_bytes();
    level
}
