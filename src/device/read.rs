//! Reading the floats of a tensor, in pieces where the device allows it.

use burn::tensor::{Element, Tensor};
use feature_grid::{Floats, Layout};

use super::accelerator::{is_asynchronous, library};
use super::error::BackendError;
use super::precision::in_float32;
use super::read_back::copied;

/// The values of a tensor without gradients, any shape, row by row.
///
/// On libtorch's CPU each [`read`](Floats::read) copies its piece; elsewhere all were fetched at once.
pub(crate) fn floats<const D: usize>(
    tensor: Tensor<D>,
) -> Result<Box<dyn Floats + Send + Sync>, BackendError> {
    let tensor = in_float32(tensor);
    Ok(match in_place(&tensor) {
        Some(floats) => floats,
        None => Box::new(fetched::<f32, D>(tensor)?),
    })
}

/// The values of maps, `[images, channels, height, width]`, in the order of a layout; no value moves where they lie so.
pub(crate) fn floats_of_maps(
    maps: Tensor<4>,
    layout: Layout,
) -> Result<Box<dyn Floats + Send + Sync>, BackendError> {
    floats(match layout {
        Layout::Interleaved => maps.permute([0, 2, 3, 1]),
        Layout::Planar => maps,
    })
}

/// All values of a tensor without gradients, row by row.
pub(crate) fn values<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, BackendError> {
    let floats = floats(tensor)?;
    let mut values = vec![0.0; floats.count()];
    floats.read(0, &mut values)?;
    Ok(values)
}

/// All values of several tensors without gradients on one device, which is asked once. At least one tensor.
pub(crate) fn all_values<T: Element>(tensors: Vec<Tensor<1>>) -> Result<Vec<Vec<T>>, BackendError> {
    let lengths: Vec<usize> = tensors.iter().map(|tensor| tensor.dims()[0]).collect();
    let mut all = fetched(Tensor::cat(tensors, 0))?.into_iter();
    let part = |length| all.by_ref().take(length).collect();
    Ok(lengths.into_iter().map(part).collect())
}

fn fetched<T: Element, const D: usize>(tensor: Tensor<D>) -> Result<Vec<T>, BackendError> {
    let is_apart = is_asynchronous(&tensor.device());
    let data = tensor.try_into_data();
    let data = data.map_err(|error| BackendError::from_error(&error))?;
    if is_apart {
        copied(data.bytes().len());
    }
    let values = data.convert::<T>().try_into_vec();
    values.map_err(|error| BackendError::of(&format!("{error:?}")))
}

/// How `maps`, `[batch, channels, height, width]`, lie in memory: interleaved only in that of libtorch's CPU, where
/// [`floats_of_maps`] reads them without a copy.
///
/// A single channel has both layouts; it counts as interleaved.
pub(crate) fn layout_of(maps: &Tensor<4>) -> Layout {
    match in_place(&maps.clone().permute([0, 2, 3, 1])) {
        Some(_) => Layout::Interleaved,
        None => Layout::Planar,
    }
}

fn in_place<const D: usize>(tensor: &Tensor<D>) -> Option<Box<dyn Floats + Send + Sync>> {
    library()?.in_place(tensor.clone().into_dispatch())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::test_devices;
    use burn::tensor::{Device, TensorData};

    /// `0..48` as `[2, 4, 3, 2]`, planar and channels-last in memory.
    fn both_layouts(device: &Device) -> [Tensor<4>; 2] {
        let values: Vec<f32> = (0_u8..48).map(f32::from).collect();
        let planar = Tensor::<4>::from_data(TensorData::new(values, [2, 4, 3, 2]), device);
        let interleaved = planar.clone().permute([0, 2, 3, 1]).into_data();
        let interleaved = Tensor::<4>::from_data(interleaved, device).permute([0, 3, 1, 2]);
        [planar, interleaved]
    }

    fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        let floats = floats(tensor).unwrap();
        let mut out = vec![0.0; floats.count()];
        let (first, rest) = out.split_at_mut(5);
        floats.read(0, first).unwrap();
        floats.read(5, rest).unwrap();
        assert!(floats.read(40, &mut [0.0; 9]).is_err());
        out
    }

    #[test]
    fn values_are_read_row_by_row_whatever_the_layout() {
        for device in test_devices() {
            let [planar, interleaved] = both_layouts(&device);
            let expected: Vec<f32> = (0_u8..48).map(f32::from).collect();
            assert_eq!(values(planar), expected);
            assert_eq!(values(interleaved), expected);
        }
    }

    #[test]
    fn channels_last_is_found_on_libtorch_only() {
        let planar = Layout::Planar;
        let found = |device: &Device| both_layouts(device).map(|maps| layout_of(&maps));
        assert_eq!(found(&Device::flex()), [planar, planar]);
        #[cfg(feature = "libtorch")]
        assert_eq!(found(&Device::libtorch()), [planar, Layout::Interleaved]);
    }
}
