//! What happened over a sequence of checkpoints, or a training: all that its lines, its JSON and its picture say.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::events::{FilterEvent, Kind, is_beyond_trend, stands_out};
use super::found::{Change, Found, ImageCount, Inactive, LayerFound};

/// Events of filters that are kept; later ones are counted.
const KEPT: usize = 4096;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct LayerStep {
    pub(super) step: i64,
    #[serde(flatten)]
    pub(super) found: LayerFound,
}

impl LayerStep {
    pub(super) fn change(&self) -> Option<Change> {
        self.found.previous
    }

    fn relative(&self) -> f64 {
        self.change().map_or(f64::NAN, |change| change.relative)
    }
}

/// Steps at which something was so, and the one at which it was not any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Span {
    pub(super) from: i64,
    pub(super) until: Option<i64>,
}

impl Span {
    pub(super) fn includes(&self, step: i64) -> bool {
        self.from <= step && self.until.is_none_or(|until| step < until)
    }

    fn note(spans: &mut Vec<Self>, step: i64, is_so: bool) {
        match spans.last_mut().filter(|span| span.until.is_none()) {
            Some(open) if !is_so => open.until = Some(step),
            None if is_so => spans.push(Self {
                from: step,
                until: None,
            }),
            _ => {}
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct NonFiniteSpans {
    pub(super) spans: Vec<Span>,
    /// How many there were at the last of these steps.
    pub(super) count: usize,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct InactiveSpans {
    /// By channel, which TOML has as text.
    pub(super) spans: BTreeMap<String, Vec<Span>>,
    pub(super) of: usize,
}

impl InactiveSpans {
    pub(super) fn fraction(&self) -> f64 {
        let [now, of] = [self.now().len() as f64, self.of.max(1) as f64];
        now / of
    }

    /// Those that are not active at the last step, with the step since when.
    pub(super) fn now(&self) -> Vec<(usize, i64)> {
        let open = |(channel, spans): (&String, &Vec<Span>)| {
            let open = spans.last().filter(|span| span.until.is_none())?;
            Some((channel.parse().ok()?, open.from))
        };
        let mut now: Vec<(usize, i64)> = self.spans.iter().filter_map(open).collect();
        now.sort_unstable();
        now
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StandOut {
    pub(crate) layer: String,
    pub(crate) step: i64,
    pub(crate) change: Change,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Summary {
    pub(super) steps: Vec<i64>,
    /// By the layer's tag, as all that follows.
    pub(super) layers: BTreeMap<String, Vec<LayerStep>>,
    /// The change from the first to the last step of weights that are not followed from step to step.
    pub(super) rest: BTreeMap<String, Change>,
    filters: Vec<FilterEvent>,
    pub(super) more: usize,
    /// Whether any weight, bias or running statistic changed at all.
    pub(super) changed: bool,
    pub(super) non_finite: BTreeMap<String, NonFiniteSpans>,
    pub(super) non_finite_maps: BTreeMap<String, NonFiniteSpans>,
    pub(super) images: ImageCount,
    pub(super) inactive: BTreeMap<String, InactiveSpans>,
    pub(super) cka: BTreeMap<String, f64>,
}

impl Summary {
    pub(crate) fn add(&mut self, found: Found) {
        let step = found.step;
        self.steps.push(step);
        for (layer, found) in found.layers {
            let steps = self.layers.entry(layer).or_default();
            steps.push(LayerStep { step, found });
        }
        self.rest.extend(found.rest);
        self.filters.extend(found.filters);
        self.keep_some_filters();
        self.changed |= found.changed;
        note_non_finite(&mut self.non_finite, step, &found.non_finite);
        let activations = found.activations;
        note_non_finite(&mut self.non_finite_maps, step, &activations.non_finite);
        self.images = activations.images;
        for (layer, Inactive { channels, of }) in activations.inactive {
            // Of a layer that is not finite it is unknown which of its channels would be active.
            let is_known = !activations.non_finite.contains_key(&layer);
            let known = self.inactive.entry(layer).or_default();
            known.of = of;
            let now: BTreeSet<String> = channels.iter().map(ToString::to_string).collect();
            let all: BTreeSet<String> = known.spans.keys().chain(&now).cloned().collect();
            for channel in all {
                let is_so = now.contains(&channel);
                if is_so || is_known {
                    Span::note(known.spans.entry(channel).or_default(), step, is_so);
                }
            }
        }
        self.cka = activations.cka;
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

    pub(crate) fn add_rest(&mut self, rest: impl IntoIterator<Item = (String, Change)>) {
        self.rest.extend(rest);
    }

    pub(crate) fn follows(&self, layer: &str) -> bool {
        self.layers.contains_key(layer)
    }

    pub(crate) fn steps(&self) -> &[i64] {
        &self.steps
    }

    /// The layers that are followed, by tag, and each one's relative change from the step before, by step.
    pub(crate) fn relative_changes(
        &self,
    ) -> impl Iterator<Item = (&str, impl Iterator<Item = (i64, f64)>)> {
        self.layers.iter().map(|(layer, steps)| {
            let changes = steps.iter().filter(|step| step.change().is_some());
            let changes = changes.map(|step| (step.step, step.relative()));
            (layer.as_str(), changes)
        })
    }

    pub(super) fn changes_from_first(&self) -> Vec<(&str, Change)> {
        let last = self.steps.last().copied();
        let followed = self.layers.iter().filter_map(|(layer, steps)| {
            let last = steps.last().filter(|found| Some(found.step) == last)?;
            Some((layer.as_str(), last.found.first?))
        });
        let rest = self.rest.iter();
        followed
            .chain(rest.map(|(layer, change)| (layer.as_str(), *change)))
            .collect()
    }

    pub(super) fn unusual_layers(&self) -> Vec<StandOut> {
        let mut all = Vec::new();
        for (layer, steps) in &self.layers {
            let changes: Vec<&LayerStep> = (steps.iter())
                .filter(|step| step.change().is_some())
                .collect();
            let relative: Vec<f64> = changes.iter().map(|step| step.relative()).collect();
            for (at, step) in changes.iter().enumerate() {
                if let Some(change) = step.change().filter(|_| stands_out(&relative, at)) {
                    all.push(StandOut {
                        layer: layer.clone(),
                        step: step.step,
                        change,
                    });
                }
            }
        }
        all.sort_by(|a, b| b.change.relative.total_cmp(&a.change.relative));
        all
    }

    /// The same, and those at which something happened to a filter: what a picture of all changes marks.
    pub(crate) fn stand_outs(&self) -> Vec<StandOut> {
        let mut all = self.unusual_layers();
        let events = Kind::WHAT
            .iter()
            .flat_map(|what| self.unusual_filters(what));
        let places: BTreeSet<(&str, i64)> = events
            .map(|event| (event.layer.as_str(), event.step))
            .collect();
        for (layer, step) in places {
            if all.iter().any(|one| one.layer == layer && one.step == step) {
                continue;
            }
            let mut steps = self.layers.get(layer).into_iter().flatten();
            let change = steps
                .find(|one| one.step == step)
                .and_then(LayerStep::change);
            all.extend(change.map(|change| StandOut {
                layer: layer.to_owned(),
                step,
                change,
            }));
        }
        all
    }

    /// Whether a filter was zeroed or came back, or changed by more than the filters of its layer do at the steps around.
    fn is_unusual(&self, event: &FilterEvent) -> bool {
        let steps = self.layers.get(&event.layer).into_iter().flatten();
        let changes: Vec<&LayerStep> = steps.filter(|step| step.change().is_some()).collect();
        let at = changes.iter().position(|step| step.step == event.step);
        let farthest: Vec<f64> = changes.iter().map(|step| step.found.farthest).collect();
        match event.kind {
            Kind::Zeroed | Kind::CameBack => true,
            Kind::Turned(_) | Kind::Changed(_) => {
                at.is_some_and(|at| is_beyond_trend(event.distance, &farthest, at))
            }
        }
    }

    /// The filters to which this happened, of each the largest event; the largest first.
    pub(super) fn unusual_filters(&self, what: &str) -> Vec<&FilterEvent> {
        let is_named = |event: &&FilterEvent| event.kind.what() == what && self.is_unusual(event);
        let mut events: Vec<&FilterEvent> = self.filters.iter().filter(is_named).collect();
        events.sort_by(|a, b| b.distance.total_cmp(&a.distance));
        let mut named = BTreeSet::new();
        events.retain(|event| named.insert((&event.layer, event.filter)));
        events
    }
}

fn note_non_finite(
    all: &mut BTreeMap<String, NonFiniteSpans>,
    step: i64,
    now: &BTreeMap<String, usize>,
) {
    for (layer, count) in now {
        all.entry(layer.clone()).or_default().count = *count;
    }
    for (layer, known) in all {
        Span::note(&mut known.spans, step, now.contains_key(layer));
    }
}
