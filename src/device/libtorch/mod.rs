//! libtorch: what of it is linked, its devices, and what they do that Burn has no word for.

mod autograd;
mod cuda;
mod operations;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};

use burn::backend::{
    BackendTensor, DispatchDevice, DispatchTensor, DispatchTensorKind, LibTorchDevice,
};
use burn::tensor::{Device, Tensor};
use burn_tch::{LibTorch, TchTensor};
use feature_grid::{Floats, ReadError};
use tch::{Kind, TchError};

use super::choice::DeviceChoice;
use super::error::BackendError;
use super::library::{Event, Gpu, HostBytes, Library, Libtorch};

pub(super) struct Linked;

impl Library for Linked {
    fn survey(&self) -> Libtorch {
        let dir = loaded_from().unwrap_or_else(|| PathBuf::from(env!("VGGSCOPE_LIBTORCH_DIR")));
        Libtorch {
            dir: dir.display().to_string(),
            version: version(&dir).unwrap_or_else(|| "unknown version".to_owned()),
            built_with_cuda: dir.join("libtorch_cuda.so").exists(),
            has_cuda: tch::utils::has_cudart(),
            cuda_devices: usize::try_from(tch::Cuda::device_count()).unwrap_or(0),
            has_cudnn: tch::Cuda::cudnn_is_available(),
            has_mps: tch::utils::has_mps(),
            threads: tch::get_num_threads(),
        }
    }

    fn open(&self, choice: DeviceChoice) -> Device {
        match choice {
            DeviceChoice::LibtorchCuda(number) => Device::libtorch_cuda(number),
            DeviceChoice::LibtorchMps => Device::libtorch_mps(),
            _ => {
                share_cores();
                keep_memory();
                Device::libtorch()
            }
        }
    }

    fn draws(&self, device: &Device) -> bool {
        let device = device.as_dispatch().clone().inner();
        matches!(
            device,
            DispatchDevice::LibTorch(LibTorchDevice::Cpu | LibTorchDevice::Cuda(_))
        )
    }

    /// With the feature `apart` libtorch's CPU counts as one too: so this is tested without a GPU.
    fn is_asynchronous(&self, device: &Device) -> bool {
        cuda_number(device).is_some() || cfg!(feature = "apart") && self.draws(device)
    }

    fn event(&self, device: &Device) -> Option<Arc<dyn Event>> {
        cuda::event(cuda_number(device)?)
    }

    /// Through page-locked memory.
    fn upload(&self, values: &[f32], device: &Device) -> Tensor<1> {
        let mut row = tch::Tensor::from_slice(values);
        if let Some(number) = cuda_number(device) {
            let device = tch::Device::Cuda(number);
            // Not `pin_memory`, which since libtorch 2.7 warns that it should not be given a device.
            let locked = row.internal_pin_memory(device);
            let (non_blocking, copy) = (true, false);
            row = locked.to_device_(device, Kind::Float, non_blocking, copy);
        }
        Tensor::from_primitive::<LibTorch>(TchTensor::new(row))
    }

    /// Into page-locked memory where the device is a GPU.
    fn read_back(&self, parts: Vec<Tensor<1>>) -> Result<HostBytes, BackendError> {
        let bytes = |part: tch::Tensor| match part.kind() {
            Kind::Double => part.f_contiguous()?.f_view_dtype(Kind::Uint8),
            _ => part.f_to_kind(Kind::Uint8),
        };
        let copy = || {
            let parts = parts.into_iter().filter_map(torch).map(bytes);
            let all = tch::Tensor::f_cat(&parts.collect::<Result<Vec<_>, _>>()?, 0)?;
            let (non_blocking, copy) = (true, false);
            all.f_to_device_(tch::Device::Cpu, Kind::Uint8, non_blocking, copy)
        };
        let bytes = Row(TchTensor::new(copy().map_err(torch_error)?));
        Ok(Arc::new(move |at, out| bytes.copy(at, out)))
    }

    fn in_place(&self, tensor: DispatchTensor) -> Option<Box<dyn Floats + Send + Sync>> {
        let DispatchTensorKind::LibTorch(BackendTensor::Float(tensor)) = tensor.kind else {
            return None;
        };
        let readable = tensor.tensor.device() == tch::Device::Cpu
            && tensor.tensor.kind() == Kind::Float
            && tensor.tensor.is_contiguous();
        // With the tensor's storage, or Burn would take it for unshared and write into it.
        let row = || TchTensor::from_existing(tensor.tensor.view(-1), tensor.storage.clone());
        readable.then(|| -> Box<dyn Floats + Send + Sync> { Box::new(Row(row())) })
    }

    fn gpu(&self, device: &Device) -> Option<Result<Gpu, BackendError>> {
        cuda_number(device).map(cuda::gpu)
    }
}

fn cuda_number(device: &Device) -> Option<usize> {
    match device.as_dispatch().clone().inner() {
        DispatchDevice::LibTorch(LibTorchDevice::Cuda(number)) => Some(number),
        _ => None,
    }
}

/// One dimension, on the CPU.
struct Row(TchTensor);

impl Row {
    fn copy<T: tch::kind::Element>(&self, at: usize, out: &mut [T]) -> Result<(), BackendError> {
        let number = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let part = self.0.tensor.f_narrow(0, number(at), number(out.len()));
        let copied = part.and_then(|part| part.f_copy_data(out, out.len()));
        copied.map_err(torch_error)
    }
}

impl Floats for Row {
    fn count(&self) -> usize {
        self.0.tensor.numel()
    }

    fn read(&self, at: usize, out: &mut [f32]) -> Result<(), ReadError> {
        Ok(self.copy(at, out)?)
    }
}

fn torch(tensor: Tensor<1>) -> Option<tch::Tensor> {
    match tensor.into_dispatch().kind {
        DispatchTensorKind::LibTorch(BackendTensor::Float(tensor)) => Some(tensor.tensor),
        _ => None,
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn torch_error(error: TchError) -> BackendError {
    BackendError::from_error(&error)
}

/// An installed program loads its own copy, one in a Python package that of PyTorch, not the one it was linked with.
fn loaded_from() -> Option<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let library = maps
        .lines()
        .find_map(|line| line.strip_suffix("/libtorch_cpu.so"))?;
    library.find('/').map(|at| PathBuf::from(&library[at..]))
}

/// Such as `2.9.0+cu128`: from `build-version` in archives of libtorch, or from `version.py` of a Python package.
fn version(libraries: &Path) -> Option<String> {
    let torch = libraries.parent()?;
    if let Ok(text) = std::fs::read_to_string(torch.join("build-version")) {
        return Some(text.trim().to_owned());
    }
    let text = std::fs::read_to_string(torch.join("version.py")).ok()?;
    let line = text.lines().find(|line| line.starts_with("__version__"))?;
    line.split(['\'', '"']).nth(1).map(str::to_owned)
}

/// Makes libtorch's threads sleep, not spin, at barriers: libgomp spins for milliseconds while it has no more threads
/// than there are cores, a third of all processor time, and rendering needs those cores. A second team, on a thread that
/// then only sleeps, makes the threads more than the cores, which limits spinning to 1000 iterations.
///
/// Source: `do_spin` and `gomp_managed_threads` in GCC's `libgomp/config/linux/wait.h`.
fn share_cores() {
    /// Elements enough for libtorch to add with all its threads.
    const ENOUGH: i64 = 1 << 18;
    static SECOND_TEAM: Once = Once::new();
    SECOND_TEAM.call_once(|| {
        // Where it cannot be started, only time is lost.
        let _ = std::thread::Builder::new().spawn(|| {
            let ones = tch::Tensor::ones([ENOUGH], (tch::Kind::Float, tch::Device::Cpu));
            drop(&ones + &ones);
            loop {
                std::thread::park();
            }
        });
    });
}

/// Makes glibc keep the memory of one step's feature maps for the next; a twentieth of the time was page faults.
///
/// Freeing a block that was allocated by `mmap` raises the trim threshold to twice its size: the largest block that
/// counts, untouched, raises it to 64 MB.
///
/// Source: `M_TRIM_THRESHOLD` and `M_MMAP_THRESHOLD` in mallopt(3).
fn keep_memory() {
    /// Whole pages, its header and flags in the size included.
    const LARGEST_BLOCK: usize = (32 << 20) - 8192;
    drop(std::hint::black_box(Vec::<u8>::with_capacity(
        LARGEST_BLOCK,
    )));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_python_package_says_its_version() {
        let torch = tempfile::tempdir().unwrap();
        let libraries = torch.path().join("lib");
        assert_eq!(version(&libraries), None);
        // As the wheel of PyTorch 2.9.1 on PyPI has it.
        let text = "from typing import Optional\n\n__all__ = ['__version__', 'debug']\n__version__ = '2.9.1+cu128'\n";
        std::fs::write(torch.path().join("version.py"), text).unwrap();
        assert_eq!(version(&libraries).as_deref(), Some("2.9.1+cu128"));
        std::fs::write(torch.path().join("build-version"), "2.9.0+cpu\n").unwrap();
        assert_eq!(version(&libraries).as_deref(), Some("2.9.0+cpu"));
    }
}
