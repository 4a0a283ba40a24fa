//! How values of other modules are written as settings.

use std::fmt::Display;
use std::path::Path;

use serde::{Serialize, Serializer};
use toml::Value;

use super::error::SettingsError;
use super::{Command, UsageError, command};
use crate::data::checkpoints::StepSource;
use crate::device::Devices;
use crate::network::vgg::Arch;

pub(super) fn as_text<S: Serializer>(
    value: &impl Display,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

pub(super) fn as_texts<S: Serializer>(
    values: &[impl Display],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(values.iter().map(ToString::to_string))
}

/// Serializes a comma-separated list as an array.
pub(super) fn as_list<S: Serializer>(list: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(list.split(',').map(str::trim))
}

/// Makes values serialize as they are typed.
macro_rules! written_as_text {
    ($($name:ty),+) => {$(
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    )+};
}
pub(super) use written_as_text;

written_as_text!(Arch, Devices, StepSource);

/// A TOML value as it would be typed; else what is expected.
pub(super) fn typed(value: &Value) -> Result<String, &'static str> {
    match value {
        Value::String(string) => Ok(string.clone()),
        Value::Integer(_) | Value::Boolean(_) => Ok(value.to_string()),
        Value::Float(number) => Ok(number.to_string()),
        // A list for a flag that takes one value: layers = ["conv1_1", "pool*"], range = [0, 6].
        Value::Array(items) => joined(items.iter().map(typed)),
        // range = { fixed = [0, 6] }, augment = { scale = [0.5, 1], flip = 0 }
        Value::Table(table) => {
            let pair = |(key, value)| Ok(format!("{key}={}", typed(value)?));
            joined(table.iter().map(pair))
        }
        Value::Datetime(_) => Err("text, a number, true, false or a list of these"),
    }
}

fn joined<E>(parts: impl Iterator<Item = Result<String, E>>) -> Result<String, E> {
    Ok(parts.collect::<Result<Vec<_>, _>>()?.join(","))
}

/// Resolved settings, with what was left open filled in and absolute paths, as the TOML file that runs them again
/// from anywhere. Another `--run` is needed for that, since this one is taken.
pub(super) fn toml_text(
    command: &str,
    settings: &impl Serialize,
) -> Result<String, toml::ser::Error> {
    let resume = match command {
        "train" => "# To resume it:\n#     vggscope train --config THIS_FILE --resume\n",
        _ => "",
    };
    Ok(format!(
        "# Written by vggscope {version}. To run it again:\n#     vggscope {command} --config THIS_FILE --run ANOTHER_NAME\n{resume}command = {command:?}\n{settings}",
        version = env!("CARGO_PKG_VERSION"),
        settings = toml::to_string(settings)?,
    ))
}

/// The settings in a run's `config.toml` as this version writes them.
pub(crate) fn rewritten(name: &str, config: &Path) -> Result<String, UsageError> {
    let words = [name.as_ref(), "--config".as_ref(), config.as_os_str()];
    let text = match &command(&words)? {
        Command::Images(settings) => toml_text(name, settings),
        Command::Checkpoints(settings) => toml_text(name, settings),
        Command::Train(settings) => toml_text(name, settings),
        Command::Compare(settings) => toml_text(name, settings),
        _ => Ok(String::new()),
    };
    let text = text.map_err(|error| {
        SettingsError::new("the configuration cannot be written as TOML").because(error)
    });
    Ok(text?)
}
