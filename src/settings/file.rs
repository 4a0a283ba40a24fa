//! A TOML configuration file, turned into the flags it stands for.
//!
//! Every key is a flag's name without the dashes. The flags are put before the typed ones and read
//! by clap, so there is one set of rules and one set of messages, and what was typed wins.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use clap::{Arg, ArgAction};
use toml::{Table, Value};

use super::error::SettingsError;
use super::old_keys;
use super::text::typed;

/// The key that says which command a file is for.
const COMMAND_KEY: &str = "command";

/// The most that a file of settings is read of: `/dev/zero` has no end. Units: bytes.
const MOST: u64 = 1 << 20;

const NOT_KEYS: [&str; 3] = ["config", "help", "version"];

/// The flags that the file at `path` stands for, or the text that is `kept` in its place, as `command` reads them; and a
/// note on whose settings these are where the file is lost, or on keys that are gone.
///
/// Keys in `typed` are left out: they are lists (files, patterns) that were typed as well, and a
/// typed list replaces the file's instead of adding to it.
pub(super) fn read(
    path: &Path,
    kept: Option<String>,
    command: &clap::Command,
    typed: &[&str],
) -> Result<(Vec<OsString>, Option<String>), SettingsError> {
    let lost = kept.is_some().then(|| {
        format!(
            "{} is lost: with the settings of the newest checkpoint",
            path.display()
        )
    });
    let text = kept.map_or_else(|| text(path).map_err(|error| unreadable(&error)), Ok)?;
    let mut table: Table = parse(&text)?
        .into_iter()
        .map(|(key, value)| (key.replace('_', "-"), value))
        .collect();
    if let Some(theirs) = table.remove(COMMAND_KEY)
        && theirs.as_str() != Some(command.get_name())
    {
        let (theirs, ours) = (self::typed(&theirs).unwrap_or_default(), command.get_name());
        return Err(SettingsError::new(format!(
            "this is for `vggscope {theirs}`, not `vggscope {ours}`: use that command, or take the line \"command\" out"
        )));
    }
    let (mut flags, mut gone) = (Vec::new(), Vec::new());
    let takes = |key: &str| find(command, key).is_ok();
    for (key, value) in &table {
        let arg = match (find(command, key), old_keys::gone(key, takes)) {
            (Err(_), Some(why)) => {
                gone.push(why);
                continue;
            }
            (arg, _) => arg?,
        };
        if !typed.contains(&arg.get_id().as_str()) {
            flags.extend(as_flags(arg, key, value)?);
        }
    }
    let gone = (!gone.is_empty()).then(|| format!("{}: {}", path.display(), gone.join("; ")));
    Ok((flags, lost.or(gone)))
}

pub(crate) fn text(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST {
        let why = format!("it is larger than the limit of {MOST} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    String::from_utf8(bytes)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text"))
}

pub(super) fn unreadable(error: &io::Error) -> SettingsError {
    SettingsError::new(format!("the configuration file cannot be read: {error}"))
}

fn parse(text: &str) -> Result<Table, SettingsError> {
    text.parse().map_err(|error: toml::de::Error| {
        let start = error.span().map_or(0, |span| span.start);
        let line = text[..start].matches('\n').count() + 1;
        let message = error.message().replace('\n', "; ");
        SettingsError::new(format!("this is not valid TOML: line {line}: {message}"))
    })
}

/// A key is a flag's long name, or a positional argument's.
pub(super) fn key_of(arg: &Arg) -> String {
    arg.get_long()
        .map_or_else(|| arg.get_id().as_str().replace('_', "-"), str::to_owned)
}

fn find<'a>(command: &'a clap::Command, key: &str) -> Result<&'a Arg, SettingsError> {
    let is_known = |arg: &&Arg| !NOT_KEYS.contains(&arg.get_id().as_str());
    let known = || command.get_arguments().filter(is_known);
    let likeness = |name: &String| strsim::jaro_winkler(name, key);
    let nearest = || {
        known()
            .map(key_of)
            .max_by(|a, b| likeness(a).total_cmp(&likeness(b)))
    };
    let is_alias = |arg: &&Arg| {
        let aliases = arg.get_all_aliases().unwrap_or_default();
        aliases.contains(&key)
    };
    known()
        .find(|arg| key_of(arg) == key || is_alias(arg))
        .ok_or_else(|| {
            let (command, nearest) = (command.get_name(), nearest().unwrap_or_default());
            SettingsError::new(format!(
                "unknown key {key:?} for `vggscope {command}`: did you mean {nearest:?}?"
            ))
        })
}

/// One key's flags: `--key=value`, once for every value where the flag takes several.
fn as_flags(arg: &Arg, key: &str, value: &Value) -> Result<Vec<OsString>, SettingsError> {
    let values = match value {
        Value::Array(items) if matches!(arg.get_action(), ArgAction::Append) => &items[..],
        one => std::slice::from_ref(one),
    };
    let flag = |item: &Value| {
        let text = typed(item).map_err(|expected| {
            SettingsError::new(format!(
                "{key} has a value that cannot be used: expected {expected}, found {value}"
            ))
        })?;
        Ok(OsString::from(if !arg.is_positional() {
            format!("--{key}={text}")
        } else if text.starts_with('-') {
            // A file name that begins with a dash must not be taken for a flag.
            format!("./{text}")
        } else {
            text
        }))
    };
    values.iter().map(flag).collect()
}
