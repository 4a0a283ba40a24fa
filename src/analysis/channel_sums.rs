//! Sums over each channel of a layer, of all images together: of what is above 0, and behind them how many values are.

use burn::tensor::Tensor;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::device::{BackendError, floats};

/// Values that are read at a time.
const PIECE: usize = 1 << 14;

/// On any device, where they stay: `[2 * channels]`.
pub(super) fn on_device(maps: Tensor<4>) -> Tensor<1> {
    let on = maps.clone().greater_elem(0.0).float().sum_dims(&[0, 2, 3]);
    let positive = maps.clamp_min(0.0).sum_dims(&[0, 2, 3]);
    Tensor::cat(vec![positive, on], 1).flatten(0, 3)
}

/// The same of channels-last maps in memory, which libtorch's operations go over six times.
pub(super) fn in_memory(maps: &Tensor<4>) -> Result<Vec<f64>, BackendError> {
    let [images, channels, ..] = maps.dims();
    let image = |at| maps.clone().narrow(0, at, 1).permute([0, 2, 3, 1]);
    let images: Vec<Tensor<4>> = (0..images).map(image).collect();
    let sums = images.into_par_iter().map(of_image);
    sums.try_reduce(
        || vec![0.0; 2 * channels],
        |mut all, new| {
            add(&mut all, new);
            Ok(all)
        },
    )
}

/// Of one image, `[1, height, width, channels]`.
fn of_image(image: Tensor<4>) -> Result<Vec<f64>, BackendError> {
    let [.., channels] = image.dims();
    let floats = floats(image)?;
    let piece = (PIECE / channels).max(1) * channels;
    let mut values = vec![0.0; piece.min(floats.count())];
    let mut sums = vec![0.0; 2 * channels];
    let arch = Arch::new();
    for at in (0..floats.count()).step_by(piece) {
        let values = &mut values[..piece.min(floats.count() - at)];
        floats.read(at, values)?;
        let mut of_piece = vec![0.0; 2 * channels];
        arch.dispatch(Add {
            values,
            sums: &mut of_piece,
        });
        add(&mut sums, of_piece.into_iter().map(f64::from));
    }
    Ok(sums)
}

/// Adds sums to those of others.
pub(super) fn add(all: &mut [f64], new: impl IntoIterator<Item = f64>) {
    for (all, new) in all.iter_mut().zip(new) {
        *all += new;
    }
}

/// The sums over pixels of all channels.
struct Add<'a> {
    values: &'a [f32],
    sums: &'a mut [f32],
}

impl WithSimd for Add<'_> {
    type Output = ();

    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "pulp compiles for AVX2 only what is inlined into its dispatcher"
    )]
    fn with_simd<S: Simd>(self, _: S) {
        let channels = self.sums.len() / 2;
        let (positive, on) = self.sums.split_at_mut(channels);
        for pixel in self.values.chunks_exact(channels) {
            let sums = positive.iter_mut().zip(on.iter_mut());
            for (value, (positive, on)) in pixel.iter().zip(sums) {
                // NaN is kept: it is no sign of a dead channel.
                let kept = if *value <= 0.0 { 0.0 } else { *value };
                *positive += kept;
                *on += if *value > 0.0 { 1.0 } else { 0.0 };
            }
        }
    }
}
