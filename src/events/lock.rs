//! Who writes an event file: one process at a time.

use std::fs::{File, TryLockError};

/// Takes the exclusive lock on an event file, which is held until `file` is closed, and so no
/// longer than its process lives, however that ends. False when another process has it.
///
/// The lock is advisory, among writers: readers are not held up by it. On Windows they would be, so
/// there none is taken. Where the file system keeps no locks, a file counts as free.
pub(super) fn lock(file: &File) -> bool {
    cfg!(windows) || !matches!(file.try_lock(), Err(TryLockError::WouldBlock))
}
