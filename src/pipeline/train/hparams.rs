//! The settings of a training for TensorBoard's `HParams` tab, and what changed between two of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{SystemTime, UNIX_EPOCH};

use toml::{Table, Value};

use crate::events::{
    Experiment, HparamValue, Hparams, MetricInfo, SessionEnd, SessionStart, SessionStatus, Summary,
};

/// Settings that say where things are and how they are shown, not how the network learns.
const NOT_HPARAMS: [&str; 22] = [
    "command",
    "data",
    "images",
    "batch",
    "layers",
    "range",
    "max-maps",
    "min-tile",
    "colormap",
    "no-kernels",
    "logdir",
    "run",
    "png",
    "on-error",
    "timings",
    "every",
    "validate-every",
    "save-every",
    "histograms-every",
    "keep",
    "misclassified",
    "device",
];

/// The scalars that runs are compared by.
const METRICS: [&str; 4] = ["val/accuracy", "val/loss", "train/accuracy", "train/loss"];

/// What a training says at its beginning, from its resolved configuration.
pub(super) fn beginning(resolved: &str) -> Vec<Summary> {
    let table: Table = resolved.parse().unwrap_or_default();
    let hparams: BTreeMap<String, HparamValue> = table
        .into_iter()
        .filter(|(key, _)| !NOT_HPARAMS.contains(&key.as_str()))
        .map(|(key, value)| (key, hparam(value)))
        .collect();
    let start = SessionStart {
        hparams,
        group: String::new(),
        started: now(),
    };
    let metrics = METRICS.map(MetricInfo::new).to_vec();
    vec![
        Summary::hparams(Hparams::Experiment(Experiment::of(&start, metrics))),
        Summary::hparams(Hparams::Start(start)),
    ]
}

/// What a training says that has gone to its end.
pub(super) fn end() -> Summary {
    Summary::hparams(Hparams::End(SessionEnd {
        status: SessionStatus::Success,
        ended: now(),
    }))
}

fn hparam(value: Value) -> HparamValue {
    match value {
        Value::Boolean(flag) => HparamValue::Flag(flag),
        #[expect(clippy::cast_precision_loss, reason = "settings are small numbers")]
        Value::Integer(number) => HparamValue::Number(number as f64),
        Value::Float(number) => HparamValue::Number(number),
        Value::String(text) => HparamValue::Text(text),
        other => HparamValue::Text(other.to_string()),
    }
}

fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}

/// The settings that differ between two resolved configurations, a line each.
pub(super) fn changes(before: &str, after: &str) -> Vec<String> {
    let before: Table = before.parse().unwrap_or_default();
    let after: Table = after.parse().unwrap_or_default();
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let show = |value: Option<&Value>| value.map_or("not set".to_owned(), Value::to_string);
    keys.into_iter()
        .filter(|key| before.get(*key) != after.get(*key))
        .map(|key| {
            format!(
                "{key} is {}, was {}",
                show(after.get(key)),
                show(before.get(key))
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_told_by_name() {
        let found = changes("a = 1\nb = \"x\"\nc = true", "a = 2\nb = \"x\"\nd = 0.5");
        assert_eq!(
            found,
            [
                "a is 2, was 1",
                "c is not set, was true",
                "d is 0.5, was not set"
            ]
        );
    }
}
