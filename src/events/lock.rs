//! Who writes an event file: one process at a time.

use std::fs::{File, TryLockError};

/// Another process writes to the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Busy;

/// Takes the exclusive lock on an event file, which is held until `file` is closed, and so no
/// longer than its process lives, however that ends.
///
/// The lock is a word among writers: whoever reads the file is not held up by it. On Windows it
/// would be, so there none is taken. And where the file system keeps no locks, which each says in
/// its own way, there is nobody to ask: then a file counts as free.
pub(super) fn lock(file: &File) -> Result<(), Busy> {
    if cfg!(windows) {
        return Ok(());
    }
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(Busy),
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
    }
}
