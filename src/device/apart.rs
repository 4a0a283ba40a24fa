//! Which devices have a memory of their own, and work while the host goes on.

/// NVIDIA's GPUs. With the feature `apart` libtorch's CPU counts as one too: so what is done only beside a GPU is
/// tested without one.
pub(super) fn is_apart(device: tch::Device) -> bool {
    device.is_cuda() || cfg!(feature = "apart") && device == tch::Device::Cpu
}
