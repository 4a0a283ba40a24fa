//! How far an estimate can be trusted.

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand::seq::index::sample;
use rayon::prelude::*;
use serde::Serialize;

use super::gram::Gram;

const REPLICATES: u64 = 100;

/// A value and its 95% interval over the images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Estimate {
    pub(crate) value: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Estimate {
    /// Measures over all images what is at least `least` and at most 1, and over halves of every minibatch drawn without replacement: their values spread
    /// as those of whole samples do (`McCarthy` 1969; Politis and Romano 1994). A bootstrap with replacement would pair
    /// doubled images with themselves, which an unbiased estimator leaves out for a reason.
    pub(super) fn of(
        one: &Gram,
        two: &Gram,
        least: f64,
        measure: impl Fn(&Gram, &Gram) -> Option<f64> + Sync,
    ) -> Option<Self> {
        // But for rounding.
        let value = measure(one, two)?.clamp(least, 1.0);
        let of_half = |seed| {
            let half = half(one, seed);
            measure(&one.part(&half), &two.part(&half))
        };
        let mut halves: Vec<f64> = (0..REPLICATES)
            .into_par_iter()
            .filter_map(of_half)
            .collect();
        halves.sort_by(f64::total_cmp);
        let mean = halves.iter().sum::<f64>() / halves.len().max(1) as f64;
        // Half as many images may lie elsewhere; only how far they spread counts.
        let end = |percent: usize| {
            let place = (halves.len() * percent / 1000).min(halves.len().saturating_sub(1));
            let end = halves.get(place).map_or(value, |half| value + half - mean);
            end.clamp(least, 1.0)
        };
        Some(Self {
            value,
            low: end(25),
            high: end(975),
        })
    }
}

/// Half of the images of every minibatch; the same ones for all layers and steps.
fn half(gram: &Gram, seed: u64) -> Vec<Vec<usize>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut half = |images| sample(&mut rng, images, images.div_ceil(2)).into_vec();
    gram.sizes().map(&mut half).collect()
}
