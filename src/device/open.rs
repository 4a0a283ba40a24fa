//! Opening a device.

use burn::tensor::Device;

use super::accelerator::library;
use super::choice::{DeviceChoice, DeviceError, Unavailable};
use super::precision::{Precision, allow_tf32};
use super::survey::survey;

#[derive(Debug, Clone)]
pub(crate) struct OpenDevice {
    pub(crate) device: Device,
    /// What it is; never [`DeviceChoice::Auto`].
    pub(crate) kind: DeviceChoice,
    pub(crate) precision: Precision,
}

impl OpenDevice {
    pub(crate) fn open(choice: DeviceChoice) -> Result<Self, DeviceError> {
        let kind = match choice {
            DeviceChoice::Auto => survey().devices[0],
            other => other,
        };
        let opened = match kind {
            DeviceChoice::Flex => flex_device(),
            other => libtorch_device(other),
        };
        let missing = |source| DeviceError::Missing {
            choice: kind,
            source,
        };
        let device = opened.map_err(missing)?;
        Ok(Self {
            device,
            kind,
            precision: Precision::F32,
        })
    }

    /// The same device with forward passes in these numbers.
    pub(crate) fn computing_in(self, precision: Precision) -> Self {
        let precision = match precision {
            Precision::Tf32 if !self.is_cuda() => Precision::F32,
            precision => precision,
        };
        if precision == Precision::Tf32 {
            allow_tf32(true);
        }
        Self { precision, ..self }
    }

    pub(crate) fn is_cuda(&self) -> bool {
        matches!(self.kind, DeviceChoice::LibtorchCuda(_))
    }

    /// Whether the channels-last memory layout is fastest; libtorch's convolutions keep the layout of their input
    /// through every layer.
    ///
    /// On the CPU (oneDNN) it is a fifth faster. On an H100 it takes 0.7 of the time with tensor cores, which compute
    /// in this order, and 1.09 without them.
    pub(crate) fn prefers_interleaved(&self) -> bool {
        match self.kind {
            DeviceChoice::LibtorchCpu => cfg!(not(feature = "apart")),
            DeviceChoice::LibtorchCuda(_) => self.precision != Precision::F32,
            _ => false,
        }
    }

    pub(crate) fn numbers(&self) -> Option<&'static str> {
        (self.precision != Precision::F32).then_some(self.precision.description())
    }
}

#[cfg(feature = "flex")]
const FLEX: Option<fn() -> Device> = Some(Device::flex);
#[cfg(not(feature = "flex"))]
const FLEX: Option<fn() -> Device> = None;

fn flex_device() -> Result<Device, Unavailable> {
    FLEX.map(|flex| flex()).ok_or(Unavailable::NoFlex)
}

fn libtorch_device(choice: DeviceChoice) -> Result<Device, Unavailable> {
    let library = library().ok_or(Unavailable::NoLibtorch)?;
    let found = library.survey();
    let why = match choice {
        DeviceChoice::LibtorchCuda(number) => found.why_no_cuda(number),
        DeviceChoice::LibtorchMps if !found.has_mps => Some(Unavailable::NoMps),
        _ => None,
    };
    why.map_or_else(|| Ok(library.open(choice)), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_always_finds_something() {
        let open = OpenDevice::open(DeviceChoice::Auto).unwrap();
        assert_ne!(open.kind, DeviceChoice::Auto);
        let first = survey().devices[0];
        assert_eq!(open.kind, first);
        assert_eq!(first == DeviceChoice::Flex, !cfg!(feature = "libtorch"));
    }

    #[test]
    fn a_device_that_is_missing_says_why() {
        let error = OpenDevice::open(DeviceChoice::LibtorchCuda(1_000)).unwrap_err();
        assert_eq!(error.to_string(), "libtorch:cuda:1000 is unavailable");
        assert!(std::error::Error::source(&error).is_some());
    }
}
