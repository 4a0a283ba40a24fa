//! What to do about a run folder that cannot be used.

use std::error::Error;
use std::io::ErrorKind;

use crate::one_line::shell_quoted;
use crate::state::{StateError, WidthMismatch};

/// What to do about an error, if it is one of this room's.
pub(super) fn next_step(error: &(dyn Error + 'static)) -> Option<String> {
    if error.is::<WidthMismatch>() {
        let advice =
            "show it in a run of its own, or leave it out with --exclude or --on-error skip";
        return Some(advice.to_owned());
    }
    if error.is::<toml::ser::Error>() {
        return Some("config.toml takes paths in UTF-8 only: rename the file or folder".to_owned());
    }
    Some(match error.downcast_ref()? {
        StateError::Folder { .. } => "choose another with --logdir or --run".to_owned(),
        StateError::Used { .. } => {
            "choose another name with --run, resume it (train --resume), or delete the folder"
                .to_owned()
        }
        StateError::Busy(_) => "choose another name with --run, or wait for its end".to_owned(),
        StateError::InParts(run) => {
            format!(
                "repeat the command of each that is missing (--shard I/N), then: vggscope merge {}",
                shell_quoted(run)
            )
        }
        StateError::Read { .. } => "make it readable, or name another --run".to_owned(),
        StateError::Write { source, .. } => match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                "free some space, then repeat the command, or choose another folder with --logdir"
                    .to_owned()
            }
            _ => "choose another folder with --logdir".to_owned(),
        },
        StateError::NoState { .. } => "name another --run, or delete the folder".to_owned(),
        StateError::Version { .. } => "name another --run".to_owned(),
        StateError::Events(_) => return None,
    })
}
