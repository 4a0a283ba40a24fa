//! What devices do beyond Burn, for the rooms that log, load and train.

use std::sync::Arc;
use std::time::{Duration, Instant};

use burn::tensor::{Device, Tensor, TensorData};

use super::error::BackendError;
use super::library::{Event, Gpu, Library};
#[cfg(feature = "libtorch")]
use super::libtorch::Linked;

const LIBRARIES: &[&dyn Library] = &[
    #[cfg(feature = "libtorch")]
    &Linked,
];

/// libtorch, if it is part of this build.
pub(super) fn library() -> Option<&'static dyn Library> {
    LIBRARIES.first().copied()
}

/// Whether feature maps can become grids on `device`.
pub(crate) fn draws(device: &Device) -> bool {
    library().is_some_and(|library| library.draws(device))
}

/// Whether `device` works while this thread goes on, so that uploading ahead of time hides the copy.
pub(crate) fn is_asynchronous(device: &Device) -> bool {
    library().is_some_and(|library| library.is_asynchronous(device))
}

pub(crate) fn gpu(device: &Device) -> Option<Result<Gpu, BackendError>> {
    library()?.gpu(device)
}

pub(crate) fn upload<const D: usize>(
    values: Vec<f32>,
    shape: [usize; D],
    device: &Device,
) -> Tensor<D> {
    let Some(library) = library().filter(|library| library.is_asynchronous(device)) else {
        return Tensor::from_data(TensorData::new(values, shape), device);
    };
    let row = library.upload(&values, device);
    let row = if device.is_autodiff() {
        row.autodiff()
    } else {
        row
    };
    row.reshape(shape)
}

/// The moment after all that a device was asked for so far.
pub(crate) fn mark(device: &Device) -> Arc<dyn Event> {
    let event = library().and_then(|library| library.event(device));
    event.unwrap_or_else(|| Arc::new(Instant::now()))
}

/// On a device that has computed when its operations return.
impl Event for Instant {
    fn wait(&self) -> Result<(), BackendError> {
        Ok(())
    }

    fn since(&self, earlier: &dyn Event) -> Option<Duration> {
        let earlier: &dyn std::any::Any = earlier;
        Some(self.saturating_duration_since(*earlier.downcast_ref()?))
    }
}

#[derive(Clone)]
pub(crate) struct Span {
    pub(crate) start: Arc<dyn Event>,
    pub(crate) end: Arc<dyn Event>,
}

impl Span {
    /// How long it took; waits for its end. Nothing where the device cannot say.
    pub(crate) fn took(&self) -> Duration {
        // What failed on the device is reported where its results are read.
        let ended = self.end.wait().ok();
        let took = ended.and_then(|()| self.end.since(&*self.start));
        took.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::test_devices;

    #[test]
    fn a_span_on_the_host_is_the_time_between() {
        let device = Device::flex();
        let (start, end) = (mark(&device), mark(&device));
        assert!(end.wait().is_ok());
        let span = Span { start, end };
        assert!(span.took() < Duration::from_mins(1));
        assert_eq!(span.start.since(&*span.end), Some(Duration::ZERO));
    }

    #[test]
    fn values_arrive_in_their_order() {
        for device in test_devices() {
            for device in [device.clone(), device.autodiff()] {
                let uploaded = upload(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [2, 3], &device);
                assert_eq!(uploaded.dims(), [2, 3]);
                assert_eq!(uploaded.is_autodiff(), device.is_autodiff());
                let second = uploaded.slice([1..2, 0..3]).into_data();
                assert_eq!(second.as_slice::<f32>().unwrap(), [4.0, 5.0, 6.0]);
            }
        }
    }

    #[test]
    fn what_is_uploaded_takes_part_in_gradients_where_the_device_has_them() {
        for device in test_devices() {
            assert!(!upload(vec![2.0], [1], &device).is_autodiff());
            let device = device.autodiff();
            let factor = Tensor::<1>::from_data([5.0, 7.0], &device).require_grad();
            let row = upload(vec![2.0, 3.0], [2], &device);
            let gradients = (row * factor.clone()).sum().backward();
            let gradient = factor.grad(&gradients).unwrap().into_data();
            assert_eq!(gradient.as_slice::<f32>().unwrap(), [2.0, 3.0]);
        }
    }

    #[test]
    fn only_cuda_works_on_its_own() {
        assert!(!is_asynchronous(&Device::flex()));
        #[cfg(feature = "libtorch")]
        {
            assert!(is_asynchronous(&Device::libtorch_cuda(0)));
            assert!(is_asynchronous(&Device::libtorch_cuda(1).autodiff()));
            let cpu = Device::libtorch().autodiff();
            assert_eq!(is_asynchronous(&cpu), cfg!(feature = "apart"));
        }
    }
}
