//! The basis of one layer.

use std::cell::OnceCell;

use burn::tensor::{Device, Tensor};
use nalgebra::{DMatrix, DVector};

use super::eigen::{COMPONENTS, largest};
use crate::device::{BackendError, upload, values};
use crate::logger::Ranges;

/// A component with less of the first one's variance is rounding noise: covariances are of single precision.
const LEAST_VARIANCE: f64 = 1e-6;

/// Values that differ by less of their mean are equal.
const LEAST_DEVIATION: f64 = 1e-5;

/// Mean, components and explained variance ratio of a layer's maps, as scikit-learn has them, and what is shown of each
/// component from 0 to full color.
#[derive(Debug)]
pub(super) struct Basis {
    /// `[channels]`.
    pub(super) mean: Vec<f32>,
    /// Each `[channels]`, its largest loading positive; all 0 where there is none.
    pub(super) components: [Vec<f32>; COMPONENTS],
    pub(super) explained: [f32; COMPONENTS],
    /// What is 0 and what is full color, counted from the mean.
    pub(super) ranges: [[f32; 2]; COMPONENTS],
    weights: OnceCell<Tensor<2>>,
}

impl Basis {
    pub(super) fn new(
        mean: Vec<f32>,
        components: [Vec<f32>; COMPONENTS],
        explained: [f32; COMPONENTS],
        ranges: [[f32; 2]; COMPONENTS],
    ) -> Self {
        Self {
            mean,
            components,
            explained,
            ranges,
            weights: OnceCell::new(),
        }
    }

    pub(super) fn channels(&self) -> usize {
        self.mean.len()
    }

    /// What maps, `[channels, positions]`, are multiplied by: `[3, channels]`. A range is 1 wide behind it.
    pub(super) fn weights(&self, device: &Device) -> Tensor<2> {
        let weights = self.weights.get_or_init(|| {
            let each = self.components.iter().zip(self.ranges);
            let scaled = |(component, [low, high]): (&Vec<f32>, [f32; 2])| {
                let width = high - low;
                component
                    .iter()
                    .map(move |loading| loading / width)
                    .collect::<Vec<f32>>()
            };
            let all = each.flat_map(scaled).collect();
            upload(all, [COMPONENTS, self.channels()], device)
        });
        weights.clone().to_device(device)
    }

    #[expect(clippy::cast_possible_truncation, reason = "for eight bits")]
    pub(super) fn offsets(&self) -> [f32; COMPONENTS] {
        let center = self.centers();
        std::array::from_fn(|at| {
            let [low, high] = self.ranges[at].map(f64::from);
            (-(center[at] + low) / (high - low)) as f32
        })
    }

    fn centers(&self) -> [f64; COMPONENTS] {
        self.components.each_ref().map(|component| {
            let products = component.iter().zip(&self.mean);
            products
                .map(|(loading, mean)| f64::from(*loading) * f64::from(*mean))
                .sum()
        })
    }

    /// Takes the percentiles of the projections of these maps, each `[channels, positions]`, as the ranges.
    pub(super) fn set_ranges(&mut self, all: &[Tensor<2>]) -> Result<(), BackendError> {
        let (centers, channels) = (self.centers(), self.channels());
        let mut projections: [Vec<f32>; COMPONENTS] = Default::default();
        for maps in all {
            let components = upload(
                self.components.concat(),
                [COMPONENTS, channels],
                &maps.device(),
            );
            let projected = values(components.matmul(maps.clone()))?;
            if projected.iter().any(|value| !value.is_finite()) {
                continue;
            }
            let each = projected.chunks_exact(maps.dims()[1]).zip(&mut projections);
            for ((plane, all), center) in each.zip(centers) {
                #[expect(clippy::cast_possible_truncation, reason = "as they came")]
                all.extend(
                    plane
                        .iter()
                        .map(|value| (f64::from(*value) - center) as f32),
                );
            }
        }
        for (range, mut values) in self.ranges.iter_mut().zip(projections) {
            if let Some([low, high]) = Ranges::of_values(&mut values) {
                // Not narrower than what it was: the deviation of the component.
                *range = [low, high.max(low + range[1])];
            }
        }
        Ok(())
    }
}

pub(super) struct Moments {
    count: f64,
    mean: DVector<f64>,
    /// Of the differences from the mean.
    products: DMatrix<f64>,
}

impl Moments {
    /// Those of maps, each `[channels, positions]`; maps that are not all finite take no part.
    pub(super) fn of(all: &[Tensor<2>]) -> Result<Self, BackendError> {
        let channels = all.first().map_or(0, |maps| maps.dims()[0]);
        let sums = Self::together(channels, all)?;
        if sums.products.iter().all(|value| value.is_finite()) {
            return Ok(sums);
        }
        let mut finite = Vec::new();
        for maps in all {
            let alone = Self::together(channels, [maps])?;
            if alone.products.trace().is_finite() {
                finite.push(maps);
            }
        }
        Self::together(channels, finite)
    }

    /// The sums are of single precision and stay on the device until all are there.
    ///
    /// Source: Chan and others, "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances"
    /// (1979).
    fn together<'a>(
        channels: usize,
        all: impl IntoIterator<Item = &'a Tensor<2>>,
    ) -> Result<Self, BackendError> {
        let mut count = 0.0;
        let mut sums: Option<(Tensor<2>, Tensor<2>)> = None;
        for maps in all {
            let here = maps.dims()[1] as f64;
            let mean = maps.clone().mean_dim(1);
            let centered = maps.clone() - mean.clone();
            let products = centered.clone().matmul(centered.transpose());
            let sum = count + here;
            sums = Some(match sums {
                None => (mean, products),
                Some((all_mean, all_products)) => {
                    let apart = mean - all_mean.clone();
                    let between = apart.clone().matmul(apart.clone().transpose());
                    (
                        all_mean + apart * (here / sum),
                        all_products + products + between * (count * here / sum),
                    )
                }
            });
            count = sum;
        }
        let read = match sums {
            None => vec![0.0; (channels + 1) * channels],
            Some((mean, products)) => values(Tensor::cat(vec![mean.transpose(), products], 0))?,
        };
        let mut read = read.into_iter().map(f64::from);
        Ok(Self {
            count,
            mean: DVector::from_iterator(channels, read.by_ref().take(channels)),
            // Symmetric, so that the order of rows and columns does not matter.
            products: DMatrix::from_iterator(channels, channels, read),
        })
    }

    /// The basis, whose ranges are not known yet: their ends are what they are at least apart.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "maps are of single precision"
    )]
    pub(super) fn basis(&self) -> Basis {
        let covariance = &self.products / self.count.max(1.0);
        let all = covariance.trace();
        let first = largest(&covariance);
        let highest = first.first().map_or(0.0, |pair| pair.value);
        let least =
            (highest * LEAST_VARIANCE).max(self.mean.norm_squared() * LEAST_DEVIATION.powi(2));
        let mut components = [const { Vec::new() }; COMPONENTS];
        let (mut explained, mut ranges) = ([0.0; COMPONENTS], [[0.0, 1.0]; COMPONENTS]);
        for (at, component) in components.iter_mut().enumerate() {
            let pair = first.get(at).filter(|pair| pair.value > least);
            *component = match pair {
                Some(pair) => {
                    explained[at] = (pair.value / all) as f32;
                    ranges[at] = [0.0, (pair.value.sqrt() * 1e-3) as f32];
                    pair.vector.iter().map(|loading| *loading as f32).collect()
                }
                None => vec![0.0; self.mean.len()],
            };
        }
        let mean = self.mean.iter().map(|mean| *mean as f32).collect();
        Basis::new(mean, components, explained, ranges)
    }
}
