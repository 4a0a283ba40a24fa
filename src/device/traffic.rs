//! How much is read from devices.

use std::sync::atomic::{AtomicU64, Ordering};

/// Copies from a device to the host. On libtorch's CPU and flex nothing is copied unless the device draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Traffic {
    pub(crate) copies: u64,
    /// How often the host waited for one.
    pub(crate) waits: u64,
    pub(crate) bytes: u64,
}

impl Traffic {
    /// The mean over `steps` steps, in a line.
    pub(crate) fn table(self, steps: u64) -> String {
        #[expect(clippy::cast_precision_loss, reason = "shown to a tenth")]
        let [copies, waits, bytes] =
            [self.copies, self.waits, self.bytes].map(|all| all as f64 / steps.max(1) as f64);
        let megabytes = bytes / 1e6;
        format!(
            "read from the device a step: {copies:.1} copies, {waits:.1} waits, {megabytes:.1} MB"
        )
    }
}

static COPIES: AtomicU64 = AtomicU64::new(0);
static WAITS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

/// All since the program began.
pub(crate) fn traffic() -> Traffic {
    let [copies, waits, bytes] = [&COPIES, &WAITS, &BYTES].map(|all| all.load(Ordering::Relaxed));
    Traffic {
        copies,
        waits,
        bytes,
    }
}

#[cfg(feature = "libtorch")]
pub(super) fn copied(bytes: usize) {
    COPIES.fetch_add(1, Ordering::Relaxed);
    BYTES.fetch_add(bytes as u64, Ordering::Relaxed);
}

#[cfg(feature = "libtorch")]
pub(super) fn waited() {
    WAITS.fetch_add(1, Ordering::Relaxed);
}
