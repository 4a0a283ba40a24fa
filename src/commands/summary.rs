//! Where a run's summary goes: the terminal, a JSON file, and the exit code.

use serde_json::Value;

use super::error::{CommandError, RunError};
use super::report::Report;
use crate::settings::{Condition, SummarySettings, write_json};

impl Report {
    pub(crate) fn sum_up(
        mut self,
        lines: Vec<String>,
        json: &Value,
        settings: &SummarySettings,
    ) -> Result<Self, RunError> {
        self.notes.extend(lines);
        if let Some(path) = &settings.json {
            let text = serde_json::to_string_pretty(json)? + "\n";
            write_json(path, &text).map_err(|source| {
                let text = format!("cannot write the summary to {}", path.display());
                CommandError::failed(text).because(source)
            })?;
        }
        let failed = settings.fail_if.iter().filter_map(|one| judge(one, json));
        self.failed.extend(failed);
        Ok(self)
    }
}

/// Why a condition makes the command fail, if it does: it holds, or nothing is known of its number.
fn judge(condition: &Condition, json: &Value) -> Option<String> {
    let layers = json["layers"].as_array().into_iter().flatten();
    let all = layers.filter_map(|layer| {
        let value = layer.get(&condition.name)?;
        Some((layer["layer"].as_str()?, value))
    });
    let all: Vec<(&str, &Value)> = all.collect();
    if all.iter().all(|(_, value)| value.is_null()) {
        return Some(format!(
            "--fail-if {condition}: no layer of this run has the number {:?}{}",
            condition.name,
            match condition.name.as_str() {
                "dead" | "cka" => " (it takes --compare-images)",
                _ => "",
            }
        ));
    }
    let mut holds = all.into_iter().filter_map(|(layer, value)| {
        let Some(value) = value.as_f64() else {
            // NaN, infinite or undefined: it cannot be said that it does not.
            return Some(format!("{layer} has none that is finite"));
        };
        let holds = condition.holds(value);
        holds.then(|| format!("{layer} has {value}"))
    });
    let first = holds.next()?;
    let more = match holds.count() {
        0 => String::new(),
        more => format!(", and so it is for {more} more layers"),
    };
    Some(format!("--fail-if {condition}: {first}{more}"))
}
