//! Who writes an event file: one process at a time.

use std::fs::{File, TryLockError};
use std::thread::sleep;
use std::time::Duration;

/// How often it is tried, and how long it is waited in between.
const TRIES: usize = 25;
const PAUSE: Duration = Duration::from_millis(10);

/// Takes the exclusive lock on an event file, which is held until `file` is closed, and so no
/// longer than its process lives, however that ends. False when another process has it.
///
/// The lock is advisory, among writers: readers are not held up by it. On Windows they would be, so
/// there none is taken. Where the file system keeps no locks, a file counts as free.
///
/// A child that this process starts keeps its locks alive until it runs its own program, which is waited for.
pub(super) fn lock(file: &File) -> bool {
    let is_taken = || matches!(file.try_lock(), Err(TryLockError::WouldBlock));
    let frees_itself = |_| {
        sleep(PAUSE);
        !is_taken()
    };
    cfg!(windows) || !is_taken() || (1..TRIES).any(frees_itself)
}

#[cfg(all(test, not(windows)))]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_is_given_up_soon_is_waited_for_and_another_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let holder = File::create(&path).unwrap();
        assert!(lock(&holder));
        let file = File::open(&path).unwrap();
        assert!(!lock(&file));
        let frees = std::thread::spawn(move || {
            sleep(PAUSE);
            drop(holder);
        });
        assert!(lock(&file));
        frees.join().unwrap();
    }
}
