//! What a step needs of a device: collected there, copied at once, waited for once.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use burn::tensor::{Device, FloatDType, Tensor};

use super::accelerator::{Span, library, mark};
use super::error::{BackendError, caught};
use super::library::{Event, HostBytes, Library};

const NUMBER: usize = size_of::<f64>();

pub(crate) struct ReadBack {
    library: &'static dyn Library,
    pub(crate) device: Device,
    began: Arc<dyn Event>,
    parts: Vec<Tensor<1>>,
    bytes: usize,
}

impl ReadBack {
    /// Nothing yet; what the device does from here on is drawing. `None` where it is Burn's own.
    pub(crate) fn new(device: Device) -> Option<Self> {
        Some(Self {
            library: library()?,
            began: mark(&device),
            device,
            parts: Vec::new(),
            bytes: 0,
        })
    }

    /// Adds the numbers of a tensor; returns the place of their bytes.
    pub(crate) fn add_numbers<const D: usize>(&mut self, numbers: Tensor<D>) -> Range<usize> {
        self.add(numbers.cast(FloatDType::F64), NUMBER)
    }

    /// Adds whole numbers from 0 to 255.
    pub(crate) fn add_levels<const D: usize>(&mut self, levels: Tensor<D>) -> Range<usize> {
        self.add(levels.cast(FloatDType::F32), 1)
    }

    fn add<const D: usize>(&mut self, part: Tensor<D>, size: usize) -> Range<usize> {
        let (start, count) = (self.bytes, part.shape().num_elements());
        self.bytes += count * size;
        self.parts.push(part.reshape([count]));
        start..self.bytes
    }

    /// Starts the copy, into page-locked memory where the device is a GPU, and goes on.
    pub(crate) fn start(self) -> Result<Arriving, BackendError> {
        let drawn = mark(&self.device);
        let bytes = caught(|| self.library.read_back(self.parts))??;
        copied(self.bytes);
        Ok(Arriving {
            bytes,
            drawing: Span {
                start: self.began,
                end: Arc::clone(&drawn),
            },
            copying: Span {
                start: drawn,
                end: mark(&self.device),
            },
        })
    }
}

/// What is on its way; clones share it. Reading waits for it.
#[derive(Clone)]
pub(crate) struct Arriving {
    bytes: HostBytes,
    pub(crate) drawing: Span,
    pub(crate) copying: Span,
}

impl Arriving {
    pub(crate) fn numbers(&self, place: &Range<usize>) -> Result<Vec<f64>, BackendError> {
        let bytes = self.levels(place)?;
        let (numbers, _) = bytes.as_chunks();
        Ok(numbers.iter().copied().map(f64::from_ne_bytes).collect())
    }

    /// The numbers, which were of single precision.
    #[expect(clippy::cast_possible_truncation, reason = "they were rounded before")]
    pub(crate) fn floats(&self, place: &Range<usize>) -> Result<Vec<f32>, BackendError> {
        let numbers = self.numbers(place)?.into_iter();
        Ok(numbers.map(|number| number as f32).collect())
    }

    pub(crate) fn levels(&self, place: &Range<usize>) -> Result<Vec<u8>, BackendError> {
        self.copying.end.wait()?;
        let mut levels = vec![0; place.len()];
        (self.bytes)(place.start, &mut levels)?;
        Ok(levels)
    }
}

/// Copies, and their bytes, since the program began; none on libtorch's CPU and flex unless the device draws.
static TRAFFIC: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];

/// What was read from devices in the mean of so many steps, in a line.
pub(crate) fn traffic(steps: u64) -> String {
    let mean = |all: &AtomicU64| all.load(Ordering::Relaxed) as f64 / steps.max(1) as f64;
    let [copies, bytes] = TRAFFIC.each_ref().map(mean);
    let megabytes = bytes / 1e6;
    format!("read from the device a step: {copies:.1} copies, {megabytes:.1} MB")
}

pub(super) fn copied(bytes: usize) {
    TRAFFIC[0].fetch_add(1, Ordering::Relaxed);
    TRAFFIC[1].fetch_add(bytes as u64, Ordering::Relaxed);
}

#[cfg(all(test, feature = "libtorch"))]
mod tests {
    use super::*;

    #[test]
    fn all_parts_arrive_in_their_places_with_one_copy() {
        let device = Device::libtorch();
        let mut read_back = ReadBack::new(device.clone()).unwrap();
        let tensor = |values: &[f32]| Tensor::<1>::from_floats(values, &device);
        let levels = read_back.add_levels(tensor(&[7.0, 8.9, 255.0]));
        let numbers = [vec![1.5, -2.0], vec![f32::MIN_POSITIVE]];
        let places = numbers
            .each_ref()
            .map(|numbers| read_back.add_numbers(tensor(numbers)));
        assert_eq!((&levels, &places), (&(0..3), &[3..19, 19..27]));
        let arrived = read_back.start().unwrap();
        assert_eq!(arrived.levels(&levels).unwrap(), [7, 8, 255]);
        for (place, expected) in places.iter().zip(numbers) {
            let expected: Vec<f64> = expected.into_iter().map(f64::from).collect();
            assert_eq!(arrived.numbers(place).unwrap(), expected);
        }
        assert!(arrived.numbers(&(19..35)).is_err());
    }
}
