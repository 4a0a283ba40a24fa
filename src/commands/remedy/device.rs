//! What to do about errors of the device room.

use super::FEWER_THREADS;
use crate::device::{BackendError, DeviceError, Unavailable};

pub(super) fn device(error: &DeviceError) -> Option<&'static str> {
    matches!(error, DeviceError::DrawsNot(_)).then_some("set VGGSCOPE_RENDER to auto or host")
}

pub(super) fn backend(error: &BackendError) -> Option<&'static str> {
    match error {
        BackendError::OutOfMemory(_) => Some(
            "use a smaller --crop, fewer --layers or a smaller batch, or end what else uses the device",
        ),
        BackendError::Threads => Some(FEWER_THREADS),
        BackendError::Graph(_) => Some("export the network again, or choose --layers before it"),
        _ => None,
    }
}

pub(super) fn unavailable(error: &Unavailable) -> &'static str {
    match error {
        Unavailable::NoLibtorch => {
            "build with --features libtorch, as `make build` does, or use --device flex"
        }
        Unavailable::NoFlex => {
            "build with --features flex, as `make build BACKEND=flex` does, or use --device libtorch:cpu"
        }
        Unavailable::CpuOnly => {
            "with an NVIDIA GPU run `LIBTORCH_FLAVOR=cuda make build`, or install a torch with CUDA if it is that of Python"
        }
        Unavailable::NotLinked => "run `cargo clean -p vggscope && make build`",
        Unavailable::NoGpu => "see whether `nvidia-smi` lists one and its driver is recent enough",
        Unavailable::OtherNumber(_) | Unavailable::NoMps => {
            "`vggscope doctor` shows which devices there are, and --device auto takes the best"
        }
    }
}
