//! Keys and flags of earlier versions, and what is written now.

use std::ffi::OsString;
use std::path::Path;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use toml::{Table, Value};

use super::error::{SettingsError, UsageError};
use super::text::typed;

/// Keys of today with the old ones whose place each took. What comes later wins.
const REPLACED: [(&str, &str); 11] = [
    ("maps", "max-maps maps-from"),
    ("range", "ranges"),
    ("step", "step-from step-regex"),
    ("change", "against"),
    ("follow", "idle-exit"),
    ("precision", "dtype tf32"),
    ("normalize", "mean std scale-to"),
    ("augment", "scale aspect flip jitter no-augment"),
    ("optimizer", "nesterov"),
    ("schedule", "warm-up"),
    ("compare", "compare-features no-comparison"),
];

/// Keys that are gone.
const GONE: &str = "late calibrate verbose render seed resize";

/// Each old key with the one that took its place; none where it is gone.
fn old_keys() -> impl Iterator<Item = (&'static str, Option<&'static str>)> {
    let of = |(now, old): (_, &'static str)| old.split(' ').map(move |old| (old, Some(now)));
    let gone = GONE.split(' ').map(|old| (old, None));
    REPLACED.into_iter().flat_map(of).chain(gone)
}

/// Takes what a file says in old keys over into those of today. Returns a note that names them.
pub(super) fn replace(
    path: &Path,
    table: &mut Table,
    is_key: impl Fn(&str) -> bool,
) -> Option<String> {
    let mut names = Vec::new();
    // A channel of its own was written as a bare number, which is a count today.
    let is_written = table.contains_key("verbose");
    if let Some(Value::String(maps)) = table.get_mut("maps").filter(|_| is_written)
        && maps.parse::<usize>().is_ok()
    {
        maps.push(',');
    }
    for (old, now) in old_keys() {
        let Some(value) = (!is_key(old)).then(|| table.remove(old)).flatten() else {
            continue;
        };
        let now = now.filter(|now| is_key(now));
        names.push(match now {
            Some(now) => format!("{old} (now {now})"),
            None => format!("{old} (gone)"),
        });
        if let (Some(now), Ok(value)) = (now, typed(&value))
            && let Some(value) = translated(old, &value, table.get(now))
        {
            table.insert(now.to_owned(), Value::String(value));
        }
    }
    let names = names.join(", ");
    let note = || format!("{}: keys of an earlier version: {names}", path.display());
    (!names.is_empty()).then(note)
}

/// What an old key's value is in today's key, which has a value already or none; `None` leaves that as it is.
fn translated(old: &str, value: &str, before: Option<&Value>) -> Option<String> {
    let before = before.and_then(|before| typed(before).ok());
    let before = before.as_deref();
    let also = |pair: String| match before {
        Some(before) if before.contains('=') => format!("{before},{pair}"),
        _ => pair,
    };
    match (old, value) {
        ("tf32", "true") => before
            .is_none_or(|dtype| dtype == "f32")
            .then(|| "tf32".to_owned()),
        ("no-augment" | "no-comparison", "true") => Some("off".to_owned()),
        ("nesterov", "true") => Some("nesterov".to_owned()),
        (_, "false") | ("warm-up", "0") => None,
        // What --change and --follow said of themselves stands before them.
        ("against" | "idle-exit", _) => before.filter(|on| *on == "true").map(|_| value.to_owned()),
        ("mean" | "std" | "scale" | "aspect" | "flip" | "jitter", _) => {
            Some(also(format!("{old}={value}")))
        }
        ("scale-to", _) => Some(also(format!("scale={value}"))),
        ("warm-up", _) => Some(format!("{},warm-up={value}", before.unwrap_or("constant"))),
        _ => Some(value.to_owned()),
    }
}

/// `--follow --idle-exit TIME` of an earlier version, as it is typed now, and a note that says so.
pub(super) fn retyped(typed: &[OsString]) -> Option<(Vec<OsString>, String)> {
    let mut words = typed.to_vec();
    let is_idle = |word: &OsString| word == "--idle-exit" || text(word).starts_with("--idle-exit=");
    let idle = words.iter().position(is_idle)?;
    let flag = text(&words.remove(idle));
    let time = match flag.split_once('=') {
        Some((_, time)) => time.to_owned(),
        None if idle < words.len() => text(&words.remove(idle)),
        None => return None,
    };
    let follow = words.iter_mut().find(|word| *word == "--follow")?;
    *follow = format!("--follow={time}").into();
    let note = format!("--idle-exit is gone, and read as --follow={time}: write that instead");
    Some((words, note))
}

fn text(word: &OsString) -> String {
    word.to_string_lossy().into_owned()
}

/// What a typed flag of an earlier version is now, in place of clap's guess.
pub(super) fn renamed(error: clap::Error) -> UsageError {
    let flag = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(flag)) if error.kind() == ErrorKind::UnknownArgument => {
            flag.clone()
        }
        _ => return error.into(),
    };
    match old_keys().find(|(old, _)| flag.strip_prefix("--") == Some(old)) {
        Some((_, now)) => {
            let now = now.map_or_else(
                || "leave it out".to_owned(),
                |now| format!("write --{now} instead, which --help explains"),
            );
            SettingsError::new(format!("{flag} is gone: {now}")).into()
        }
        None => error.into(),
    }
}
