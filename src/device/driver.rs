//! NVIDIA's driver, beside libtorch's use of it.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use cudarc::driver::{CudaContext, DriverError};

use super::guard::{first_line, guarded};

type Contexts = HashMap<usize, Result<Arc<CudaContext>, String>>;

/// The context of the GPU of this number, which libtorch uses as well.
///
/// It is kept for good: with the last who holds it, it is destroyed, under libtorch's threads too.
pub(super) fn context(number: usize) -> Result<Arc<CudaContext>, String> {
    static CONTEXTS: LazyLock<Mutex<Contexts>> = LazyLock::new(Mutex::default);
    let mut contexts = CONTEXTS.lock().unwrap_or_else(PoisonError::into_inner);
    let context = contexts.entry(number);
    context
        .or_insert_with(|| asked(|| CudaContext::new(number)))
        .clone()
}

/// What the driver answers. cudarc panics where it, or a function of it, is not there.
pub(super) fn asked<T>(question: impl FnOnce() -> Result<T, DriverError>) -> Result<T, String> {
    guarded(question)?.map_err(|error| first_line(&error.to_string()))
}
