//! Kernels packed once into the order in which oneDNN computes with them.
//!
//! libtorch's `conv2d` packs them anew in every call; for VGG16 that is a tenth of a forward pass of
//! one image. Its operations for kernels that are packed already can only be called by name, which
//! `tch` cannot; a TorchScript module of two lines can (`make_module.py`).
//!
//! Source: `mkldnn::_convolution_pointwise` in libtorch's `aten/src/ATen/native/mkldnn/Conv.cpp`.

use std::sync::OnceLock;

use tch::{CModule, IValue, Tensor};

/// The module, or `None` where libtorch was built without oneDNN.
fn module() -> Option<&'static CModule> {
    static MODULE: OnceLock<Option<CModule>> = OnceLock::new();
    let load = || CModule::load_data(&mut include_bytes!("module.pt").as_slice()).ok();
    MODULE.get_or_init(load).as_ref()
}

/// `kernels` `[out, in, 3, 3]` packed for input of the shape `[batch, in, height, width]`.
///
/// `None` where it cannot be done: without oneDNN, or for kernels that do not lie on the CPU as `f32`.
pub(super) fn pack(kernels: &Tensor, input: [usize; 4]) -> Option<Tensor> {
    let shape = input.map(|side| i64::try_from(side).unwrap_or(i64::MAX));
    let arguments = [
        IValue::Tensor(kernels.shallow_clone()),
        IValue::IntList(shape.to_vec()),
    ];
    match module()?.method_is("pack", &arguments) {
        Ok(IValue::Tensor(packed)) => Some(packed),
        _ => None,
    }
}

/// The convolution of `x` with packed kernels; `None` for kernels that are not packed.
pub(super) fn convolve(x: &Tensor, kernels: &Tensor, bias: &Tensor) -> Option<Tensor> {
    if !kernels.is_mkldnn() {
        return None;
    }
    match module()?.forward_ts(&[x, kernels, bias]) {
        Ok(maps) => Some(maps),
        // As tch does for every other operation; whoever runs a network catches it.
        Err(error) => panic!("{error}"),
    }
}
