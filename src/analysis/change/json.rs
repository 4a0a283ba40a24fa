//! The summary as JSON, whose keys `docs/summary.md` describes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::events::Kind;
use super::found::Change;
use super::summary::{NonFiniteSpans, Span, Summary};
use crate::analysis::name_of;

/// The numbers of a layer that conditions are on; `procrustes` and `neighbors` only where runs are compared.
pub(crate) const NUMBERS: [&str; 13] = [
    "change",
    "cosine",
    "factor",
    "update_ratio",
    "stand_outs",
    "zeroed",
    "turned",
    "nan",
    "dead",
    "inactive",
    "cka",
    "procrustes",
    "neighbors",
];

impl Summary {
    /// All that is known of the run. Numbers that are NaN or infinite are null.
    pub(crate) fn json(&self) -> Value {
        let from_first: BTreeMap<&str, Change> = self.changes_from_first().into_iter().collect();
        let unchanged: BTreeMap<&str, i64> = self.unchanged().into_iter().collect();
        let maps = self.non_finite_maps.keys();
        let tags: BTreeSet<&str> = (self.layers.keys())
            .chain(self.rest.keys())
            .chain(self.inactive.keys())
            .chain(self.cka.keys())
            .chain(maps)
            .map(String::as_str)
            .collect();
        let mut events = self.events();
        let by_layer = self.relative_changes().map(|(tag, changes)| {
            let change = |(step, change): (i64, f64)| json!({"step": step, "change": change});
            (tag, changes.map(change).collect::<Vec<_>>())
        });
        let mut changes: BTreeMap<&str, Vec<Value>> = by_layer.collect();
        let layer = |tag: &str| {
            let mut layer = Map::new();
            let mut set = |key: &str, value: Value| layer.insert(key.to_owned(), value);
            set("layer", json!(name_of(tag)));
            set("tag", json!(tag));
            if let Some(change) = from_first.get(tag) {
                set("change", json!(change.relative));
                set("cosine", json!(change.cosine));
                set("factor", json!(change.factor));
            }
            let events = events.remove(tag).unwrap_or_default();
            if let Some(steps) = self.layers.get(tag) {
                set("changes", json!(changes.remove(tag)));
                set("unchanged_since", json!(unchanged.get(tag)));
                let update = steps.iter().rev().find_map(|step| step.found.update);
                set("update_ratio", json!(update));
                for (key, what) in [
                    ("stand_outs", "stands out"),
                    ("zeroed", "zeroed"),
                    ("turned", "turned"),
                ] {
                    let events = events.iter().filter(|event| event["what"] == what);
                    set(key, json!(events.count()));
                }
            }
            set("nan", json!(self.steps_not_finite(tag)));
            if let Some(inactive) = self.inactive.get(tag) {
                // Unknown of a layer that is not finite at the last step.
                let non_finite = self.non_finite_maps.get(tag);
                let last = non_finite.and_then(|known| known.spans.last());
                let is_known = last.is_none_or(|span| span.until.is_some());
                let fraction = is_known.then(|| inactive.fraction());
                let dead = fraction.filter(|_| self.images.is_enough());
                set("inactive", json!(fraction));
                set("dead", json!(dead));
            }
            if let Some(cka) = self.cka.get(tag) {
                set("cka", json!(cka));
            }
            set("events", json!(events));
            Value::Object(layer)
        };
        let layers: Vec<Value> = tags.into_iter().map(layer).collect();
        let stand_outs = self.stand_outs().into_iter().map(|one| {
            let layer = name_of(&one.layer);
            json!({"layer": layer, "step": one.step, "change": one.change.relative})
        });
        json!({
            "version": 1,
            "steps": {
                "first": self.steps().first(),
                "last": self.steps().last(),
                "count": self.steps().len(),
            },
            "images": {"probe": self.images.probe, "comparison": self.images.comparison},
            "lines": self.lines(),
            "stand_outs": stand_outs.collect::<Vec<_>>(),
            "layers": layers,
        })
    }

    fn events(&self) -> BTreeMap<&str, Vec<Value>> {
        let mut all: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
        let unusual = self.unusual_layers();
        for event in &unusual {
            let Some((tag, _)) = self.layers.get_key_value(&event.layer) else {
                continue;
            };
            let Change {
                relative,
                cosine,
                factor,
            } = event.change;
            all.entry(tag).or_default().push(json!({
                "what": "stands out", "step": event.step,
                "change": relative, "cosine": cosine, "factor": factor,
            }));
        }
        for event in Kind::WHAT
            .iter()
            .flat_map(|what| self.unusual_filters(what))
        {
            let mut one = json!({"step": event.step, "filter": event.filter});
            one["what"] = json!(match event.kind {
                Kind::Zeroed => "zeroed",
                Kind::CameBack => "came back",
                Kind::Turned(cosine) => {
                    one["cosine"] = json!(cosine);
                    "turned"
                }
                Kind::Changed(relative) => {
                    one["change"] = json!(relative);
                    "changed"
                }
            });
            all.entry(&event.layer).or_default().push(one);
        }
        let of_weights = self.non_finite.iter().map(|of| ("weights", of));
        let of_maps = self.non_finite_maps.iter().map(|of| ("maps", of));
        for (of, (tag, NonFiniteSpans { spans, .. })) in of_weights.chain(of_maps) {
            let event = |Span { from, until }: &Span| json!({"what": "not finite", "of": of, "step": from, "until": until});
            all.entry(tag).or_default().extend(spans.iter().map(event));
        }
        for (tag, inactive) in &self.inactive {
            for (channel, spans) in &inactive.spans {
                let channel: usize = channel.parse().unwrap_or_default();
                let event = |Span { from, until }: &Span| {
                    json!({
                        "what": self.images.word(), "channel": channel,
                        "step": from, "until": until,
                    })
                };
                all.entry(tag).or_default().extend(spans.iter().map(event));
            }
        }
        all
    }

    fn steps_not_finite(&self, tag: &str) -> usize {
        let both = [&self.non_finite, &self.non_finite_maps].map(|all| all.get(tag));
        let spans = || both.into_iter().flatten().flat_map(|known| &known.spans);
        let is_lost = |step: &&i64| spans().any(|span| span.includes(**step));
        self.steps.iter().filter(is_lost).count()
    }
}
