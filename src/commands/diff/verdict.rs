//! What a comparison comes to, in words.

use std::path::Path;

use super::layer::{Event, LayerDiff, OldNew};
use super::table::{changed_count, number};
use super::{Diff, OtherShape};
use crate::analysis::change::Kind;
use crate::one_line::listed;

/// What of a kind is named; the rest is counted.
const NAMED: usize = 4;

pub(super) fn lines(diff: &Diff) -> Vec<String> {
    if diff.equal {
        return vec![format!(
            "equal: all {} layers hold the same weights",
            diff.layers.len()
        )];
    }
    let mut lines = vec![of_layers(&diff.layers)];
    let quoted = |names: &[String]| names.iter().map(|name| format!("`{name}`")).collect();
    let shapes = diff.other_shape.iter();
    let shapes = shapes.map(|OtherShape { name, shapes }| {
        format!("`{name}` {:?} -> {:?}", shapes.old, shapes.new)
    });
    let only_in = |file: &Path| format!("only in {}", file.display());
    let named: [(String, Vec<String>); 6] = [
        ("standing out".to_owned(), of_events(&diff.events)),
        (
            "changed but for their weights".to_owned(),
            of_others(&diff.layers),
        ),
        ("NaN or infinite".to_owned(), of_non_finite(&diff.layers)),
        (only_in(&diff.old), quoted(&diff.only_old)),
        (only_in(&diff.new), quoted(&diff.only_new)),
        ("of other shapes".to_owned(), shapes.collect()),
    ];
    let named = named.into_iter().filter(|(_, all)| !all.is_empty());
    lines.extend(named.map(|(what, all)| format!("{what}: {}", listed(&all, "; ", NAMED))));
    lines
}

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

fn of_others(layers: &[LayerDiff]) -> Vec<String> {
    let is_other =
        |layer: &&LayerDiff| !layer.equal && layer.changed.iter().all(|part| part != "weight");
    let others = layers.iter().filter(is_other);
    others
        .map(|layer| format!("{} ({})", layer.short_name(), layer.changed.join(", ")))
        .collect()
}

fn of_non_finite(layers: &[LayerDiff]) -> Vec<String> {
    let values = |layer: &LayerDiff| match layer.non_finite {
        OldNew { old: 0, new: 0 } => None,
        OldNew { old, new } => {
            let count = changed_count(old, new);
            Some(format!("{count} values of {}", layer.short_name()))
        }
    };
    layers.iter().filter_map(values).collect()
}
