//! A request to end early, usually by Ctrl-C.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A request to end early. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interrupt {
    requested: Arc<AtomicBool>,
    stepping: Arc<AtomicBool>,
}

impl Interrupt {
    /// Asks the run to end after the current step. True if there is a step to wait for.
    pub(crate) fn request(&self) -> bool {
        self.requested.store(true, Ordering::SeqCst);
        self.stepping.load(Ordering::SeqCst)
    }

    /// Whether the run is to end.
    pub(crate) fn is_requested(&self) -> bool {
        self.requested.load(Ordering::SeqCst)
    }

    /// From here on there are steps to wait for.
    pub(crate) fn steps_begin(&self) {
        self.stepping.store(true, Ordering::SeqCst);
    }
}
