//! Where the network runs. The one room that names libtorch.
//!
//! A device that was asked for and is not there is an error that says what was found and how to get
//! it; only `auto` chooses by itself.
#![cfg_attr(
    feature = "libtorch",
    expect(
        deprecated,
        reason = "burn-tch is the backend this tool is made for; Burn 0.22 is pinned because it is the last release with it"
    )
)]

#[cfg(feature = "libtorch")]
mod autograd;
mod convolution;
mod descend;
mod norm;
#[cfg(feature = "libtorch")]
mod onednn;
mod read;
#[cfg(feature = "libtorch")]
mod winograd;

use std::fmt;
use std::str::FromStr;

use burn::tensor::Device;
use thiserror::Error;

pub(crate) use convolution::{convolve, pack};
pub(crate) use descend::{Descent, descend};
pub(crate) use norm::norm;
pub(crate) use read::TensorFloats;

/// What the user asked for with `--device`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    /// The first of: an NVIDIA GPU through libtorch, Apple's GPU through libtorch, libtorch on the
    /// CPU, flex.
    #[default]
    Auto,
    /// libtorch on the CPU.
    LibtorchCpu,
    /// libtorch on the NVIDIA GPU of this number.
    LibtorchCuda(usize),
    /// libtorch on Apple's GPU.
    LibtorchMps,
    /// Burn's backend in pure Rust, on the CPU. Needs no libtorch.
    Flex,
}

/// A device that cannot be used.
#[derive(Debug, Error)]
pub enum DeviceError {
    /// Not the name of a device.
    #[error(
        "unknown device {0:?}: expected auto, libtorch:cpu, libtorch:cuda:0 (or another number), libtorch:mps or flex"
    )]
    Unknown(String),
    /// The program was built without libtorch.
    #[error(
        "{0} needs libtorch, and this vggscope was built without it: build with the default features (`make libtorch && cargo build --release`), or use --device flex"
    )]
    NoLibtorch(DeviceChoice),
    /// libtorch does not reach a GPU.
    #[error(
        "{choice} is not there: {why}; `vggscope doctor` shows what is, and --device auto takes the best of it"
    )]
    Missing {
        /// What was asked for.
        choice: DeviceChoice,
        /// What was found instead, and how to get it.
        why: String,
    },
}

impl FromStr for DeviceChoice {
    type Err = DeviceError;

    /// Reads the names that [`DeviceChoice`] prints, and the short forms `cpu`, `cuda`, `cuda:1`,
    /// `mps` that PyTorch users type.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let unknown = || DeviceError::Unknown(name.to_owned());
        let lower = name.to_ascii_lowercase();
        match lower.strip_prefix("libtorch:").unwrap_or(&lower) {
            "auto" if lower == "auto" => Ok(Self::Auto),
            "flex" if lower == "flex" => Ok(Self::Flex),
            "cpu" | "libtorch" => Ok(Self::LibtorchCpu),
            "mps" => Ok(Self::LibtorchMps),
            "cuda" => Ok(Self::LibtorchCuda(0)),
            other => other
                .strip_prefix("cuda:")
                .and_then(|number| number.parse().ok())
                .map(Self::LibtorchCuda)
                .ok_or_else(unknown),
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::LibtorchCpu => f.write_str("libtorch:cpu"),
            Self::LibtorchCuda(number) => write!(f, "libtorch:cuda:{number}"),
            Self::LibtorchMps => f.write_str("libtorch:mps"),
            Self::Flex => f.write_str("flex"),
        }
    }
}

/// A device that is there.
#[derive(Debug, Clone)]
pub struct OpenDevice {
    /// Burn's handle.
    pub device: Device,
    /// What it is; never [`DeviceChoice::Auto`].
    pub kind: DeviceChoice,
}

impl OpenDevice {
    /// Checks that the device is there and opens it.
    ///
    /// # Errors
    ///
    /// The device is missing or this build cannot reach it; the message says why and what to do.
    pub fn open(choice: DeviceChoice) -> Result<Self, DeviceError> {
        let kind = match choice {
            DeviceChoice::Auto => best(),
            other => other,
        };
        let device = match kind {
            DeviceChoice::Flex => Device::flex(),
            other => libtorch_device(other)?,
        };
        Ok(Self { device, kind })
    }

    /// Whether feature maps come out fastest with the channels of a pixel side by side.
    ///
    /// libtorch's CPU convolutions (oneDNN) keep that order through every layer when the input has
    /// it, and are a fifth faster for it.
    #[must_use]
    pub fn prefers_interleaved(&self) -> bool {
        self.kind == DeviceChoice::LibtorchCpu
    }
}

/// What this build and this machine offer, for `vggscope doctor`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// The libtorch that was linked, if any.
    pub libtorch: Option<Libtorch>,
    /// The devices that can be used, best first.
    pub devices: Vec<DeviceChoice>,
}

/// The libtorch this program was linked with, and what it says of itself at run time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Libtorch {
    /// The folder it was loaded from, where the system tells, else the one it was linked from.
    pub dir: String,
    /// Its version, as its own files say.
    pub version: &'static str,
    /// Whether it was built with CUDA.
    pub built_with_cuda: bool,
    /// Whether its CUDA part is loaded.
    pub has_cuda: bool,
    /// NVIDIA GPUs that it reaches.
    pub cuda_devices: usize,
    /// Whether it reaches cuDNN.
    pub has_cudnn: bool,
    /// Threads it computes with on the CPU.
    pub threads: i32,
}

/// Looks at what is there without opening anything.
#[must_use]
pub fn survey() -> Survey {
    let libtorch = linked_libtorch();
    let mut devices = Vec::new();
    if let Some(found) = &libtorch {
        devices.extend((0..found.cuda_devices).map(DeviceChoice::LibtorchCuda));
        if mps_is_there() {
            devices.push(DeviceChoice::LibtorchMps);
        }
        devices.push(DeviceChoice::LibtorchCpu);
    }
    devices.push(DeviceChoice::Flex);
    Survey { libtorch, devices }
}

fn best() -> DeviceChoice {
    survey()
        .devices
        .first()
        .copied()
        .unwrap_or(DeviceChoice::Flex)
}

/// Why a GPU cannot be used, from what libtorch says of itself.
#[must_use]
pub fn why_no_cuda(libtorch: &Libtorch, number: usize) -> Option<String> {
    if number < libtorch.cuda_devices {
        return None;
    }
    Some(if libtorch.cuda_devices > 0 {
        format!(
            "there are {} CUDA devices, numbered from 0",
            libtorch.cuda_devices
        )
    } else if !libtorch.built_with_cuda {
        "the libtorch this vggscope was built with is for the CPU only; with an NVIDIA GPU run `LIBTORCH_FLAVOR=cuda make libtorch && cargo build --release`".to_owned()
    } else if !libtorch.has_cuda {
        "the libtorch this vggscope was built with has CUDA, but its CUDA part was not linked; run `cargo clean -p vggscope && cargo build --release`".to_owned()
    } else {
        "libtorch has CUDA but finds no usable GPU; see whether `nvidia-smi` lists one and its driver is recent enough".to_owned()
    })
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
            "libtorch reaches Apple's GPU only on macOS 12.3 or newer with Apple silicon"
                .to_owned(),
        )),
        DeviceChoice::LibtorchMps => Ok(Device::libtorch_mps()),
        _ => {
            share_cores();
            keep_memory();
            Ok(Device::libtorch())
        }
    }
}

/// Makes libtorch's threads sleep, not spin, while they wait for each other.
///
/// libgomp spins for milliseconds at every barrier as long as its threads are no more than the cores,
/// since it takes the cores for its own. Here rendering threads want them too, and a third of all
/// processor time went into spinning. A second team, on a thread that then only sleeps, makes the
/// threads more than the cores, and libgomp spins a thousand turns at most.
///
/// Source: `do_spin` and `gomp_managed_threads` in GCC's `libgomp/config/linux/wait.h`.
#[cfg(feature = "libtorch")]
fn share_cores() {
    /// Elements that libtorch adds with all its threads.
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

/// Makes the C library keep the memory of one step's feature maps for the next.
///
/// glibc gives memory back to the system when twice the size of the largest block that it had from
/// the system and got back lies free, and a step's maps are more than that: a twentieth of the time
/// went into getting the same pages again. A block of the largest size that counts, had and given back
/// without being touched, lets 64 MB lie.
///
/// Source: `M_TRIM_THRESHOLD` and `M_MMAP_THRESHOLD` in mallopt(3).
#[cfg(feature = "libtorch")]
fn keep_memory() {
    /// Whole pages, its header and flags in the size included.
    const LARGEST_THAT_COUNTS: usize = (32 << 20) - 8192;
    drop(std::hint::black_box(Vec::<u8>::with_capacity(
        LARGEST_THAT_COUNTS,
    )));
}

#[cfg(feature = "libtorch")]
#[expect(
    clippy::unnecessary_wraps,
    reason = "the twin of this function for builds without libtorch returns None"
)]
fn linked_libtorch() -> Option<Libtorch> {
    Some(Libtorch {
        dir: loaded_from().unwrap_or_else(|| env!("VGGSCOPE_LIBTORCH_DIR").to_owned()),
        version: env!("VGGSCOPE_LIBTORCH_VERSION"),
        built_with_cuda: env!("VGGSCOPE_LIBTORCH_FLAVOR") == "cuda",
        has_cuda: tch::utils::has_cuda(),
        cuda_devices: usize::try_from(tch::Cuda::device_count()).unwrap_or(0),
        has_cudnn: tch::Cuda::cudnn_is_available(),
        threads: tch::get_num_threads(),
    })
}

/// An installed program loads its own copy, not the one it was linked with.
#[cfg(feature = "libtorch")]
fn loaded_from() -> Option<String> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let library = maps
        .lines()
        .find_map(|line| line.strip_suffix("/libtorch_cpu.so"))?;
    library.find('/').map(|at| library[at..].to_owned())
}

#[cfg(feature = "libtorch")]
fn mps_is_there() -> bool {
    tch::utils::has_mps()
}

#[cfg(not(feature = "libtorch"))]
fn libtorch_device(kind: DeviceChoice) -> Result<Device, DeviceError> {
    Err(DeviceError::NoLibtorch(kind))
}

#[cfg(not(feature = "libtorch"))]
fn linked_libtorch() -> Option<Libtorch> {
    None
}

#[cfg(not(feature = "libtorch"))]
fn mps_is_there() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_as_they_are_printed() {
        for choice in [
            DeviceChoice::Auto,
            DeviceChoice::LibtorchCpu,
            DeviceChoice::LibtorchCuda(3),
            DeviceChoice::LibtorchMps,
            DeviceChoice::Flex,
        ] {
            assert_eq!(choice.to_string().parse::<DeviceChoice>().unwrap(), choice);
        }
        assert_eq!(
            "cuda:1".parse::<DeviceChoice>().unwrap(),
            DeviceChoice::LibtorchCuda(1)
        );
        assert_eq!(
            "cpu".parse::<DeviceChoice>().unwrap(),
            DeviceChoice::LibtorchCpu
        );
    }

    #[test]
    fn other_names_are_refused() {
        for name in [
            "gpu",
            "cuda:",
            "cuda:x",
            "libtorch:auto",
            "libtorch:flex",
            "",
        ] {
            let error = name.parse::<DeviceChoice>().unwrap_err().to_string();
            assert!(error.contains("expected auto"), "{error}");
        }
    }

    #[test]
    fn a_missing_gpu_says_what_was_found() {
        let mut found = Libtorch {
            dir: String::new(),
            version: "",
            built_with_cuda: false,
            has_cuda: false,
            cuda_devices: 0,
            has_cudnn: false,
            threads: 1,
        };
        assert!(why_no_cuda(&found, 0).unwrap().contains("CPU only"));
        found.built_with_cuda = true;
        assert!(why_no_cuda(&found, 0).unwrap().contains("not linked"));
        found.has_cuda = true;
        assert!(why_no_cuda(&found, 0).unwrap().contains("nvidia-smi"));
        found.cuda_devices = 2;
        assert!(why_no_cuda(&found, 2).unwrap().contains("2 CUDA devices"));
        assert_eq!(why_no_cuda(&found, 1), None);
    }

    #[test]
    fn auto_always_finds_something() {
        let open = OpenDevice::open(DeviceChoice::Auto).unwrap();
        assert_ne!(open.kind, DeviceChoice::Auto);
        assert_eq!(survey().devices.last(), Some(&DeviceChoice::Flex));
    }
}
