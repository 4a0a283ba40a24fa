//! A request to end early, by Ctrl-C or by the system.

use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A request to end early. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Interrupt {
    /// The signal's number; 0 before.
    signal: Arc<AtomicI32>,
    stepping: Arc<AtomicBool>,
    last_work: Arc<Mutex<Option<LastWork>>>,
}

type LastWork = Box<dyn FnOnce() + Send>;

impl Interrupt {
    /// Asks the run to end after the current step. True if there is a step to wait for.
    pub(crate) fn request(&self, signal: i32) -> bool {
        self.signal.store(signal, Ordering::SeqCst);
        self.stepping.load(Ordering::SeqCst)
    }

    pub(crate) fn is_requested(&self) -> bool {
        self.signal().is_some()
    }

    pub(crate) fn signal(&self) -> Option<i32> {
        Some(self.signal.load(Ordering::SeqCst)).filter(|signal| *signal != 0)
    }

    /// Sets what is done before the process ends without waiting for the run.
    pub(crate) fn before_exit(&self, work: impl FnOnce() + Send + 'static) {
        *self.last_work() = Some(Box::new(work));
    }

    pub(crate) fn do_last_work(&self) {
        if let Some(work) = self.last_work().take() {
            work();
        }
    }

    fn last_work(&self) -> MutexGuard<'_, Option<LastWork>> {
        self.last_work
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// From here on there are steps to wait for.
    pub(crate) fn steps_begin(&self) {
        self.stepping.store(true, Ordering::SeqCst);
    }
}
