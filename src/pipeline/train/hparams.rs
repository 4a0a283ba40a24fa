//! The settings of a training for TensorBoard's `HParams` tab, and what changed between two of them.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use toml::{Table, Value};

use crate::events::{
    Experiment, HparamInfo, HparamValue, Hparams, MetricInfo, SessionEnd, SessionStart,
    SessionStatus, Summary,
};

/// The settings that runs are compared by. The rest of the
/// configuration says where things are and how they are shown; the `config` text has it.
const HPARAMS: [&str; 28] = [
    "optimizer",
    "learning-rate",
    "batch-size",
    "epochs",
    "steps",
    "schedule",
    "warm-up",
    "momentum",
    "nesterov",
    "weight-decay",
    "clip-norm",
    "accumulate",
    "label-smoothing",
    "dropout",
    "freeze",
    "arch",
    "weights",
    "width",
    "hidden",
    "resize",
    "crop",
    "no-augment",
    "scale",
    "aspect",
    "flip",
    "jitter",
    "seed",
    "preset",
];

/// The scalars that runs are compared by.
const METRICS: [&str; 4] = ["val/accuracy", "val/loss", "train/accuracy", "train/loss"];

/// What a training says at its beginning, from its resolved configuration.
pub(super) fn beginning(resolved: &str) -> Vec<Summary> {
    let mut table: Table = resolved.parse().unwrap_or_default();
    let settings: Vec<(String, HparamValue)> = HPARAMS
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), hparam(table.remove(name)?))))
        .collect();
    let experiment = Experiment {
        description: String::new(),
        created: now(),
        hparams: settings
            .iter()
            .map(|(name, value)| HparamInfo {
                name: name.clone(),
                title: String::new(),
                description: String::new(),
                kind: value.kind(),
            })
            .collect(),
        metrics: METRICS.map(MetricInfo::new).to_vec(),
    };
    let start = SessionStart {
        hparams: settings.into_iter().collect(),
        group: String::new(),
        started: experiment.created,
    };
    vec![
        Summary::hparams(Hparams::Experiment(experiment)),
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
