//! Networks under training on every backend of this build.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::device::{DeviceChoice, OpenDevice};
use crate::network::vgg::{Extent, Variant, Vgg, build};
use crate::network::{Kernels, Placement};
use crate::network::{Network, Parameter, ParameterValue};
use crate::train::record::gradient;
use crate::train::{Trainer, TrainingSettings};
use crate::weights::WeightsFile;
use burn::optim::GradientsParams;
use burn::tensor::Device;

use super::reference::fixture;

/// A process has one stream of random numbers a backend, and every step of a trainer begins it anew: what
/// takes steps at the same time would be in dropout's way.
static STEPPING: Mutex<()> = Mutex::new(());

pub(crate) fn alone() -> MutexGuard<'static, ()> {
    STEPPING.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn devices() -> Vec<OpenDevice> {
    let devices: Vec<_> = [DeviceChoice::Flex, DeviceChoice::LibtorchCpu]
        .into_iter()
        .filter_map(|choice| OpenDevice::open(choice).ok())
        .collect();
    assert_eq!(devices.len(), 1 + usize::from(cfg!(feature = "libtorch")));
    devices
}

/// The device with gradients.
pub(crate) fn learning(device: &OpenDevice) -> Device {
    device.device.clone().autodiff()
}

/// The network of a file of weights, placed as a command places it.
pub(crate) fn load(path: &std::path::Path, arch: &str, device: &OpenDevice) -> Vgg {
    let weights = WeightsFile::open(path).unwrap();
    let arch = arch.parse().unwrap();
    let place = Placement {
        device: &learning(device),
        kernels: Kernels::Interleaved,
    };
    build(
        &weights,
        &Variant::of(&weights, Some(arch)).unwrap(),
        Extent::Whole,
        place,
    )
    .unwrap()
}

/// The narrow network of `tests/fixtures/vgg`, dropout off.
pub(crate) fn narrow(arch: &str, device: &OpenDevice) -> Vgg {
    let path = fixture(&format!("vgg/{arch}.weights.safetensors"));
    load(&path, arch, device).with_dropout(0.0)
}

pub(crate) fn trainer(vgg: Vgg, settings: TrainingSettings, device: &OpenDevice) -> Trainer {
    Trainer::new(vgg, settings, &learning(device)).unwrap()
}

/// Parameters and running statistics by torchvision's names, each row-major in torch's shape.
pub(crate) fn parameters(vgg: &Vgg) -> BTreeMap<String, Vec<f32>> {
    let values = |parameter: Parameter| {
        let values = parameter.value.into_data().iter::<f32>().collect();
        (parameter.name, values)
    };
    vgg.parameters().0.into_iter().map(values).collect()
}

/// Gradients by the names of their parameters, each row-major in torch's shape.
pub(crate) fn gradients(vgg: &Vgg, all: &GradientsParams) -> BTreeMap<String, Vec<f32>> {
    let mut found = BTreeMap::new();
    for parameter in vgg.parameters().iter() {
        let gradient = match gradient(parameter, all) {
            // Burn's matrices lie the other way.
            Some(ParameterValue::Matrix(matrix)) => ParameterValue::Matrix(matrix.transpose()),
            Some(gradient) => gradient,
            None => continue,
        };
        let values = gradient.into_data().iter::<f32>().collect();
        found.insert(parameter.name.clone(), values);
    }
    found
}
