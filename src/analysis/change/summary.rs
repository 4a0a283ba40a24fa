//! What changed most over a sequence of checkpoints, and when, in a few lines.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::device::PairSums;
use crate::one_line::listed;

use super::events::{FilterEvent, Kind, is_unusual, median, of_filters, stands_out};
use super::layer::{LayerChange, NonFinite};

/// The layer whose filters are seen as kernels.
const FIRST: &str = "conv1_1";

/// Events of a kind that a line names.
const NAMED: usize = 4;

/// Events of filters that are kept; later ones are counted.
const KEPT: usize = 4096;

/// A layer's change from the step before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct LayerStep {
    step: i64,
    relative: f64,
    cosine: f64,
    factor: f64,
}

/// Collects what happens, step after step.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Summary {
    steps: Vec<i64>,
    layers: BTreeMap<String, Vec<LayerStep>>,
    filters: Vec<FilterEvent>,
    /// The sum of each filter's distances over all steps, by layer.
    distances: BTreeMap<String, Vec<f64>>,
    /// Events of filters that were not kept.
    more: usize,
    /// Whether any weight or bias changed at all.
    changed: bool,
    /// The first step with weights that are not finite, and how many, by layer.
    non_finite: BTreeMap<String, (i64, usize)>,
    /// The channels of a layer that are dead, in order, and since which step. Those of the first step were never seen
    /// alive.
    dead: BTreeMap<String, Vec<(usize, i64)>>,
}

impl Summary {
    /// Of one step: the changes of its layers from the step before (none at the first one), weights that are not
    /// finite, and the channels that are dead, each by layer.
    pub(crate) fn of_step<'a>(
        step: i64,
        changes: &[LayerChange],
        non_finite: &[NonFinite],
        dead: impl IntoIterator<Item = (&'a str, &'a [usize])>,
    ) -> Self {
        let mut all = Self {
            steps: vec![step],
            ..Self::default()
        };
        for NonFinite { layer, count } in non_finite {
            all.non_finite.insert(layer.clone(), (step, *count));
        }
        for change in changes {
            all.changed |= !change.is_equal;
            let whole = &change.whole;
            let of_layer = LayerStep {
                step,
                relative: whole.relative(),
                cosine: whole.cosine(),
                factor: whole.factor(),
            };
            all.layers.insert(change.name.clone(), vec![of_layer]);
            // NaN would hide everything else.
            let finite = |distance: f64| if distance.is_finite() { distance } else { 0.0 };
            let distances = change.filters.iter().map(PairSums::distance).map(finite);
            all.distances
                .insert(change.name.clone(), distances.collect());
            all.filters.extend(of_filters(step, change));
        }
        for (layer, channels) in dead {
            let since = channels.iter().map(|channel| (*channel, step));
            all.dead.insert(layer.to_owned(), since.collect());
        }
        all
    }

    fn keep_some_filters(&mut self) {
        if self.filters.len() > KEPT {
            let mut filters = std::mem::take(&mut self.filters);
            filters.retain(|event| self.is_unusual(event));
            self.more += filters.len().saturating_sub(KEPT);
            filters.truncate(KEPT);
            self.filters = filters;
        }
    }

    /// Adds the steps that another one saw, the first of which is the last of this.
    pub(crate) fn append(&mut self, later: Self) {
        let seam = later.steps.first().copied();
        let is_new = self.steps.last().copied() != seam;
        self.steps
            .extend(later.steps.iter().skip(usize::from(!is_new)));
        for (layer, steps) in later.layers {
            self.layers.entry(layer).or_default().extend(steps);
        }
        for (layer, distances) in later.distances {
            let all = self.distances.entry(layer).or_default();
            all.resize(distances.len(), 0.0);
            for (all, distance) in all.iter_mut().zip(distances) {
                *all += distance;
            }
        }
        self.filters.extend(later.filters);
        self.keep_some_filters();
        self.more += later.more;
        self.changed |= later.changed;
        for (layer, first) in later.non_finite {
            self.non_finite.entry(layer).or_insert(first);
        }
        for (layer, now) in later.dead {
            let before = self.dead.entry(layer).or_default();
            let since = |(channel, step)| {
                // Who was dead at the seam has been since some step before it.
                let earlier = dead_since(before, channel).filter(|_| Some(step) == seam);
                (channel, earlier.unwrap_or(step))
            };
            *before = now.into_iter().map(since).collect();
        }
    }

    /// What is to be said, a line each, at most seven.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let [first, .., last] = self.steps[..] else {
            return lines;
        };
        if !self.changed && self.non_finite.is_empty() {
            return vec![format!(
                "nothing changed: all {} steps ({first} to {last}) hold equal weights",
                self.steps.len()
            )];
        }
        lines.push(self.of_layers());
        for what in Kind::WHAT {
            lines.extend(self.of_filters(what));
        }
        if let Some(line) = lines.last_mut().filter(|_| self.more > 0) {
            *line = format!("{line}; and {} more events of filters", self.more);
        }
        lines.extend(self.of_dead(first));
        lines.extend(self.of_non_finite());
        lines
    }

    /// The layers whose change stands out, or how even it is.
    fn of_layers(&self) -> String {
        let mut by_step: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
        for step in self.layers.values().flatten() {
            by_step.entry(step.step).or_default().push(step.relative);
        }
        let medians = by_step
            .into_iter()
            .map(|(step, of_layers)| (step, median(of_layers)));
        let medians: BTreeMap<i64, f64> = medians.collect();
        let mut events: Vec<(&str, &LayerStep)> = Vec::new();
        for (layer, steps) in &self.layers {
            // Over two steps there is no usual change of its own.
            let usual = Some(steps)
                .filter(|steps| steps.len() > 2)
                .map_or(0.0, median_change);
            for step in steps {
                let others = medians.get(&step.step).copied().unwrap_or(0.0);
                if stands_out(step.relative, others, usual) {
                    events.push((layer, step));
                }
            }
        }
        if events.is_empty() {
            return self.of_even_layers();
        }
        events.sort_by(|(_, a), (_, b)| b.relative.total_cmp(&a.relative));
        let named = events.iter().map(|(layer, change)| {
            let step = change.step;
            if change.cosine > 0.99 && (change.factor - 1.0).abs() > 0.1 {
                format!("{layer} at step {step}: x {:.2}", change.factor)
            } else {
                let relative = change.relative;
                format!("{layer} at step {step}: by {relative:.2} of its norm")
            }
        });
        let usual = median(medians.into_values().collect());
        format!(
            "changed most: {}; layers change by {usual:.2e} from step to step",
            listed(named, "; ", NAMED)
        )
    }

    fn of_even_layers(&self) -> String {
        let layers = self.layers.iter();
        let all = layers.flat_map(|(layer, steps)| steps.iter().map(move |step| (layer, step)));
        let finite = all.filter(|(_, step)| step.relative.is_finite());
        match finite.max_by(|(_, a), (_, b)| a.relative.total_cmp(&b.relative)) {
            Some((layer, LayerStep { step, relative, .. })) if *relative > 0.0 => format!(
                "layers changed evenly, by {:.2e} of their norm from step to step; most: {layer} at step {step}, by {relative:.2e}",
                median_change(self.layers.values().flatten())
            ),
            _ => "only biases changed, no weight".to_owned(),
        }
    }

    fn is_unusual(&self, event: &FilterEvent) -> bool {
        let sums = self.distances.get(&event.layer);
        let sum = sums.and_then(|sums| sums.get(event.filter)).copied();
        let steps = self.layers.get(&event.layer).map_or(0, Vec::len);
        is_unusual(event, sum.unwrap_or(0.0), steps.saturating_sub(1))
    }

    /// The filters to which this happened.
    fn of_filters(&self, what: &str) -> Option<String> {
        let is_named = |event: &&FilterEvent| event.kind.what() == what && self.is_unusual(event);
        let mut events: Vec<&FilterEvent> = self.filters.iter().filter(is_named).collect();
        events.sort_by(|a, b| b.distance.total_cmp(&a.distance));
        // Of each filter the largest.
        let mut named = BTreeSet::new();
        events.retain(|event| named.insert((&event.layer, event.filter)));
        let event = |event: &&FilterEvent| {
            let (filter, layer, step) = (event.filter, &event.layer, event.step);
            let one = if layer == FIRST { "kernel" } else { "filter" };
            let how = match event.kind {
                Kind::Zeroed | Kind::CameBack => String::new(),
                Kind::Turned(cosine) => format!(" (cosine to the step before: {cosine:.3})"),
                Kind::Changed(relative) => format!(" by {:.0}% of its norm", relative * 100.0),
            };
            format!("{one} {filter} of {layer} at step {step}{how}")
        };
        line(what, events.iter().map(event))
    }

    /// The channels that died after the first step and did not come back.
    fn of_dead(&self, first: i64) -> Option<String> {
        let died = self.dead.iter().filter_map(|(layer, since)| {
            let died: Vec<_> = since.iter().filter(|(_, step)| *step != first).collect();
            let (channel, step) = died.first()?;
            Some(match died.len() {
                1 => format!("{layer}, channel {channel} (step {step})"),
                count => format!("{layer}, {count} channels (first: {channel}, step {step})"),
            })
        });
        line("dead since", died)
    }

    fn of_non_finite(&self) -> Option<String> {
        let text = |(layer, (step, count)): (&String, &(i64, usize))| {
            format!("{count} weights of {layer} from step {step} on")
        };
        line("NaN or infinite", self.non_finite.iter().map(text))
    }
}

/// What happened, and to what; none where it happened to nothing.
fn line(what: &str, to: impl Iterator<Item = String>) -> Option<String> {
    let to: Vec<String> = to.collect();
    (!to.is_empty()).then(|| format!("{what}: {}", listed(&to, "; ", NAMED)))
}

fn median_change<'a>(steps: impl IntoIterator<Item = &'a LayerStep>) -> f64 {
    median(steps.into_iter().map(|step| step.relative).collect())
}

/// The step since which a channel is dead.
fn dead_since(dead: &[(usize, i64)], channel: usize) -> Option<i64> {
    let mut dead = dead.iter();
    dead.find(|(other, _)| *other == channel)
        .map(|(_, step)| *step)
}
