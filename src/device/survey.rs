//! What this build and this machine offer.

use super::choice::DeviceChoice;

/// What this build and this machine offer, for `vggscope doctor`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Survey {
    pub(crate) libtorch: Option<Libtorch>,
    /// The devices that can be used, best first.
    pub(crate) devices: Vec<DeviceChoice>,
}

/// The libtorch this program was linked with, and what it reports at run time.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "libtorch"),
    allow(dead_code, reason = "no build without libtorch has one")
)]
pub(crate) struct Libtorch {
    /// The folder it was loaded from where the system reports it, else the one it was linked from.
    pub(crate) dir: String,
    pub(crate) version: &'static str,
    pub(crate) built_with_cuda: bool,
    /// Whether its CUDA part is loaded.
    pub(crate) has_cuda: bool,
    /// NVIDIA GPUs that it can use.
    pub(crate) cuda_devices: usize,
    /// Whether it can use cuDNN.
    pub(crate) has_cudnn: bool,
    pub(crate) threads: i32,
}

/// Finds the available devices without opening one.
pub(crate) fn survey() -> Survey {
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

/// Why CUDA device `number` is unavailable; `None` if it is available.
pub(crate) fn why_no_cuda(libtorch: &Libtorch, number: usize) -> Option<String> {
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
#[expect(
    clippy::unnecessary_wraps,
    reason = "without libtorch this function returns None"
)]
pub(super) fn linked_libtorch() -> Option<Libtorch> {
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
pub(super) fn mps_is_there() -> bool {
    tch::utils::has_mps()
}

#[cfg(not(feature = "libtorch"))]
pub(super) fn linked_libtorch() -> Option<Libtorch> {
    None
}

#[cfg(not(feature = "libtorch"))]
pub(super) fn mps_is_there() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
