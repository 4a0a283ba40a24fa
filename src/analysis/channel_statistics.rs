//! The percentiles of a layer's values, and the moments of each channel.

use burn::tensor::Tensor;

use crate::device::{BackendError, floats_of_maps, layout_of};
use crate::logger::{Difference, Ranges};
use feature_grid::{Floats, Layout};

/// What is known of a layer, by channel, or by kernel.
pub(super) struct ChannelStatistics {
    /// The percentiles; `None` where no value is finite.
    pub(super) range: Option<[f32; 2]>,
    pub(super) change_range: Option<[f32; 2]>,
    pub(super) variance: Vec<f64>,
    /// The mean squared change; 0 without a base.
    pub(super) change: Vec<f64>,
}

/// Measures feature maps of one image, `[1, channels, height, width]`, or kernels, `[kernels, channels, height, width]`,
/// and how they changed from a base; `with_change` says whether the range of that is wanted. `values` are a place, used
/// again for the next layer: a new one costs more than what is done with it.
pub(super) fn statistics(
    maps: &Tensor<4>,
    base: Option<&Tensor<4>>,
    of_kernels: bool,
    with_change: bool,
    values: &mut Vec<f32>,
) -> Result<ChannelStatistics, BackendError> {
    let [first, channels, ..] = maps.dims();
    let count = if of_kernels { first } else { channels };
    let is_interleaved = |maps| layout_of(maps) == Layout::Interleaved;
    let layout = if !of_kernels && [maps].into_iter().chain(base).all(is_interleaved) {
        Layout::Interleaved
    } else {
        Layout::Planar
    };
    let new = floats_of_maps(maps.clone(), layout)?;
    read(&*new, values)?;
    let variance = moments(values, count, layout).map(|(mean, squares)| squares - mean * mean);
    let mut measured = ChannelStatistics {
        variance: variance.collect(),
        range: Ranges::of_values(values),
        change: vec![0.0; count],
        change_range: None,
    };
    if let Some(base) = base {
        let old = &*floats_of_maps(base.clone(), layout)?;
        read(&Difference { new: &*new, old }, values)?;
        let squares = moments(values, count, layout).map(|(_, squares)| squares);
        measured.change = squares.collect();
        measured.change_range = with_change.then(|| Ranges::of_values(values)).flatten();
    }
    Ok(measured)
}

fn read(floats: &dyn Floats, values: &mut Vec<f32>) -> Result<(), BackendError> {
    values.resize(floats.count(), 0.0);
    Ok(floats.read(0, values)?)
}

/// Values whose sum is taken in `f32` before it is added to the others.
const SHORT: usize = 256;

/// The mean of each channel's values, and that of their squares.
fn moments(values: &[f32], channels: usize, layout: Layout) -> impl Iterator<Item = (f64, f64)> {
    let each = (values.len() / channels.max(1)).max(1);
    let mut sums = vec![(0.0, 0.0); channels];
    match layout {
        Layout::Interleaved => {
            for pixels in values.chunks(SHORT * channels) {
                let mut short = vec![(0.0_f32, 0.0_f32); channels];
                for pixel in pixels.chunks_exact(channels) {
                    for ((sum, squares), value) in short.iter_mut().zip(pixel) {
                        *sum += value;
                        *squares += value * value;
                    }
                }
                for ((sum, squares), new) in sums.iter_mut().zip(short) {
                    *sum += f64::from(new.0);
                    *squares += f64::from(new.1);
                }
            }
        }
        Layout::Planar => {
            for ((sum, squares), channel) in sums.iter_mut().zip(values.chunks_exact(each)) {
                for value in channel.iter().copied().map(f64::from) {
                    *sum += value;
                    *squares += value * value;
                }
            }
        }
    }
    let each = each as f64;
    sums.into_iter()
        .map(move |(sum, squares)| (sum / each, squares / each))
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::TensorData;

    use crate::device::OpenDevice;

    fn is_near(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    }

    /// `x = np.sin(np.arange(96, dtype='f4')).reshape(1, 4, 6, 4)`: `x.var((0, 2, 3))`,
    /// `((x - 0.5 * x) ** 2).mean((0, 2, 3))` and `np.percentile(x - 0.5 * x, [0.1, 99.9])`.
    // Verified: NumPy | variance and percentiles of channels | 1e-6
    #[test]
    fn variance_and_change_are_numpys_in_both_layouts() {
        for choice in ["auto", "flex"] {
            let device = OpenDevice::open(choice.parse().unwrap()).unwrap().device;
            let values: Vec<f32> = (0_u8..96).map(|i| f32::from(i).sin()).collect();
            let planar = Tensor::<4>::from_data(TensorData::new(values, [1, 4, 6, 4]), &device);
            let interleaved = planar.clone().permute([0, 2, 3, 1]).into_data();
            let interleaved = Tensor::<4>::from_data(interleaved, &device).permute([0, 3, 1, 2]);
            for maps in [planar, interleaved] {
                let base = maps.clone() * 0.5;
                let measured =
                    statistics(&maps, Some(&base), false, true, &mut Vec::new()).unwrap();
                is_near(
                    &measured.variance,
                    &[0.486_386_9, 0.491_648_2, 0.520_739_0, 0.478_233_1],
                );
                is_near(
                    &measured.change,
                    &[0.122_013_4, 0.123_267_9, 0.130_204_2, 0.120_069_2],
                );
                let range = measured.change_range.unwrap().map(f64::from);
                is_near(&range, &[-0.499_983_95, 0.499_937_32]);
            }
        }
    }
}
