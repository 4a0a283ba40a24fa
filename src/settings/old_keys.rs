//! Flags and keys that are gone, and what is written now.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::error::{SettingsError, UsageError};

/// What is written now, and the names that are gone; nothing where they are to be left out.
const GONE: [(&str, &str); 12] = [
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
    ("", "late calibrate verbose render seed resize"),
];

/// That a key or flag is gone, and what to write, where the command `takes` that; `None` for any other one.
pub(super) fn gone(name: &str, takes: impl Fn(&str) -> bool) -> Option<String> {
    let plain = name.trim_start_matches("--");
    let mut all = GONE.into_iter();
    let (now, _) = all.find(|(_, gone)| gone.split(' ').any(|gone| gone == plain))?;
    let now = match now {
        now if now.is_empty() || !takes(now) => "leave it out".to_owned(),
        now => format!(
            "write {} instead, which --help explains",
            name.replace(plain, now)
        ),
    };
    Some(format!("{name} is gone: {now}"))
}

/// Says of a typed flag that is gone what to write, in place of clap's guess.
pub(super) fn renamed(error: clap::Error) -> UsageError {
    match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(flag))
            if error.kind() == ErrorKind::UnknownArgument && flag.starts_with("--") =>
        {
            gone(flag, |_| true)
                .map_or_else(|| error.into(), |gone| SettingsError::new(gone).into())
        }
        _ => error.into(),
    }
}
