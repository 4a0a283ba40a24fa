//! The comparison as a table for a terminal.

use super::Diff;
use super::layer::LayerDiff;
use crate::commands::table::aligned;

const HEAD: [&str; 8] = [
    "layer",
    "norm",
    "new norm",
    "change",
    "cosine",
    "factor",
    "moved most",
    "dead",
];

pub(super) fn text(diff: &Diff) -> String {
    let mut rows = vec![HEAD.map(str::to_owned).to_vec()];
    rows.extend(diff.layers.iter().map(|layer| row(layer).to_vec()));
    if let Some(images) = diff.images {
        let head = format!("CKA, {images} images");
        let cka = |layer: &LayerDiff| Some(cosine(layer.cka.as_ref()?.value));
        let cells = (diff.layers.iter()).map(|layer| cka(layer).unwrap_or_else(none));
        for (row, cell) in rows.iter_mut().zip([head].into_iter().chain(cells)) {
            row.push(cell);
        }
    }
    let mut text = format!(
        "{}, {} -> {}\n",
        diff.arch,
        diff.old.display(),
        diff.new.display()
    );
    text += &aligned(&rows, &[0]);
    for line in &diff.verdict {
        text += line;
        text.push('\n');
    }
    text
}

fn none() -> String {
    "-".to_owned()
}

/// `3 -> 4`, or only `4` where nothing changed.
pub(super) fn changed_count(old: usize, new: usize) -> String {
    if old == new {
        return new.to_string();
    }
    format!("{old} -> {new}")
}

fn row(layer: &LayerDiff) -> [String; 8] {
    let name = layer.name.iter().map(|name| format!(" {name}"));
    let moved = layer
        .most_moved
        .as_ref()
        .map(|moved| format!("{} ({})", moved.filter, number(moved.relative_change)));
    let dead = layer.dead.as_ref();
    let dead = dead.map(|dead| changed_count(dead.old.len(), dead.new.len()));
    [
        layer.layer.clone() + &name.collect::<String>(),
        number(layer.old_norm),
        number(layer.new_norm),
        number(layer.relative_change),
        cosine(layer.cosine),
        number(layer.factor),
        moved.unwrap_or_else(none),
        dead.unwrap_or_else(none),
    ]
}

/// At most six significant digits; 0 and 1 only where it is exactly that.
pub(super) fn number(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        1.0 => "1".to_owned(),
        _ if !value.is_finite() => value.to_string(),
        _ => match value.abs() {
            1e3..1e6 => format!("{value:.0}"),
            10.0..1e3 => format!("{value:.2}"),
            1e-3..10.0 => format!("{value:.4}"),
            _ => format!("{value:.2e}"),
        },
    }
}

fn cosine(value: f64) -> String {
    match value {
        1.0 => number(value),
        _ => format!("{value:.6}"),
    }
}
