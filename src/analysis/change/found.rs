//! What is found at one step, as the state of a run keeps it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::events::{FilterEvent, of_filters};
use super::layer::LayerChange;
use crate::analysis::ComparisonImages;
use crate::analysis::probe::ProbeImages;
use crate::device::PairSums;

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Change {
    /// The norm of the difference over that of the earlier weights.
    pub(crate) relative: f64,
    pub(crate) cosine: f64,
    /// The least-squares factor from the earlier weights to these.
    pub(crate) factor: f64,
}

impl From<&PairSums> for Change {
    fn from(sums: &PairSums) -> Self {
        Self {
            relative: sums.relative(),
            cosine: sums.cosine(),
            factor: sums.factor(),
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct LayerFound {
    pub(super) previous: Option<Change>,
    pub(super) first: Option<Change>,
    /// The relative change by the last optimization step, in a training.
    pub(super) update: Option<f64>,
    /// The largest distance of one of its filters from the step before.
    #[serde(default)]
    pub(super) farthest: f64,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Inactive {
    pub(crate) channels: Vec<usize>,
    pub(crate) of: usize,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ImageCount {
    pub(crate) probe: usize,
    /// Comparison images that are no probe images.
    pub(crate) comparison: usize,
}

impl ImageCount {
    /// Fewer images say nothing about whether a channel ever answers.
    pub(crate) const ENOUGH: usize = 64;

    pub(crate) fn of(probes: &ProbeImages, images: Option<&ComparisonImages>) -> Self {
        let images = images.into_iter();
        let both: BTreeSet<usize> = images.clone().flat_map(ComparisonImages::probes).collect();
        let comparison: usize = images.map(ComparisonImages::count).sum();
        Self {
            probe: probes.names().count(),
            comparison: comparison.saturating_sub(both.len()),
        }
    }

    pub(crate) fn all(self) -> usize {
        self.probe + self.comparison
    }

    pub(crate) fn is_enough(self) -> bool {
        self.all() >= Self::ENOUGH
    }

    /// `dead`, or where the images are too few to say so, `inactive`.
    pub(crate) fn word(self) -> &'static str {
        if self.is_enough() { "dead" } else { "inactive" }
    }

    /// `over 70 images`.
    pub(crate) fn over(self) -> String {
        format!("over {}", self.text())
    }

    fn text(self) -> String {
        let s = if self.all() == 1 { "" } else { "s" };
        let kind = if self.comparison == 0 { "probe " } else { "" };
        format!("{} {kind}image{s}", self.all())
    }

    /// What a channel is, with the images: `dead (never above 0 on 70 images)`.
    pub(crate) fn verdict(self) -> String {
        let images = self.text();
        if self.is_enough() {
            format!("dead (never above 0 on {images})")
        } else {
            format!("not active on your {images} (too few to call dead: --compare-images)")
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Activations {
    pub(crate) images: ImageCount,
    /// By the layer's tag, as all that follows.
    pub(crate) inactive: BTreeMap<String, Inactive>,
    /// The channels that have values that are NaN or infinite, of layers that have some.
    pub(crate) non_finite: BTreeMap<String, usize>,
    /// Debiased linear CKA with the first step; NaN where it is undefined.
    pub(crate) cka: BTreeMap<String, f64>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Found {
    pub(super) step: i64,
    /// By the layer's tag.
    pub(super) layers: BTreeMap<String, LayerFound>,
    /// The change from the first step of weights that are not followed from step to step.
    pub(super) rest: BTreeMap<String, Change>,
    pub(super) filters: Vec<FilterEvent>,
    /// Whether any weight, bias or running statistic changed since the step before.
    pub(super) changed: bool,
    pub(super) non_finite: BTreeMap<String, usize>,
    pub(super) activations: Activations,
}

impl Found {
    /// From the step before, from the first one (none at the first), and by the last optimization step.
    pub(crate) fn new(
        step: i64,
        changes: [&[LayerChange]; 3],
        non_finite: BTreeMap<String, usize>,
    ) -> Self {
        let mut found = Self {
            step,
            non_finite,
            ..Self::default()
        };
        let [previous, first, update] = changes;
        for change in first {
            let layer = found.layers.entry(change.name.clone()).or_default();
            layer.first = Some((&change.whole).into());
        }
        for change in update {
            let layer = found.layers.entry(change.name.clone()).or_default();
            layer.update = Some(change.whole.relative());
        }
        for change in previous {
            found.changed |= !change.is_equal;
            let layer = found.layers.entry(change.name.clone()).or_default();
            layer.previous = Some((&change.whole).into());
            let distances = change.filters.iter().map(PairSums::distance);
            let finite = distances.filter(|distance| distance.is_finite());
            layer.farthest = finite.fold(0.0, f64::max);
            found.filters.extend(of_filters(step, change));
        }
        found
    }
}
