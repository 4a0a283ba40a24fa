//! When a device gets somewhere: it computes while the host goes on.

use std::time::{Duration, Instant};

#[cfg(feature = "libtorch")]
use cudarc::driver::{CudaEvent, sys::CUevent_flags};

#[cfg(feature = "libtorch")]
use super::DeviceChoice;
use super::OpenDevice;
#[cfg(feature = "libtorch")]
use super::driver::{asked, context};

/// A moment in the work of a device. libtorch's CPU and flex have computed when their operations return.
pub(crate) enum Mark {
    Now(Instant),
    /// When the GPU has done all that was asked of it before.
    #[cfg(feature = "libtorch")]
    Cuda(CudaEvent),
}

impl Mark {
    /// After all that this device was asked for so far.
    pub(crate) fn on(device: &OpenDevice) -> Self {
        match device.kind {
            #[cfg(feature = "libtorch")]
            DeviceChoice::LibtorchCuda(number) => Self::of(tch::Device::Cuda(number)),
            _ => Self::Now(Instant::now()),
        }
    }

    /// The same of the device that a tensor of libtorch is on.
    #[cfg(feature = "libtorch")]
    pub(super) fn of(device: tch::Device) -> Self {
        if let tch::Device::Cuda(number) = device {
            match event(number) {
                Some(event) => return Self::Cuda(event),
                // Then it is waited for here and now.
                None => tch::Cuda::synchronize(i64::try_from(number).unwrap_or(0)),
            }
        }
        Self::Now(Instant::now())
    }

    /// Waits for it.
    #[cfg_attr(
        not(feature = "libtorch"),
        expect(clippy::unnecessary_wraps, reason = "a GPU may fail")
    )]
    pub(crate) fn wait(&self) -> Result<(), String> {
        match self {
            Self::Now(_) => Ok(()),
            #[cfg(feature = "libtorch")]
            Self::Cuda(event) => asked(|| event.synchronize()),
        }
    }

    /// How long the device worked from an earlier moment to this one, once it is over; nothing where it cannot say.
    pub(crate) fn since(&self, earlier: &Self) -> Duration {
        match (self, earlier) {
            (Self::Now(end), Self::Now(start)) => end.saturating_duration_since(*start),
            #[cfg(feature = "libtorch")]
            (Self::Cuda(end), Self::Cuda(start)) => {
                let milliseconds = asked(|| start.elapsed_ms(end)).unwrap_or(0.0);
                Duration::from_secs_f32(milliseconds.max(0.0) / 1e3)
            }
            #[cfg(feature = "libtorch")]
            _ => Duration::ZERO,
        }
    }
}

/// Work of a device, from one moment to another.
pub(crate) struct Span {
    pub(crate) start: Mark,
    pub(crate) end: Mark,
}

impl Span {
    /// How long it took; waits for its end.
    pub(crate) fn took(&self) -> Duration {
        // What failed on the device is reported where its results are read.
        self.end
            .wait()
            .map_or(Duration::ZERO, |()| self.end.since(&self.start))
    }
}

/// An event behind all that libtorch asked a GPU for; it uses one stream, the default one. `None` where the driver does
/// not take part.
#[cfg(feature = "libtorch")]
fn event(number: usize) -> Option<CudaEvent> {
    let stream = context(number).ok()?.default_stream();
    // Whoever waits for it sleeps: rendering needs the cores.
    let sleeping = Some(CUevent_flags::CU_EVENT_BLOCKING_SYNC);
    asked(|| stream.record_event(sleeping)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_on_the_host_is_the_time_between() {
        let device = OpenDevice::open("flex".parse().unwrap()).unwrap();
        let start = Mark::on(&device);
        let end = Mark::on(&device);
        assert!(end.wait().is_ok());
        let span = Span { start, end };
        assert!(span.took() < Duration::from_mins(1));
        assert_eq!(span.start.since(&span.end), Duration::ZERO);
    }
}
