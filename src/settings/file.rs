//! A TOML configuration file, turned into the flags it stands for.
//!
//! Every key is a flag's name without the dashes. The flags are put before the typed ones and read
//! by clap, so there is one set of rules and one set of messages, and what was typed wins.

use std::ffi::OsString;
use std::path::Path;

use clap::Arg;
use toml::{Table, Value};

use super::error::FileError;
use super::old_keys;
use super::text::typed;

/// The key that says which command a file is for.
const COMMAND_KEY: &str = "command";

/// Flags that make no sense in a file.
const NOT_KEYS: [&str; 3] = ["config", "help", "version"];

/// What a file says.
pub(super) struct FileSettings {
    /// As it would be typed.
    pub(super) flags: Vec<OsString>,
    /// What it says in keys of an earlier version.
    pub(super) note: Option<String>,
}

/// The flags that the file at `path` stands for, as `command` reads them.
///
/// Keys in `typed` are left out: they are lists (files, patterns) that were typed as well, and a
/// typed list replaces the file's instead of adding to it.
pub(super) fn read(
    path: &Path,
    command: &clap::Command,
    typed: &[&str],
) -> Result<FileSettings, FileError> {
    let mut table: Table = read_table(path)?
        .into_iter()
        .map(|(key, value)| (key.replace('_', "-"), value))
        .collect();
    let is_key = |key: &str| command.get_arguments().any(|arg| key_of(arg) == key);
    let note = old_keys::replace(path, &mut table, is_key);
    let mut flags = Vec::new();
    for (key, value) in &table {
        if key == COMMAND_KEY {
            check_command(path, command, value)?;
            continue;
        }
        let arg = find(path, command, key)?;
        if !typed.contains(&arg.get_id().as_str()) {
            flags.extend(flag(path, arg, key, value)?);
        }
    }
    Ok(FileSettings { flags, note })
}

fn read_table(path: &Path) -> Result<Table, FileError> {
    let text = std::fs::read_to_string(path).map_err(|source| FileError::Read {
        path: path.to_owned(),
        source,
    })?;
    text.parse().map_err(|error: toml::de::Error| {
        let line = error
            .span()
            .map_or(1, |span| text[..span.start].matches('\n').count() + 1);
        FileError::Toml {
            path: path.to_owned(),
            message: format!("line {line}: {}", error.message().replace('\n', "; ")),
        }
    })
}

fn check_command(path: &Path, command: &clap::Command, value: &Value) -> Result<(), FileError> {
    if value.as_str() == Some(command.get_name()) {
        return Ok(());
    }
    Err(FileError::OtherCommand {
        path: path.to_owned(),
        theirs: value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned),
        ours: command.get_name().to_owned(),
    })
}

/// A key is a flag's long name, or a positional argument's.
fn key_of(arg: &Arg) -> String {
    arg.get_long()
        .map_or_else(|| arg.get_id().as_str().replace('_', "-"), str::to_owned)
}

fn find<'a>(path: &Path, command: &'a clap::Command, key: &str) -> Result<&'a Arg, FileError> {
    let known = || {
        command
            .get_arguments()
            .filter(|arg| !NOT_KEYS.contains(&arg.get_id().as_str()))
    };
    known()
        .find(|arg| key_of(arg) == key)
        .ok_or_else(|| FileError::UnknownKey {
            path: path.to_owned(),
            key: key.to_owned(),
            command: command.get_name().to_owned(),
            nearest: known()
                .map(key_of)
                .max_by(|a, b| {
                    let likeness = |name: &str| strsim::jaro_winkler(name, key);
                    likeness(a).total_cmp(&likeness(b))
                })
                .unwrap_or_default(),
        })
}

/// One key's flags: `--key=value`, once for every value where the flag takes several.
fn flag(path: &Path, arg: &Arg, key: &str, value: &Value) -> Result<Vec<OsString>, FileError> {
    let values = match value {
        Value::Array(items) if matches!(arg.get_action(), clap::ArgAction::Append) => &items[..],
        one => std::slice::from_ref(one),
    };
    let values: Result<Vec<String>, _> = values.iter().map(typed).collect();
    let values = values.map_err(|expected| FileError::Value {
        path: path.to_owned(),
        key: key.to_owned(),
        expected,
        found: value.to_string(),
    })?;
    let write = |value: String| {
        if !arg.is_positional() {
            format!("--{key}={value}").into()
        } else if value.starts_with('-') {
            // A file name that begins with a dash must not be taken for a flag.
            format!("./{value}").into()
        } else {
            value.into()
        }
    };
    Ok(values.into_iter().map(write).collect())
}
