//! What changed most over a sequence of checkpoints, and when, in a few lines.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

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
    dead: BTreeMap<String, Dead>,
}

/// The channels of a layer that are dead, and since which step. Those of the first step were never seen alive.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<(usize, i64)>", into = "Vec<(usize, i64)>")]
struct Dead(BTreeMap<usize, i64>);

impl From<Vec<(usize, i64)>> for Dead {
    fn from(since: Vec<(usize, i64)>) -> Self {
        Self(since.into_iter().collect())
    }
}

impl From<Dead> for Vec<(usize, i64)> {
    fn from(Dead(since): Dead) -> Self {
        since.into_iter().collect()
    }
}

impl Summary {
    /// Adds a step: the changes of its layers from the step before (none at the first one), weights that are not
    /// finite, and the channels that are dead, each by layer.
    pub(crate) fn add<'a>(
        &mut self,
        step: i64,
        changes: &[LayerChange],
        non_finite: &[NonFinite],
        dead: impl IntoIterator<Item = (&'a str, &'a [usize])>,
    ) {
        self.steps.push(step);
        for NonFinite { layer, count } in non_finite {
            let known = self.non_finite.entry(layer.clone());
            known.or_insert((step, *count));
        }
        for change in changes {
            self.changed |= !change.is_equal;
            let whole = &change.whole;
            self.layers
                .entry(change.name.clone())
                .or_default()
                .push(LayerStep {
                    step,
                    relative: whole.relative(),
                    cosine: whole.cosine(),
                    factor: whole.factor(),
                });
            let distances = self.distances.entry(change.name.clone()).or_default();
            distances.resize(change.filters.len(), 0.0);
            for (sum, filter) in distances.iter_mut().zip(&change.filters) {
                // NaN would hide everything else.
                let distance = Some(filter.distance()).filter(|distance| distance.is_finite());
                *sum += distance.unwrap_or(0.0);
            }
            self.filters.extend(of_filters(step, change));
            self.keep_some_filters();
        }
        for (layer, channels) in dead {
            let now: BTreeSet<usize> = channels.iter().copied().collect();
            let Dead(since) = self.dead.entry(layer.to_owned()).or_default();
            since.retain(|channel, _| now.contains(channel));
            for channel in now {
                since.entry(channel).or_insert(step);
            }
        }
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
        for (layer, Dead(now)) in later.dead {
            let Dead(before) = self.dead.entry(layer).or_default();
            let since = |(channel, step)| {
                // Who was dead at the seam has been since some step before it.
                let earlier = before.get(&channel).filter(|_| Some(step) == seam);
                (channel, earlier.copied().unwrap_or(step))
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
        lines.extend(self.of_filters("zeroed", |kind| match kind {
            Kind::Zeroed => Some(String::new()),
            _ => None,
        }));
        lines.extend(self.of_filters("came back from 0", |kind| match kind {
            Kind::CameBack => Some(String::new()),
            _ => None,
        }));
        lines.extend(self.of_filters("direction changed", |kind| match kind {
            Kind::Turned(cosine) => Some(format!(" (cosine to the step before: {cosine:.3})")),
            _ => None,
        }));
        lines.extend(self.of_filters("filters changed", |kind| match kind {
            Kind::Changed(relative) => Some(format!(" by {:.0}% of its norm", relative * 100.0)),
            _ => None,
        }));
        if let Some(line) = lines.last_mut().filter(|_| self.more > 0) {
            *line += &["; and ", &self.more.to_string(), " more events of filters"].concat();
        }
        lines.extend(self.of_dead(first));
        lines.extend(self.of_non_finite());
        lines
    }

    /// The layers whose change stands out, or how even it is.
    fn of_layers(&self) -> String {
        let mut events: Vec<(&str, &LayerStep)> = Vec::new();
        let mut by_step: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
        for step in self.layers.values().flatten() {
            by_step.entry(step.step).or_default().push(step.relative);
        }
        let by_step: BTreeMap<i64, f64> = by_step
            .into_iter()
            .map(|(step, relatives)| (step, median(relatives)))
            .collect();
        for (layer, steps) in &self.layers {
            let usual = median(steps.iter().map(|step| step.relative).collect());
            for step in steps {
                let others = by_step.get(&step.step).copied().unwrap_or(0.0);
                // Over two steps there is no usual change of its own.
                let usual = if steps.len() < 3 { 0.0 } else { usual };
                if stands_out(step.relative, others, usual) {
                    events.push((layer, step));
                }
            }
        }
        let relative = |(_, step): &(&str, &LayerStep)| step.relative;
        events.sort_by(|a, b| relative(b).total_cmp(&relative(a)));
        if events.is_empty() {
            return self.of_even_layers();
        }
        let named = events.iter().map(|(layer, step)| {
            let LayerStep {
                step,
                relative,
                cosine,
                factor,
            } = step;
            if *cosine > 0.99 && (factor - 1.0).abs() > 0.1 {
                format!("{layer} at step {step}: x {factor:.2}")
            } else {
                format!("{layer} at step {step}: by {relative:.2} of its norm")
            }
        });
        let usual = median(by_step.into_values().collect());
        format!(
            "changed most: {}; layers change by {usual:.2e} from step to step",
            listed(named, "; ", NAMED)
        )
    }

    fn of_even_layers(&self) -> String {
        let all = self
            .layers
            .iter()
            .flat_map(|(layer, steps)| steps.iter().map(move |step| (layer, step)));
        let finite = all.filter(|(_, step)| step.relative.is_finite());
        let most = finite.max_by(|(_, a), (_, b)| a.relative.total_cmp(&b.relative));
        let usual = median(
            self.layers
                .values()
                .flatten()
                .map(|step| step.relative)
                .collect(),
        );
        match most {
            Some((layer, step)) if step.relative > 0.0 => format!(
                "layers changed evenly, by {usual:.2e} of their norm from step to step; most: {layer} at step {}, by {:.2e}",
                step.step, step.relative
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

    /// The filters to which something happened; `text` says whether it is that, and what else there is to say.
    fn of_filters(&self, what: &str, text: impl Fn(Kind) -> Option<String>) -> Option<String> {
        let of_kind = |event: &&FilterEvent| text(event.kind).is_some() && self.is_unusual(event);
        let mut events: Vec<&FilterEvent> = self.filters.iter().filter(of_kind).collect();
        events.sort_by(|a, b| b.distance.total_cmp(&a.distance));
        // Of each filter the largest.
        let mut named = BTreeSet::new();
        events.retain(|event| named.insert((&event.layer, event.filter)));
        let event = |event: &&FilterEvent| {
            let FilterEvent {
                step,
                layer,
                filter,
                kind,
                ..
            } = event;
            let one = if layer == FIRST { "kernel" } else { "filter" };
            let more = text(*kind).unwrap_or_default();
            format!("{one} {filter} of {layer} at step {step}{more}")
        };
        let events: Vec<String> = events.iter().map(event).collect();
        (!events.is_empty()).then(|| format!("{what}: {}", listed(&events, "; ", NAMED)))
    }

    /// The channels that died after the first step and did not come back.
    fn of_dead(&self, first: i64) -> Option<String> {
        let died = self.dead.iter().filter_map(|(layer, Dead(since))| {
            let died: Vec<_> = since.iter().filter(|(_, step)| **step != first).collect();
            let (channel, step) = died.first()?;
            Some(match died.len() {
                1 => format!("{layer}, channel {channel} (step {step})"),
                count => format!("{layer}, {count} channels (first: {channel}, step {step})"),
            })
        });
        let died: Vec<String> = died.collect();
        (!died.is_empty()).then(|| format!("dead since: {}", listed(&died, "; ", NAMED)))
    }

    fn of_non_finite(&self) -> Option<String> {
        let text = |(layer, (step, count)): (&String, &(i64, usize))| {
            format!("{count} weights of {layer} from step {step} on")
        };
        let all = self.non_finite.iter().map(text);
        (!self.non_finite.is_empty())
            .then(|| format!("NaN or infinite: {}", listed(all, "; ", NAMED)))
    }
}
