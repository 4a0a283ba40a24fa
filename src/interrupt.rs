//! A request to end early, by Ctrl-C or by the system.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

/// A request to end early. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interrupt {
    /// The signal's number; 0 before.
    signal: Arc<AtomicI32>,
    stepping: Arc<AtomicBool>,
}

impl Interrupt {
    /// Asks the run to end after the current step. True if there is a step to wait for.
    pub(crate) fn request(&self, signal: i32) -> bool {
        self.signal.store(signal, Ordering::SeqCst);
        self.stepping.load(Ordering::SeqCst)
    }

    /// Whether the run is to end.
    pub(crate) fn is_requested(&self) -> bool {
        self.signal().is_some()
    }

    /// The signal that asked the run to end.
    pub(crate) fn signal(&self) -> Option<i32> {
        match self.signal.load(Ordering::SeqCst) {
            0 => None,
            signal => Some(signal),
        }
    }

    /// From here on there are steps to wait for.
    pub(crate) fn steps_begin(&self) {
        self.stepping.store(true, Ordering::SeqCst);
    }
}
