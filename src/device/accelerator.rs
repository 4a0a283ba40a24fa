//! What devices do beyond Burn, for the rooms that log, load and train.

use std::time::{Duration, Instant};

use burn::tensor::{Device, Tensor};

use super::error::BackendError;
use super::library::{Accelerator, Event, Library};
#[cfg(feature = "libtorch")]
use super::libtorch::Linked;

/// Burn's own backends need none.
const LIBRARIES: &[&dyn Library] = &[
    #[cfg(feature = "libtorch")]
    &Linked,
];

/// libtorch, if it is part of this build.
pub(super) fn library() -> Option<&'static dyn Library> {
    LIBRARIES.first().copied()
}

/// What a device offers beyond Burn.
pub(crate) fn accelerator(device: &Device) -> Option<Box<dyn Accelerator>> {
    library()?.accelerator(device)
}

/// Whether `device` works while this thread goes on, so that uploading ahead of time hides the copy.
pub(crate) fn is_asynchronous(device: &Device) -> bool {
    accelerator(device).is_some_and(|accelerator| accelerator.is_apart())
}

/// What is free of the memory of the NVIDIA GPU that maps are on; `None` where they are elsewhere. Units: bytes.
pub(crate) fn free_memory(maps: &Tensor<4>) -> Option<u64> {
    let gpu = accelerator(&maps.device())?.gpu()?.ok()?;
    Some(gpu.free_memory as u64)
}

/// `values` as a tensor on `device`, with gradients where it has them.
pub(crate) fn upload<const D: usize>(
    values: Vec<f32>,
    shape: [usize; D],
    device: &Device,
) -> Tensor<D> {
    let Some(accelerator) = accelerator(device).filter(|accelerator| accelerator.is_apart()) else {
        return Tensor::from_data(burn::tensor::TensorData::new(values, shape), device);
    };
    let row = accelerator.upload(&values);
    let row = if device.is_autodiff() {
        row.autodiff()
    } else {
        row
    };
    row.reshape(shape)
}

/// A moment in the work of a device: after all that it was asked for so far.
pub(crate) struct Mark {
    at: Instant,
    event: Option<Box<dyn Event>>,
}

impl Mark {
    pub(crate) fn on(device: &Device) -> Self {
        Self::of(accelerator(device).as_deref())
    }

    pub(super) fn of(accelerator: Option<&dyn Accelerator>) -> Self {
        let event = accelerator.and_then(Accelerator::event);
        let at = Instant::now();
        Self { at, event }
    }

    pub(super) fn wait(&self) -> Result<(), BackendError> {
        self.event.as_ref().map_or(Ok(()), |event| event.wait())
    }

    /// How long the device worked from an earlier moment to this one, once it is over; nothing where it cannot say.
    fn since(&self, earlier: &Self) -> Duration {
        match (&self.event, &earlier.event) {
            (Some(end), Some(start)) => end.since(start.as_ref()).unwrap_or_default(),
            (None, None) => self.at.saturating_duration_since(earlier.at),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::test_devices;

    #[test]
    fn a_span_on_the_host_is_the_time_between() {
        let device = Device::flex();
        let start = Mark::on(&device);
        let end = Mark::on(&device);
        assert!(end.wait().is_ok());
        let span = Span { start, end };
        assert!(span.took() < Duration::from_mins(1));
        assert_eq!(span.start.since(&span.end), Duration::ZERO);
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
