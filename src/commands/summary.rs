//! Where a run's summary goes: the terminal, a JSON file, and the exit code.

use std::path::PathBuf;

use serde_json::Value;

use super::error::{CommandError, RunError};
use super::report::Report;
use crate::durable;
use crate::settings::{Condition, SummarySettings};

impl Report {
    /// Takes a summary's lines, writes its JSON where that is asked for, and judges it.
    pub(crate) fn sum_up(
        mut self,
        lines: Vec<String>,
        json: &Value,
        settings: &SummarySettings,
    ) -> Result<Self, RunError> {
        self.notes.extend(lines);
        if let Some(path) = &settings.json {
            let text = serde_json::to_string_pretty(json)? + "\n";
            let written = durable::write(path, |part| std::fs::write(part, text));
            let failed = |source| CommandError::WriteSummary {
                path: PathBuf::from(path),
                source,
            };
            written.map_err(failed)?;
        }
        let failed = settings.fail_if.iter().filter_map(|one| judge(one, json));
        self.failed.extend(failed);
        Ok(self)
    }
}

/// Why a condition makes the command fail, if it does: it holds, or nothing is known of its number.
fn judge(condition: &Condition, json: &Value) -> Option<String> {
    let layers = json["layers"].as_array().into_iter().flatten();
    let known = layers.filter_map(|layer| {
        let value = layer[&condition.name].as_f64()?;
        Some((layer["layer"].as_str().unwrap_or_default(), value))
    });
    let known: Vec<(&str, f64)> = known.collect();
    if known.is_empty() {
        return Some(format!(
            "--fail-if {condition}: no layer of this run has the number {:?}{}",
            condition.name,
            match condition.name.as_str() {
                "dead" | "cka" => " (it takes --compare-images)",
                _ => "",
            }
        ));
    }
    let mut holds = known
        .into_iter()
        .filter(|(_, value)| condition.holds(*value));
    let (layer, value) = holds.next()?;
    let more = match holds.count() {
        0 => String::new(),
        more => format!(", and so it is for {more} more layers"),
    };
    Some(format!("--fail-if {condition}: {layer} has {value}{more}"))
}
