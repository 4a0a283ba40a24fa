//! What to do about errors of the device room.

use std::error::Error;

use super::FEWER_THREADS;
use crate::device::{BackendError, DeviceError, Unavailable};

/// What to do about an error, if it is one of this room's.
pub(super) fn next_step(error: &(dyn Error + 'static)) -> Option<String> {
    let advice = if let Some(DeviceError::DrawsNot(_)) = error.downcast_ref() {
        "set VGGSCOPE_RENDER to auto or host"
    } else if let Some(BackendError::OutOfMemory(_)) = error.downcast_ref() {
        "use a smaller --crop, fewer --layers or a smaller batch, or end what else uses the device"
    } else if let Some(BackendError::Threads) = error.downcast_ref() {
        FEWER_THREADS
    } else {
        match error.downcast_ref()? {
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
            Unavailable::NoGpu => {
                "see whether `nvidia-smi` lists one and its driver is recent enough"
            }
            Unavailable::OtherNumber(_) | Unavailable::NoMps => {
                "`vggscope doctor` shows which devices there are, and --device auto takes the best"
            }
        }
    };
    Some(advice.to_owned())
}
