//! The threads that render, those of all loggers of the process together.

use std::sync::LazyLock;

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

use super::error::LoggerError;

/// As many as rayon's global pool has, but none of them: who waits for a logger may be one of those.
static THREADS: LazyLock<Result<ThreadPool, ThreadPoolBuildError>> = LazyLock::new(|| {
    let named = ThreadPoolBuilder::new().thread_name(|number| format!("render-{number}"));
    named.build()
});

/// Started with the first logger.
pub(super) fn threads() -> Result<&'static ThreadPool, LoggerError> {
    let why = |error: &ThreadPoolBuildError| LoggerError::Threads(error.to_string());
    THREADS.as_ref().map_err(why)
}
