//! Copying floats to a device.

use burn::tensor::{Device, Tensor, TensorData};

#[cfg(feature = "libtorch")]
use burn::backend::{DispatchDevice, LibTorchDevice};
#[cfg(feature = "libtorch")]
use burn_tch::{LibTorch, TchTensor};

#[cfg(feature = "libtorch")]
use super::apart::is_apart;

/// `values` as a tensor on `device`.
///
/// To CUDA through page-locked memory, without waiting: `Tensor::from_data` would wait for all work that
/// is queued there.
pub(crate) fn upload<const D: usize>(
    values: Vec<f32>,
    shape: [usize; D],
    device: &Device,
) -> Tensor<D> {
    #[cfg(feature = "libtorch")]
    if let Some(cuda) = of_libtorch(device).filter(|device| device.is_cuda()) {
        let row = tch::Tensor::from_slice(&values);
        // Not `pin_memory`, which since libtorch 2.7 warns that it should not be given a device.
        let locked = row.internal_pin_memory(cuda);
        let (non_blocking, copy) = (true, false);
        let row = locked.to_device_(cuda, tch::Kind::Float, non_blocking, copy);
        return of_row(row, device).reshape(shape);
    }
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Whether `device` works while this thread goes on, so that uploading ahead of time hides the copy.
pub(crate) fn is_asynchronous(device: &Device) -> bool {
    #[cfg(feature = "libtorch")]
    let is_apart = of_libtorch(device).is_some_and(is_apart);
    #[cfg(not(feature = "libtorch"))]
    let is_apart = {
        let _ = device;
        false
    };
    is_apart
}

/// The CPU or the GPU of libtorch that `device` is, with gradients or without.
#[cfg(feature = "libtorch")]
fn of_libtorch(device: &Device) -> Option<tch::Device> {
    match device.as_dispatch().clone().inner() {
        DispatchDevice::LibTorch(LibTorchDevice::Cpu) => Some(tch::Device::Cpu),
        DispatchDevice::LibTorch(LibTorchDevice::Cuda(number)) => Some(tch::Device::Cuda(number)),
        _ => None,
    }
}

/// A row of libtorch as Burn's, with gradients where `device` has them.
#[cfg(feature = "libtorch")]
fn of_row(row: tch::Tensor, device: &Device) -> Tensor<1> {
    let row = Tensor::from_primitive::<LibTorch>(TchTensor::new(row));
    if device.is_autodiff() {
        row.autodiff()
    } else {
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_arrive_in_their_order() {
        for device in [
            Device::flex(),
            #[cfg(feature = "libtorch")]
            Device::libtorch(),
        ] {
            for device in [device.clone(), device.autodiff()] {
                let uploaded = upload(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [2, 3], &device);
                assert_eq!(uploaded.dims(), [2, 3]);
                assert_eq!(uploaded.is_autodiff(), device.is_autodiff());
                let second = uploaded.slice([1..2, 0..3]).into_data();
                assert_eq!(second.as_slice::<f32>().unwrap(), [4.0, 5.0, 6.0]);
            }
        }
    }

    #[cfg(feature = "libtorch")]
    #[test]
    fn a_row_of_libtorch_takes_part_in_gradients_where_the_device_has_them() {
        let row = || tch::Tensor::from_slice(&[2.0_f32, 3.0]);
        assert!(!of_row(row(), &Device::libtorch()).is_autodiff());
        let device = Device::libtorch().autodiff();
        let factor = Tensor::<1>::from_data([5.0, 7.0], &device).require_grad();
        let gradients = (of_row(row(), &device) * factor.clone()).sum().backward();
        let gradient = factor.grad(&gradients).unwrap().into_data();
        assert_eq!(gradient.as_slice::<f32>().unwrap(), [2.0, 3.0]);
    }

    #[cfg(feature = "libtorch")]
    #[test]
    fn only_cuda_works_on_its_own() {
        assert!(is_asynchronous(&Device::libtorch_cuda(0)));
        assert!(is_asynchronous(&Device::libtorch_cuda(1).autodiff()));
        let cpu = Device::libtorch().autodiff();
        assert_eq!(is_asynchronous(&cpu), cfg!(feature = "apart"));
        assert!(!is_asynchronous(&Device::flex()));
    }
}
