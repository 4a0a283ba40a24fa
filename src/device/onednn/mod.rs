//! Kernels packed once into the order in which oneDNN computes with them.
//!
//! libtorch's `conv2d` packs them anew in every call; for VGG16 that is a twentieth of a forward pass of
//! one image. Its operation for kernels that are packed already can only be called by name, which
//! `tch` cannot; a `TorchScript` module of one line can (`make_module.py`).
//!
//! Source: `mkldnn::_convolution_pointwise` in libtorch's `aten/src/ATen/native/mkldnn/Conv.cpp`.

use std::sync::{Once, OnceLock};
use std::thread;

use tch::{CModule, Device, Kind, Tensor};

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
    static FIRST: Once = Once::new();
    if (kernels.device(), kernels.kind()) != (Device::Cpu, Kind::Float) {
        return None;
    }
    FIRST.call_once(|| drop(thread::spawn(warm_up)));
    packed(kernels, input)
}

fn packed(kernels: &Tensor, input: [usize; 4]) -> Option<Tensor> {
    let shape = input.map(|side| i64::try_from(side).unwrap_or(i64::MAX));
    let laid = kernels.f_to_mkldnn(None).ok()?;
    laid.f_mkldnn_reorder_conv2d_weight([1, 1], [1, 1], [1, 1], 1, shape.as_slice())
        .ok()
}

/// Has the module loaded and compiled, which takes half as long as a forward pass, while the rest of the
/// network is read.
fn warm_up() {
    let zeros = |shape: &[i64]| Tensor::zeros(shape, (Kind::Float, Device::Cpu));
    if let Some(kernels) = packed(&zeros(&[8, 8, 3, 3]), [1, 8, 4, 4]) {
        drop(convolve(&zeros(&[1, 8, 4, 4]), &kernels, &zeros(&[8])));
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    /// As libtorch computes it without packing, also for input of another size.
    #[test]
    fn packed_kernels_give_the_same_maps() {
        let random = |shape: &[i64]| Tensor::rand(shape, (Kind::Float, Device::Cpu)) - 0.5;
        let (kernels, bias) = (random(&[24, 16, 3, 3]), random(&[24]));
        let packed = pack(&kernels, [2, 16, 30, 30]).unwrap();
        assert!(packed.is_mkldnn());
        for shape in [[2, 30, 30, 16], [1, 30, 30, 16], [3, 17, 50, 16]] {
            let x = random(&shape).permute([0, 3, 1, 2]);
            let found = convolve(&x, &packed, &bias).unwrap();
            let expected = x.conv2d(&kernels, Some(&bias), [1, 1], [1, 1], [1, 1], 1);
            assert_eq!(found.size(), expected.size());
            // The order of the sums may differ by size; channels stay side by side.
            assert!(found.allclose(&expected, 1e-5, 1e-5, false), "{shape:?}");
            assert!(found.permute([0, 2, 3, 1]).is_contiguous(), "{shape:?}");
        }
    }

    #[test]
    fn plain_kernels_are_left_to_others() {
        let ones = |shape: &[i64]| Tensor::ones(shape, (Kind::Float, Device::Cpu));
        let (x, kernels) = (ones(&[1, 2, 4, 4]), ones(&[3, 2, 3, 3]));
        assert!(convolve(&x, &kernels, &ones(&[3])).is_none());
    }
}
