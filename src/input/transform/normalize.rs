//! 8-bit image -> the values that the network is fed.

use crate::render::Picture;

/// The order of a pixel's three channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChannelOrder {
    /// Red, green, blue: torchvision.
    Rgb,
    /// Blue, green, red: Caffe, and Keras' VGG.
    Bgr,
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
    /// The numbers that the network is fed.
    ///
    /// They are computed in `f32` in torchvision's order of operations (`ToTensor`'s division,
    /// then `Normalize`'s subtraction and division), so they are its very values.
    ///
    /// Shapes: `[height, width, 3]` -> `[height, width, 3]`, the last in [`order`](Self::order): the layout
    /// that libtorch calls channels-last. Images of one size, one after the other, are a batch
    /// `[batch, height, width, 3]`.
    pub(crate) fn apply(&self, picture: &Picture) -> Vec<f32> {
        let table = self.table();
        let (pixels, _) = picture.pixels.as_chunks::<3>();
        let number = |(channel, &value): (&[f32; 256], &u8)| channel[usize::from(value)];
        pixels
            .iter()
            .flat_map(|&[r, g, b]| {
                let pixel = match self.order {
                    ChannelOrder::Rgb => [r, g, b],
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
