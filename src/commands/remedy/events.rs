//! What to do about errors of event files.

use tensorboard_events::{Damage, EventFileError, ReadError, RecordError, StepError};

pub(super) fn file(error: &EventFileError) -> Option<&'static str> {
    Some(match error {
        EventFileError::CreateFolder(..) => {
            "check that its parent is writable, or choose another with --logdir or --run"
        }
        EventFileError::CreateFile(..) => {
            "check that the folder is writable, or choose another with --logdir or --run"
        }
        EventFileError::List(..) => "check that it is readable",
        EventFileError::OpenEarlier(..) => "check that it exists and is readable and writable",
        EventFileError::Busy(_) => "stop that first, or choose another --run",
        EventFileError::NoLaterName(_) => "move that file away, or start a new run (--run)",
        EventFileError::Truncate { .. } => "check that it is writable, or start a new run (--run)",
        EventFileError::Begin(..) => "free space on that disk, or choose another with --logdir",
        EventFileError::Sync(..) => {
            "check whether that disk is full or was disconnected, then repeat the command (`train` with --resume, \
             `images` in another --run)"
        }
        _ => return None,
    })
}

pub(super) fn step(error: &StepError) -> Option<&'static str> {
    match error {
        StepError::TooLarge { .. } => Some("write fewer or smaller pictures (--maps, --crop)"),
        StepError::Write(_) | StepError::WriteAndTruncate { .. } | StepError::Refused => Some(
            "free space on that disk, then repeat the command (`train` with --resume, `images` in another --run)",
        ),
        _ => None,
    }
}

pub(super) fn reading(error: &ReadError) -> Option<&'static str> {
    match error {
        ReadError::Open(..) => Some("check that it exists and is readable"),
        ReadError::Version { .. }
        | ReadError::Record {
            source:
                RecordError {
                    damage: Damage::Malformed(_),
                    ..
                },
            ..
        } => Some("move that file away, or start a new run (--run)"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::PathBuf;

    use super::*;
    use crate::commands::remedy::explain;

    #[test]
    fn advice_follows_what_happened() {
        let path = || PathBuf::from("runs/a/events");
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let cases = [
            (
                EventFileError::CreateFolder(path(), io::ErrorKind::NotADirectory.into()),
                "cannot create the run folder `runs/a/events`: not a directory; check that its \
                 parent is writable, or choose another with --logdir or --run",
            ),
            (
                EventFileError::Busy(path()),
                "`runs/a/events` is still being written by another process; stop that first, or \
                 choose another --run",
            ),
            (
                EventFileError::Earlier(ReadError::Version {
                    path: path(),
                    found: "something else".to_owned(),
                }),
                "cannot resume: `runs/a/events` begins with something else, expected the version \
                 `brain.Event:2` of an event file; move that file away, or start a new run (--run)",
            ),
            (
                EventFileError::NoLaterName(path()),
                "TensorBoard would read any new event file before `runs/a/events`, not after it; \
                 move that file away, or start a new run (--run)",
            ),
            (
                EventFileError::OpenEarlier(path(), io::ErrorKind::NotFound.into()),
                "cannot resume: `runs/a/events` cannot be opened: entity not found; check that it \
                 exists and is readable and writable",
            ),
            (
                EventFileError::Step {
                    path: path(),
                    step: 2,
                    source: StepError::Write(full()),
                },
                "cannot write step 2 to `runs/a/events`: the file ends with the step before, and takes \
                 no more: no storage space; free space on that disk, then repeat the command (`train` \
                 with --resume, `images` in another --run)",
            ),
            (
                EventFileError::Sync(path(), full()),
                "`runs/a/events` was written but may be incomplete on the disk: no storage space; \
                 check whether that disk is full or was disconnected, then repeat the command (`train` \
                 with --resume, `images` in another --run)",
            ),
            (
                EventFileError::Step {
                    path: path(),
                    step: 3,
                    source: StepError::KindChanged {
                        tag: "maps".to_owned(),
                        expected: "images".to_owned(),
                        found: "text".to_owned(),
                    },
                },
                "cannot write step 3 to `runs/a/events`: tag `maps` has images, found text; choose \
                 another tag",
            ),
        ];
        for (error, text) in cases {
            assert_eq!(explain(&error), text);
        }
    }
}
