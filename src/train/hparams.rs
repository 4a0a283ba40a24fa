//! The settings of a training for TensorBoard's `HParams` tab, and what changed between two of them.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use toml::{Table, Value};

use tensorboard_events::{HparamValue, Hparams, Summary};

/// The scalars that runs are compared by.
const METRICS: [&str; 4] = ["val/accuracy", "val/loss", "train/accuracy", "train/loss"];

/// What the first step of a training holds: the settings called `names` in its resolved configuration.
pub(super) fn start(resolved: &str, names: &[String]) -> Vec<Summary> {
    let mut table: Table = resolved.parse().unwrap_or_default();
    let hparams: Vec<(String, HparamValue)> = names
        .iter()
        .filter_map(|name| Some((name.clone(), hparam(table.remove(name)?))))
        .collect();
    let started = now();
    vec![
        Summary::hparams(Hparams::experiment(&hparams, &METRICS, started)),
        Summary::hparams(Hparams::start(&hparams, "", started)),
    ]
}

/// What the last step of a training holds.
pub(super) fn end() -> Summary {
    Summary::hparams(Hparams::end(true, now()))
}

fn hparam(value: Value) -> HparamValue {
    match value {
        Value::Boolean(flag) => HparamValue::Flag(flag),
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
pub(crate) fn changes(before: &str, after: &str) -> Vec<String> {
    let before: Table = before.parse().unwrap_or_default();
    let after: Table = after.parse().unwrap_or_default();
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let show = |value: Option<&Value>| value.map_or("not set".to_owned(), Value::to_string);
    keys.into_iter()
        .filter(|key| before.get(*key) != after.get(*key))
        .map(|key| {
            format!(
                "setting changed: {key} {} -> {}",
                show(before.get(key)),
                show(after.get(key))
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_name_the_setting() {
        let found = changes("a = 1\nb = \"x\"\nc = true", "a = 2\nb = \"x\"\nd = 0.5");
        assert_eq!(
            found,
            [
                "setting changed: a 1 -> 2",
                "setting changed: c true -> not set",
                "setting changed: d not set -> 0.5"
            ]
        );
    }
}
