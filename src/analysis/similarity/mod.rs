//! How alike two representations of the same images are, from their Gram matrices alone.
//!
//! A layer's features are `[images, features]`; their Gram matrix holds the products of all images with all
//! images. Where the features of all images do not fit into memory it is kept for minibatches of them, and every measure is
//! a mean over minibatches.
//!
//! Sources: Song and others (2007) and Székely and Rizzo (2014) for the unbiased estimator of HSIC; Kornblith and
//! others (2019) for CKA; Nguyen, Raghu and Kornblith (2021) for minibatches; Harvey, Larsen and Williams (2023) for
//! the Procrustes similarity from Gram matrices; Huh and others (2024) for mutual nearest neighbors.

mod gram;
mod heat_map;
mod interval;
mod measures;

use tensorboard_events::Summary;

pub(crate) use gram::{Gram, minibatches};
pub(crate) use heat_map::{Labeled, heat_map};
pub(crate) use interval::Estimate;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Similarity {
    /// Debiased linear CKA: 1 for representations that differ by a rotation and a scale, near 0 for unrelated
    /// ones. `None` where a representation does not tell the images apart by more than rounding, or is not finite.
    pub(crate) cka: Option<Estimate>,
    /// The Procrustes similarity, 0 to 1. `None` as above.
    pub(crate) procrustes: Option<Estimate>,
    /// The mean fraction of an image's nearest images, by cosine, that both agree on. `None` as above.
    pub(crate) neighbors: Option<Estimate>,
}

impl Similarity {
    pub(crate) fn between(one: &Gram, two: &Gram) -> Self {
        Self {
            cka: Estimate::of(one, two, -1.0, measures::cka),
            procrustes: Estimate::of(one, two, 0.0, measures::procrustes),
            neighbors: Estimate::of(one, two, 0.0, measures::mutual_neighbors),
        }
    }

    /// Every number as a measure, `cka`, an end of its name, nothing or `_low` and `_high` for its interval, and the
    /// value. Measures that say nothing are left out.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = (&'static str, &'static str, f64)> {
        let measures = [
            ("cka", self.cka),
            ("procrustes", self.procrustes),
            ("neighbors", self.neighbors),
        ];
        measures
            .into_iter()
            .filter_map(|(name, estimate)| Some((name, estimate?)))
            .flat_map(|(name, Estimate { value, low, high })| {
                [("", value), ("_low", low), ("_high", high)].map(|(end, value)| (name, end, value))
            })
    }

    /// Those of a layer as scalars: `GROUP/LAYER/cka…`, its interval as `intervals/LAYER/cka…_low` and `…_high`.
    pub(crate) fn scalars(&self, group: &str, layer: &str, ending: &str) -> Vec<Summary> {
        let scalar = |(name, end, value): (&str, &str, f64)| {
            let group = if end.is_empty() { group } else { "intervals" };
            Summary::scalar(format!("{group}/{layer}/{name}{ending}{end}"), value)
        };
        self.numbers().map(scalar).collect()
    }
}

#[cfg(test)]
mod tests;
