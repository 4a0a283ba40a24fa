//! What a comparison comes to, in words.

use super::Diff;
use super::layer::{Event, LayerDiff};
use super::table::number;
use crate::analysis::change::Kind;
use crate::one_line::listed;

/// What of a kind is named; the rest is counted.
const NAMED: usize = 4;

/// A few lines.
pub(super) fn lines(diff: &Diff) -> Vec<String> {
    if diff.equal {
        return vec![format!(
            "equal: all {} layers hold the same weights",
            diff.layers.len()
        )];
    }
    let mut lines = vec![of_layers(&diff.layers)];
    let mut say = |what: &str, all: Vec<String>| {
        if !all.is_empty() {
            lines.push(format!("{what}: {}", listed(&all, "; ", NAMED)));
        }
    };
    say("standing out", of_events(&diff.events));
    say("changed but for their weights", of_others(&diff.layers));
    say("NaN or infinite", of_non_finite(&diff.layers));
    say(
        &format!("only in {}", diff.old.display()),
        quoted(&diff.only_old),
    );
    say(
        &format!("only in {}", diff.new.display()),
        quoted(&diff.only_new),
    );
    let shapes = diff.other_shape.iter();
    let shapes = shapes.map(|other| format!("`{}` {:?} -> {:?}", other.name, other.old, other.new));
    say("of other shapes", shapes.collect());
    lines
}

/// How many layers changed, and which one most.
fn of_layers(layers: &[LayerDiff]) -> String {
    if layers.is_empty() {
        return "different: no layer has the same shape in both files".to_owned();
    }
    let changed = layers.iter().filter(|layer| !layer.equal).count();
    let text = format!("different: {changed} of {} layers changed", layers.len());
    // NaN says nothing of how much.
    let measured = layers.iter().filter(|layer| layer.relative_change > 0.0);
    let Some(most) = measured.max_by(|a, b| a.relative_change.total_cmp(&b.relative_change)) else {
        return text;
    };
    let how = if most.cosine > 0.99 && (most.factor - 1.0).abs() > 0.1 {
        format!("now {:.2} x as large", most.factor)
    } else {
        format!("by {} of its norm", number(most.relative_change))
    };
    format!("{text}; most: {}, {how}", most.short_name())
}

/// What happened to filters, the plainest first.
fn of_events(events: &[Event]) -> Vec<String> {
    let rank = |event: &Event| match event.kind {
        Kind::Zeroed => (0, 0.0),
        Kind::CameBack => (1, 0.0),
        Kind::Turned(cosine) => (2, cosine),
        Kind::Changed(relative) => (3, -relative),
    };
    let mut events: Vec<&Event> = events.iter().collect();
    events.sort_by(|a, b| {
        let ((a, of_a), (b, of_b)) = (rank(a), rank(b));
        a.cmp(&b).then(of_a.total_cmp(&of_b))
    });
    let text = |Event { what, kind }: &Event| match kind {
        Kind::Zeroed => format!("{what} is all 0 now"),
        Kind::CameBack => format!("{what} is no longer all 0"),
        Kind::Turned(cosine) => format!("the direction of {what} changed (cosine {cosine:.3})"),
        Kind::Changed(relative) => format!("{what} changed by {} of its norm", number(*relative)),
    };
    events.into_iter().map(text).collect()
}

/// Layers of which only biases or running statistics changed.
fn of_others(layers: &[LayerDiff]) -> Vec<String> {
    let is_other =
        |layer: &&LayerDiff| !layer.equal && layer.changed.iter().all(|part| part != "weight");
    let others = layers.iter().filter(is_other);
    others
        .map(|layer| format!("{} ({})", layer.short_name(), layer.changed.join(", ")))
        .collect()
}

fn of_non_finite(layers: &[LayerDiff]) -> Vec<String> {
    let some = layers
        .iter()
        .filter(|layer| layer.non_finite.old + layer.non_finite.new > 0);
    some.map(|layer| {
        let name = layer.short_name();
        match (layer.non_finite.old, layer.non_finite.new) {
            (old, new) if old == new => format!("{new} values of {name}"),
            (old, new) => format!("{old} -> {new} values of {name}"),
        }
    })
    .collect()
}

fn quoted(names: &[String]) -> Vec<String> {
    names.iter().map(|name| format!("`{name}`")).collect()
}
