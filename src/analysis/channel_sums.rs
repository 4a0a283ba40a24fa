//! Sums over each channel of a layer.

use burn::tensor::Tensor;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::device::{BackendError, TensorFloats};

/// Values that are read at a time.
const PIECE: usize = 1 << 14;

/// Sums over the values of each channel, of all images together.
pub(super) struct ChannelSums {
    /// Of what is above 0.
    pub(super) positive: Vec<f64>,
    /// How many are above 0.
    pub(super) on: Vec<f64>,
}

impl ChannelSums {
    /// On any device, where they stay: those of what is above 0, and behind them how many are.
    pub(super) fn on_device(maps: Tensor<4>) -> Tensor<1> {
        let on = maps.clone().greater_elem(0.0).float().sum_dims(&[0, 2, 3]);
        let positive = maps.clamp_min(0.0).sum_dims(&[0, 2, 3]);
        Tensor::cat(vec![positive, on], 1).flatten(0, 3)
    }

    /// Those that a device computed.
    pub(super) fn read(sums: &[f32]) -> Self {
        let (positive, on) = sums.split_at(sums.len() / 2);
        let [positive, on] =
            [positive, on].map(|sums| sums.iter().copied().map(f64::from).collect());
        Self { positive, on }
    }

    /// The same of channels-last maps in memory, which libtorch's operations go over six times.
    pub(super) fn in_memory(maps: &Tensor<4>) -> Result<Self, BackendError> {
        let [images, channels, ..] = maps.dims();
        let none = || Self {
            positive: vec![0.0; channels],
            on: vec![0.0; channels],
        };
        let image = |at: usize| {
            let image = maps.clone().narrow(0, at, 1).permute([0, 2, 3, 1]);
            (image, none())
        };
        let images: Vec<_> = (0..images).map(image).collect();
        let sums = images.into_par_iter().map(|(image, mut sums)| {
            sums.add(image)?;
            Ok::<_, BackendError>(sums)
        });
        sums.try_reduce(none, |one, two| Ok(one.merged(&two)))
    }

    /// Adds one image, `[1, height, width, channels]`.
    fn add(&mut self, image: Tensor<4>) -> Result<(), BackendError> {
        let channels = self.on.len();
        let floats = TensorFloats::new(image)?;
        let piece = (PIECE / channels).max(1) * channels;
        let mut values = vec![0.0; piece.min(floats.count())];
        let arch = Arch::new();
        for at in (0..floats.count()).step_by(piece) {
            let length = piece.min(floats.count() - at);
            floats.read(at, &mut values[..length])?;
            let (mut positive, mut on) = (vec![0.0; channels], vec![0.0; channels]);
            arch.dispatch(Add {
                values: &values[..length],
                positive: &mut positive,
                on: &mut on,
            });
            for (all, new) in [(&mut self.positive, positive), (&mut self.on, on)] {
                for (all, new) in all.iter_mut().zip(new) {
                    *all += f64::from(new);
                }
            }
        }
        Ok(())
    }

    fn merged(mut self, other: &Self) -> Self {
        for (all, new) in [
            (&mut self.positive, &other.positive),
            (&mut self.on, &other.on),
        ] {
            for (all, new) in all.iter_mut().zip(new) {
                *all += new;
            }
        }
        self
    }
}

/// The sums over pixels of all channels.
struct Add<'a> {
    values: &'a [f32],
    positive: &'a mut [f32],
    on: &'a mut [f32],
}

impl WithSimd for Add<'_> {
    type Output = ();

    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "pulp compiles for AVX2 only what is inlined into its dispatcher"
    )]
    fn with_simd<S: Simd>(self, _: S) {
        let channels = self.on.len();
        for pixel in self.values.chunks_exact(channels) {
            let sums = self.positive.iter_mut().zip(self.on.iter_mut());
            for (value, (positive, on)) in pixel.iter().zip(sums) {
                // NaN is kept: it is no sign of a dead channel.
                let kept = if *value <= 0.0 { 0.0 } else { *value };
                *positive += kept;
                *on += if *value > 0.0 { 1.0 } else { 0.0 };
            }
        }
    }
}
