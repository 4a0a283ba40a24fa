//! NVIDIA's driver: events, which tch does not have, and what a GPU is.

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use cudarc::driver::sys::CUevent_flags;
use cudarc::driver::{CudaContext, CudaEvent, DriverError};

use crate::device::error::{BackendError, caught};
use crate::device::library::{Event, Gpu};

type Contexts = HashMap<usize, Result<Arc<CudaContext>, BackendError>>;

/// The context of the GPU of this number, which libtorch uses as well.
///
/// It is kept for good: with the last who holds it, it is destroyed, under libtorch's threads too.
fn context(number: usize) -> Result<Arc<CudaContext>, BackendError> {
    static CONTEXTS: LazyLock<Mutex<Contexts>> = LazyLock::new(Mutex::default);
    let mut contexts = CONTEXTS.lock().unwrap_or_else(PoisonError::into_inner);
    let context = contexts.entry(number);
    context
        .or_insert_with(|| asked(|| CudaContext::new(number)))
        .clone()
}

/// What the driver answers. cudarc panics where it, or a function of it, is not there.
fn asked<T>(question: impl FnOnce() -> Result<T, DriverError>) -> Result<T, BackendError> {
    caught(question)?.map_err(|error| BackendError::from_error(&error))
}

pub(super) fn gpu(number: usize) -> Result<Gpu, BackendError> {
    let context = context(number)?;
    asked(|| {
        let (free_memory, memory) = context.mem_get_info()?;
        let (major, minor) = context.compute_capability()?;
        Ok(Gpu {
            name: context.name()?,
            capability: [major, minor],
            memory,
            free_memory,
        })
    })
}

/// An event behind all that libtorch asked for, on its one stream; without the driver the GPU is waited for here.
pub(super) fn event(number: usize) -> Option<Arc<dyn Event>> {
    // Whoever waits for it sleeps: rendering needs the cores.
    let sleeping = Some(CUevent_flags::CU_EVENT_BLOCKING_SYNC);
    let event = context(number).and_then(|context| {
        let stream = context.default_stream();
        asked(|| stream.record_event(sleeping))
    });
    let Ok(event) = event else {
        tch::Cuda::synchronize(i64::try_from(number).unwrap_or(0));
        return None;
    };
    Some(Arc::new(event))
}

impl Event for CudaEvent {
    fn wait(&self) -> Result<(), BackendError> {
        asked(|| self.synchronize())
    }

    fn since(&self, earlier: &dyn Event) -> Option<Duration> {
        let earlier: &dyn Any = earlier;
        let start = earlier.downcast_ref::<Self>()?;
        let milliseconds = asked(|| start.elapsed_ms(self)).ok()?;
        Some(Duration::from_secs_f32(milliseconds.max(0.0) / 1e3))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gpu_that_is_not_there_is_an_error() {
        assert!(gpu(1_000).is_err());
    }
}
