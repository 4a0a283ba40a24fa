//! What to do about a run folder that cannot be used.

use std::io::ErrorKind;

use crate::one_line::shell_quoted;
use crate::state::{StateError, WidthMismatch};

pub(super) fn width(_: &WidthMismatch) -> &'static str {
    "show it in a run of its own, or leave it out with --exclude or --on-error skip"
}

pub(super) fn toml(_: &toml::ser::Error) -> &'static str {
    "config.toml takes paths in UTF-8 only: rename the file or folder"
}

pub(super) fn state(error: &StateError) -> Option<String> {
    let advice = match error {
        StateError::Folder { .. } => "choose another with --logdir or --run",
        StateError::Used { .. } => {
            "choose another name with --run, resume it (train --resume), or delete the folder"
        }
        StateError::Busy(_) => "choose another name with --run, or wait for its end",
        StateError::InParts(run) => {
            return Some(format!(
                "repeat the command of each that is missing (--shard I/N), then: vggscope merge {}",
                shell_quoted(run)
            ));
        }
        StateError::Read { .. } => "make it readable, or name another --run",
        StateError::Write { source, .. } => match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                "free some space, then repeat the command, or choose another folder with --logdir"
            }
            _ => "choose another folder with --logdir",
        },
        StateError::NoState { .. } => "name another --run, or delete the folder",
        StateError::Version { .. } => "name another --run",
        StateError::Events(_) => return None,
    };
    Some(advice.to_owned())
}
