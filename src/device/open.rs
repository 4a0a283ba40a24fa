//! Opening a device.

use burn::tensor::Device;

use super::choice::{DeviceChoice, DeviceError};
use super::precision::{Precision, allow_tf32};
use super::survey::survey;
#[cfg(feature = "libtorch")]
use super::survey::{linked_libtorch, mps_is_there, why_no_cuda};

/// A device that is available.
#[derive(Debug, Clone)]
pub(crate) struct OpenDevice {
    /// Burn's handle.
    pub(crate) device: Device,
    /// What it is; never [`DeviceChoice::Auto`].
    pub(crate) kind: DeviceChoice,
    /// The numbers of forward passes; TF32 only on an NVIDIA GPU.
    pub(crate) precision: Precision,
}

impl OpenDevice {
    /// Checks that the device is available and opens it.
    pub(crate) fn open(choice: DeviceChoice) -> Result<Self, DeviceError> {
        let kind = match choice {
            DeviceChoice::Auto => best(),
            other => other,
        };
        let device = match kind {
            DeviceChoice::Flex => Device::flex(),
            other => libtorch_device(other)?,
        };
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
            allow_tf32();
        }
        Self { precision, ..self }
    }

    /// Whether feature maps can become grids on it.
    pub(crate) fn draws(&self) -> bool {
        self.is_cuda() || self.kind == DeviceChoice::LibtorchCpu
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

    /// What is to be said of the numbers it computes in, if they are not float32.
    pub(crate) fn numbers(&self) -> Option<&'static str> {
        (self.precision != Precision::F32).then_some(self.precision.description())
    }
}

fn best() -> DeviceChoice {
    survey()
        .devices
        .first()
        .copied()
        .unwrap_or(DeviceChoice::Flex)
}

#[cfg(feature = "libtorch")]
fn libtorch_device(kind: DeviceChoice) -> Result<Device, DeviceError> {
    let missing = |why| DeviceError::Missing { choice: kind, why };
    match kind {
        DeviceChoice::LibtorchCuda(number) => {
            let why = linked_libtorch().and_then(|found| why_no_cuda(&found, number));
            why.map_or_else(
                || Ok(Device::libtorch_cuda(number)),
                |why| Err(missing(why)),
            )
        }
        DeviceChoice::LibtorchMps if !mps_is_there() => Err(missing(
            "libtorch uses Apple's GPU only on macOS 12.3 or newer with Apple silicon".to_owned(),
        )),
        DeviceChoice::LibtorchMps => Ok(Device::libtorch_mps()),
        _ => {
            share_cores();
            keep_memory();
            Ok(Device::libtorch())
        }
    }
}

/// Makes libtorch's threads sleep, not spin, at barriers.
///
/// libgomp spins for milliseconds at every barrier while it has no more threads than there are cores.
/// Rendering threads need those cores: a third of all processor time was spinning. A second team, on a
/// thread that then only sleeps, makes the threads more than the cores, which limits spinning to 1000
/// iterations.
///
/// Source: `do_spin` and `gomp_managed_threads` in GCC's `libgomp/config/linux/wait.h`.
#[cfg(feature = "libtorch")]
fn share_cores() {
    /// Elements enough for libtorch to add with all its threads.
    const ENOUGH: i64 = 1 << 18;
    static SECOND_TEAM: std::sync::Once = std::sync::Once::new();
    SECOND_TEAM.call_once(|| {
        std::thread::spawn(|| {
            let ones = tch::Tensor::ones([ENOUGH], (tch::Kind::Float, tch::Device::Cpu));
            drop(&ones + &ones);
            loop {
                std::thread::park();
            }
        });
    });
}

/// Makes glibc keep the memory of one step's feature maps for the next.
///
/// Freeing a block that was allocated by `mmap` raises glibc's trim threshold to twice its size. A step's
/// maps exceed the default: a twentieth of the time was page faults on the same pages. Allocating and
/// freeing, untouched, the largest block that counts raises the threshold to 64 MB.
///
/// Source: `M_TRIM_THRESHOLD` and `M_MMAP_THRESHOLD` in mallopt(3).
#[cfg(feature = "libtorch")]
fn keep_memory() {
    /// Whole pages, its header and flags in the size included.
    const LARGEST_BLOCK: usize = (32 << 20) - 8192;
    drop(std::hint::black_box(Vec::<u8>::with_capacity(
        LARGEST_BLOCK,
    )));
}

#[cfg(not(feature = "libtorch"))]
fn libtorch_device(kind: DeviceChoice) -> Result<Device, DeviceError> {
    Err(DeviceError::NoLibtorch(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_always_finds_something() {
        let open = OpenDevice::open(DeviceChoice::Auto).unwrap();
        assert_ne!(open.kind, DeviceChoice::Auto);
        assert_eq!(survey().devices.last(), Some(&DeviceChoice::Flex));
    }
}
