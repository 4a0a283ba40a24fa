//! Where a run's summary goes: the terminal, a JSON file, and the exit code.

use serde_json::Value;

use super::error::{CommandError, RunError};
use super::report::{Report, counted};
use crate::analysis::ImageCount;
use crate::settings::{Condition, SummarySettings, write_json};

/// Refuses a condition on dead channels over images that are too few to call any of them dead.
pub(super) fn check_dead(
    settings: &SummarySettings,
    images: ImageCount,
) -> Result<(), CommandError> {
    let mut conditions = settings.fail_if.iter();
    match conditions.find(|one| one.name == "dead") {
        Some(condition) if !images.is_enough() => Err(CommandError::wrong_use(format!(
            "--fail-if {condition}: channels are called dead over {} images or more, found {}: name more with --compare-images, or write inactive for dead",
            ImageCount::ENOUGH,
            images.all(),
        ))),
        _ => Ok(()),
    }
}

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
            "--fail-if {condition}: no layer of this run has the number {:?}",
            condition.name,
        ));
    }
    let mut holds = all.into_iter().filter_map(|(layer, value)| {
        let Some(value) = value.as_f64() else {
            // NaN, infinite or undefined: it cannot be said that it does not.
            return Some(format!("{layer} has none that is finite"));
        };
        let holds = condition.holds(value);
        let rounded = (value * 1e6).round() / 1e6;
        holds.then(|| format!("{layer} has {rounded}"))
    });
    let first = holds.next()?;
    let more = match holds.count() {
        0 => String::new(),
        more => format!(", and so it is for {}", counted(more as u64, "more layer")),
    };
    Some(format!("--fail-if {condition}: {first}{more}"))
}
