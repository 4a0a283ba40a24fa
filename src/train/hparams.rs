//! The settings of a training for TensorBoard's `HParams` tab.

use std::time::{SystemTime, UNIX_EPOCH};

use toml::{Table, Value};

use tensorboard_events::{HparamValue, Hparams, Summary};

const METRICS: [&str; 4] = ["val/accuracy", "val/loss", "train/accuracy", "train/loss"];

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
