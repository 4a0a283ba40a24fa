//! The summary in words.

use std::collections::BTreeMap;

use super::events::{FilterEvent, Kind, median};
use super::found::Change;
use super::summary::{LayerStep, NonFiniteSpans, Span, StandOut, Summary};
use crate::analysis::name_of;
use crate::one_line::listed;

const FIRST: &str = "conv1_1";

const NAMED: usize = 4;

/// A layer of which more than this fraction is dead stands before everything else.
const MANY_DEAD: f64 = 0.1;

impl Summary {
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let (Some(first), Some(last)) = (self.steps.first(), self.steps.last()) else {
            return lines;
        };
        let dead = self.of_inactive(*first, *last);
        let leads = self.images.is_enough() && self.has_many_dead();
        let (leading, dead) = if leads { (dead, None) } else { (None, dead) };
        lines.extend(leading);
        let is_one = first == last;
        if !is_one && !self.changed && self.non_finite.is_empty() && self.rest_is_equal() {
            let count = self.steps.len();
            lines.push(format!(
                "nothing changed: all {count} steps ({first} to {last}) hold equal weights"
            ));
        } else if !is_one {
            lines.push(self.of_layers(*first, *last));
            lines.extend(self.of_stand_outs());
            lines.extend(
                Kind::WHAT
                    .into_iter()
                    .filter_map(|what| self.of_filters(what)),
            );
            if let Some(line) = lines.last_mut().filter(|_| self.more > 0) {
                *line = format!("{line}; and {} more events of filters", self.more);
            }
            lines.extend(self.of_unchanged(*first));
        }
        lines.extend(dead);
        lines.extend(self.of_revived());
        lines.extend(self.of_non_finite("weight", &self.non_finite));
        lines.extend(self.of_non_finite("channel", &self.non_finite_maps));
        lines.extend(self.of_updates());
        lines
    }

    fn rest_is_equal(&self) -> bool {
        self.rest.values().all(|change| change.relative == 0.0)
    }

    fn of_layers(&self, first: i64, last: i64) -> String {
        let mut layers = self.changes_from_first();
        let count = layers.len();
        layers.retain(|(_, change)| change.relative.is_finite());
        layers.sort_by(|(_, a), (_, b)| b.relative.total_cmp(&a.relative));
        let most = layers.first().map_or(0.0, |(_, change)| change.relative);
        let did_change = |step: &LayerStep| step.change().is_some_and(|c| c.relative != 0.0);
        let unknown: Vec<&str> = (self.rest.iter())
            .filter(|(_, change)| change.relative.is_nan())
            .map(|(layer, _)| name_of(layer))
            .collect();
        let unknown = match unknown[..] {
            [] => String::new(),
            _ => format!("; NaN or infinite: {}", listed(unknown, ", ", NAMED)),
        };
        if layers.is_empty() {
            return format!("no layer's weights are finite at both steps {first} and {last}");
        }
        if most <= 0.0 && self.layers.values().flatten().any(did_change) {
            return format!(
                "the weights of steps {first} and {last} are equal, but not those between them"
            );
        }
        if most <= 0.0 {
            return "no weights of convolutions and linear layers changed, only biases or batch normalization".to_owned();
        }
        let named = layers.iter().take(NAMED - 1);
        let named = named.map(|(layer, change)| format!("{} {}", name_of(layer), how(change)));
        let relative = layers.iter().map(|(_, change)| change.relative);
        format!(
            "changed most from step {first} to step {last}: {}; median of {count} layers: {}{unknown}",
            named.collect::<Vec<_>>().join(", "),
            percent(median(relative.collect()))
        )
    }

    fn of_stand_outs(&self) -> Option<String> {
        let mut events = self.unusual_layers();
        let mut named = Vec::new();
        let mut by_step: BTreeMap<i64, usize> = BTreeMap::new();
        for event in &events {
            *by_step.entry(event.step).or_default() += 1;
        }
        // What happens to most layers at once is one event.
        let all = self.layers.len();
        for (step, count) in by_step {
            if count > NAMED && 2 * count > all {
                let of_step = events.iter().filter(|event| event.step == step);
                let hows: Vec<String> = of_step.clone().map(|event| how(&event.change)).collect();
                let most = of_step.map(|event| name_of(&event.layer)).next();
                let how = if hows.iter().all(|how| *how == hows[0]) {
                    hows[0].clone()
                } else {
                    format!("most {} {}", most.unwrap_or_default(), hows[0])
                };
                named.push(format!("{count} of {all} layers at step {step}: {how}"));
                events.retain(|event| event.step != step);
            }
        }
        let one = |StandOut {
                       layer,
                       step,
                       change,
                   }: &StandOut| {
            format!("{} at step {step}: {}", name_of(layer), how(change))
        };
        named.extend(events.iter().map(one));
        line("stands out from its own trend", &named)
    }

    /// What happened to filters, those of a layer and a step together: the most changed layer first.
    fn of_filters(&self, what: &str) -> Option<String> {
        let mut together: Vec<Vec<&FilterEvent>> = Vec::new();
        for event in self.unusual_filters(what) {
            let is_near =
                |other: &FilterEvent| (&other.layer, other.step) == (&event.layer, event.step);
            match together.iter_mut().find(|events| is_near(events[0])) {
                Some(events) => events.push(event),
                None => together.push(vec![event]),
            }
        }
        let events = together.into_iter().map(|events| {
            let (layer, step) = (name_of(&events[0].layer), events[0].step);
            let mut filters: Vec<usize> = events.iter().map(|event| event.filter).collect();
            filters.sort_unstable();
            let one = if layer == FIRST { "kernel" } else { "filter" };
            let (s, their) = if filters.len() == 1 {
                ("", "its")
            } else {
                ("s", "their")
            };
            let how = match events[0].kind {
                Kind::Zeroed | Kind::CameBack => String::new(),
                Kind::Turned(_) => {
                    let cosines = between(&events, |cosine| format!("{cosine:.3}"));
                    format!(" (cosine to the step before: {cosines})")
                }
                Kind::Changed(_) => format!(" by {} of {their} norm", between(&events, percent)),
            };
            let filters = listed(filters, ", ", NAMED);
            format!("{one}{s} {filters} of {layer} at step {step}{how}")
        });
        line(what, &events.collect::<Vec<_>>())
    }

    fn of_unchanged(&self, first: i64) -> Option<String> {
        let unchanged = self.unchanged().into_iter().map(|(layer, since)| {
            let layer = name_of(layer);
            match since {
                since if since == first => layer.to_owned(),
                since => format!("{layer} since step {since}"),
            }
        });
        line("weights unchanged", &unchanged.collect::<Vec<_>>())
    }

    /// The layers whose weights are at the last step what they were at an earlier one, and since then at every one.
    pub(super) fn unchanged(&self) -> Vec<(&str, i64)> {
        let last = self.steps.last().copied();
        let since = |steps: &Vec<LayerStep>| {
            let is_still = |step: &&LayerStep| step.change().is_some_and(|c| c.relative == 0.0);
            let count = steps.iter().rev().take_while(is_still).count();
            let reaches = steps.last().map(|step| step.step) == last;
            let from = self.steps.len().checked_sub(count + 1)?;
            // Of a layer that paused for a step nothing is said.
            (reaches && (count > 1 || from == 0 && count > 0)).then_some(from)
        };
        let layer = |(layer, steps)| Some((String::as_str(layer), self.steps[since(steps)?]));
        self.layers.iter().filter_map(layer).collect()
    }

    fn has_many_dead(&self) -> bool {
        let mut layers = self.inactive.values();
        layers.any(|layer| layer.fraction() > MANY_DEAD)
    }

    /// The channels that are active on no image; where the images are few, only those of which that is news.
    fn of_inactive(&self, first: i64, last: i64) -> Option<String> {
        let mut layers = Vec::new();
        for (layer, spans) in &self.inactive {
            let mut now = spans.now();
            let is_whole = now.len() == spans.of;
            if !self.images.is_enough() && !is_whole {
                now.retain(|(_, since)| *since != first);
            }
            let (Some((channel, since)), count) = (now.first(), now.len()) else {
                continue;
            };
            let layer = name_of(layer);
            let since = |before: &str| match since {
                since if *since == first => String::new(),
                since => format!("{before}since step {since}"),
            };
            let text = match count {
                1 => format!("{layer}, channel {channel}{}", since(", ")),
                _ if is_whole => format!("{layer}, all {count} channels"),
                _ => format!(
                    "{layer}, {count} of {} channels (first: {channel}{})",
                    spans.of,
                    since(", ")
                ),
            };
            layers.push((spans.fraction(), text));
        }
        layers.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        let texts = layers.into_iter().map(|(_, text)| text);
        line(
            &format!("{} at step {last}", self.images.verdict()),
            &texts.collect::<Vec<_>>(),
        )
    }

    /// The channels that were dead and are not any more, those of a layer and the same steps together.
    fn of_revived(&self) -> Option<String> {
        let mut together: Vec<(&str, Span, Vec<usize>)> = Vec::new();
        for (layer, spans) in self.inactive.iter().filter(|_| self.images.is_enough()) {
            for (channel, spans) in &spans.spans {
                let Some(span) = spans.last().filter(|span| span.until.is_some()) else {
                    continue;
                };
                let channel = channel.parse().unwrap_or_default();
                let mut known = together.iter_mut();
                match known.find(|(of, when, _)| (*of, *when) == (name_of(layer), *span)) {
                    Some((.., channels)) => channels.push(channel),
                    None => together.push((name_of(layer), *span, vec![channel])),
                }
            }
        }
        let revived = together.into_iter().map(|(layer, span, mut channels)| {
            channels.sort_unstable();
            let s = if channels.len() == 1 { "" } else { "s" };
            let (channels, when) = (listed(channels, ", ", NAMED), self.when(span));
            format!("{layer}, channel{s} {channels} ({when})")
        });
        line("dead for a while", &revived.collect::<Vec<_>>())
    }

    /// `at step 5` or `at steps 5 to 8`, and whether that was the end of it.
    fn when(&self, Span { from, until }: Span) -> String {
        let Some(until) = until else {
            return format!("from step {from} on");
        };
        let before = self.steps.iter().rev().find(|step| **step < until);
        match before {
            Some(last) if *last != from => format!("steps {from} to {last}"),
            _ => format!("step {from}"),
        }
    }

    fn of_non_finite(&self, of: &str, layers: &BTreeMap<String, NonFiniteSpans>) -> Option<String> {
        // What one layer has, all layers after it have.
        let mut by_spans: Vec<(&[Span], Vec<String>)> = Vec::new();
        for (layer, known) in layers {
            let s = if known.count == 1 { "" } else { "s" };
            let name = format!("{} {of}{s} of {}", known.count, name_of(layer));
            match by_spans.iter_mut().find(|(spans, _)| *spans == known.spans) {
                Some((_, names)) => names.push(name),
                None => by_spans.push((&known.spans, vec![name])),
            }
        }
        let texts = by_spans.into_iter().map(|(spans, names)| {
            let when = spans.iter().map(|span| self.when(*span));
            let when = when.collect::<Vec<_>>().join(", ");
            let again = spans.last().and_then(|span| span.until);
            let again =
                again.map_or_else(String::new, |step| format!(", finite again at step {step}"));
            format!("{} ({when}{again})", listed(names, ", ", NAMED))
        });
        line("NaN or infinite", &texts.collect::<Vec<_>>())
    }

    fn of_updates(&self) -> Option<String> {
        let mut all = Vec::new();
        for (layer, steps) in &self.layers {
            let updates = steps
                .iter()
                .filter_map(|step| Some((step.step, step.found.update?)));
            all.extend(updates.map(|(step, update)| (update, layer.as_str(), step)));
        }
        all.retain(|(update, ..)| update.is_finite());
        let (most, layer, step) = all.iter().max_by(|(a, ..), (b, ..)| a.total_cmp(b))?;
        let usual = median(all.iter().map(|(update, ..)| *update).collect());
        Some(format!(
            "an optimization step changes weights by {} of their norm (median; rule of thumb: near 0.1%), at most {} at step {step} by {}",
            percent(usual),
            name_of(layer),
            percent(*most)
        ))
    }
}

fn how(change: &Change) -> String {
    match change.relative {
        relative if relative.is_infinite() => "from all 0".to_owned(),
        _ if change.cosine > 0.99 && (change.factor - 1.0).abs() > 0.1 => {
            format!("x {:.2}", change.factor)
        }
        relative => format!("by {}", percent(relative)),
    }
}

/// The numbers of these events: one, or from the lowest to the highest.
fn between(events: &[&FilterEvent], text: impl Fn(f64) -> String) -> String {
    let mut numbers: Vec<f64> = (events.iter())
        .filter_map(|event| match event.kind {
            Kind::Zeroed | Kind::CameBack => None,
            Kind::Turned(number) | Kind::Changed(number) => Some(number),
        })
        .collect();
    numbers.sort_by(f64::total_cmp);
    let ends = [numbers.first(), numbers.last()].map(|end| text(*end.unwrap_or(&f64::NAN)));
    match ends {
        [low, high] if low == high => low,
        [low, high] => format!("{low} to {high}"),
    }
}

/// A fraction as a percentage of two digits.
pub(super) fn percent(fraction: f64) -> String {
    let percent = fraction * 100.0;
    match percent {
        0.0 => "0%".to_owned(),
        ..1e-4 => "less than 0.0001%".to_owned(),
        ..0.001 => format!("{percent:.5}%"),
        ..0.01 => format!("{percent:.4}%"),
        ..0.1 => format!("{percent:.3}%"),
        ..1.0 => format!("{percent:.2}%"),
        ..10.0 => format!("{percent:.1}%"),
        _ => format!("{percent:.0}%"),
    }
}

fn line(what: &str, to: &[String]) -> Option<String> {
    (!to.is_empty()).then(|| format!("{what}: {}", listed(to, "; ", NAMED)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_have_two_digits() {
        let texts = [0.0, 4.99e-3, 0.05, 0.5, 1.57, 5e-4, 3.3e-5, 1e-9].map(percent);
        let expected = ["0%", "0.50%", "5.0%", "50%", "157%", "0.050%", "0.0033%"];
        assert_eq!(texts[..7], expected);
        assert_eq!(texts[7], "less than 0.0001%");
    }
}
