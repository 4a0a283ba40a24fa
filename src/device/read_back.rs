//! What a step needs of a device: collected there, copied at once, waited for once.

use std::ops::Range;
use std::time::Duration;

use tch::{Kind, TchError, Tensor};

use super::clock::{Mark, Span};
use super::guard::first_line;
use super::traffic;

/// Bytes on a device, `[bytes]`.
pub(crate) struct DeviceBytes(Tensor);

impl DeviceBytes {
    /// Those of a tensor, in the order of its elements.
    pub(super) fn of(tensor: &Tensor) -> Result<Self, TchError> {
        let row = tensor.f_contiguous()?.f_view(-1)?;
        Ok(Self(row.f_view_dtype(Kind::Uint8)?))
    }
}

/// What is to be copied, one behind the other.
#[derive(Default)]
pub(crate) struct ReadBack {
    parts: Vec<Tensor>,
    bytes: usize,
}

impl ReadBack {
    /// Adds bytes; returns their place among all.
    pub(crate) fn add(&mut self, DeviceBytes(part): DeviceBytes) -> Range<usize> {
        let start = self.bytes;
        self.bytes += part.numel();
        self.parts.push(part);
        start..self.bytes
    }

    /// Starts the copy, into page-locked memory where the device is a GPU, and goes on; also says when all that is
    /// copied was made.
    pub(crate) fn start(self) -> Result<(OnItsWay, Mark), String> {
        let copy = || {
            let all = Tensor::f_cat(&self.parts, 0)?;
            let [made, start] = [Mark::of(all.device()), Mark::of(all.device())];
            let (non_blocking, copy) = (true, false);
            let bytes = all.f_to_device_(tch::Device::Cpu, Kind::Uint8, non_blocking, copy)?;
            traffic::copied(self.bytes);
            let end = Mark::of(all.device());
            let span = Span { start, end };
            Ok((OnItsWay { bytes, span }, made))
        };
        copy().map_err(|error: TchError| first_line(&error.to_string()))
    }
}

/// A copy that may not have arrived.
pub(crate) struct OnItsWay {
    bytes: Tensor,
    span: Span,
}

impl OnItsWay {
    /// Waits for it; also says how long the device copied.
    pub(crate) fn wait(self) -> Result<(HostBytes, Duration), String> {
        self.span.end.wait()?;
        traffic::waited();
        Ok((HostBytes(self.bytes), self.span.took()))
    }
}

/// Bytes that have arrived.
pub(crate) struct HostBytes(Tensor);

impl HostBytes {
    /// The same bytes, for another thread.
    pub(crate) fn again(&self) -> Self {
        Self(self.0.shallow_clone())
    }

    /// Some of them, without a copy.
    pub(crate) fn part(&self, place: &Range<usize>) -> Result<Self, String> {
        let number = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let part = self.0.f_narrow(0, number(place.start), number(place.len()));
        part.map(Self)
            .map_err(|error| first_line(&error.to_string()))
    }

    pub(crate) fn read(&self) -> Result<Vec<u8>, String> {
        let mut bytes = vec![0; self.0.numel()];
        let copied = self.0.f_copy_data_u8(&mut bytes, self.0.numel());
        copied.map_err(|error| first_line(&error.to_string()))?;
        Ok(bytes)
    }

    /// They are those of floats.
    pub(crate) fn floats(&self) -> Result<Vec<f32>, String> {
        let bytes = self.read()?;
        let (floats, _) = bytes.as_chunks();
        Ok(floats.iter().copied().map(f32::from_ne_bytes).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_parts_arrive_in_their_places_with_one_copy() {
        let mut read_back = ReadBack::default();
        let floats = Tensor::from_slice(&[1.5_f32, -2.0]);
        let levels = Tensor::from_slice(&[7_u8, 8, 9]);
        let places = [&levels, &floats].map(|part| read_back.add(DeviceBytes::of(part).unwrap()));
        assert_eq!(places, [0..3, 3..11]);
        let (on_its_way, _) = read_back.start().unwrap();
        let (bytes, _) = on_its_way.wait().unwrap();
        assert_eq!(bytes.part(&places[0]).unwrap().read().unwrap(), [7, 8, 9]);
        assert_eq!(
            bytes.part(&places[1]).unwrap().floats().unwrap(),
            [1.5, -2.0]
        );
    }
}
