//! The network against torchvision: every layer's maps, on every backend of this build.
//!
//! Fixtures: `tests/fixtures/vgg/make_fixtures.py`.

use std::path::PathBuf;

use crate::network::vgg::{Arch, Extent, Variant, Vgg, build};
use crate::network::{Architecture, Layer, Network};
use crate::network::{Kernels, Placement};
use crate::weights::WeightsFile;
use burn::tensor::{Device, Tensor, TensorData};
use safetensors::SafeTensors;

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/vgg")
        .join(name)
}

/// What torchvision computed, by name.
struct Expected(Vec<u8>);

impl Expected {
    fn of(arch: &str) -> Self {
        Self(std::fs::read(fixture(&format!("{arch}.maps.safetensors"))).unwrap())
    }

    fn get(&self, name: &str) -> (Vec<usize>, Vec<f32>) {
        let file = SafeTensors::deserialize(&self.0).unwrap();
        let view = file.tensor(name).unwrap();
        let (numbers, rest) = view.data().as_chunks::<4>();
        assert!(rest.is_empty());
        let values = numbers.iter().map(|b| f32::from_le_bytes(*b)).collect();
        (view.shape().to_vec(), values)
    }
}

fn devices() -> Vec<Device> {
    vec![
        Device::flex(),
        #[cfg(feature = "libtorch")]
        #[expect(deprecated, reason = "the backend this tool is made for")]
        Device::libtorch(),
    ]
}

/// Every device with every memory layout of kernels.
fn everywhere() -> impl Iterator<Item = (Device, Kernels)> {
    devices().into_iter().flat_map(|device| {
        [Kernels::Interleaved, Kernels::Planar].map(|kernels| (device.clone(), kernels))
    })
}

fn load(arch: &str, extent: Extent, device: &Device) -> Vgg {
    load_as(Kernels::Interleaved, arch, extent, device)
}

fn load_as(kernels: Kernels, arch: &str, extent: Extent, device: &Device) -> Vgg {
    let weights = WeightsFile::open(fixture(&format!("{arch}.weights.safetensors"))).unwrap();
    let arch: Arch = arch.parse().unwrap();
    let place = Placement { device, kernels };
    let variant = Variant::of(&weights, Some(arch)).unwrap();
    build(&weights, &variant, extent, place).unwrap()
}

/// The fixture's input as the pipeline hands it over: channels of a pixel side by side in memory.
fn input(expected: &Expected, device: &Device) -> Tensor<4> {
    let (shape, values) = expected.get("input");
    let nchw = Tensor::<4>::from_data(TensorData::new(values, shape), device);
    let nhwc = nchw.permute([0, 2, 3, 1]).into_data();
    Tensor::<4>::from_data(nhwc, device).permute([0, 3, 1, 2])
}

fn forward(vgg: &Vgg, batch: Tensor<4>, wanted: &[Layer]) -> Vec<(Layer, Tensor<4>)> {
    let mut seen = Vec::new();
    vgg.visit(batch, wanted, &mut |layer, maps| {
        seen.push((layer.clone(), maps.clone()));
    })
    .unwrap();
    seen
}

fn assert_near(found: &TensorData, expected: &[f32], what: &str) {
    let found = found.as_slice::<f32>().unwrap();
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(1.0f32, |m, v| m.max(v.abs()));
    for (at, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!(
            (a - b).abs() <= 1e-5 * largest,
            "{what}[{at}]: {a}, expected {b}"
        );
    }
}

// Verified: torchvision | hooks on every layer of VGG16 and of VGG11 with batch norm, all backends | 1e-5 of the largest value
#[test]
fn every_layer_equals_torchvisions() {
    for arch in ["vgg16", "vgg11_bn"] {
        let expected = Expected::of(arch);
        for (device, kernels) in everywhere() {
            let vgg = load_as(kernels, arch, Extent::Whole, &device);
            let all = vgg.variant.layers();
            let seen = forward(&vgg, input(&expected, &device), &all);
            assert_eq!(seen.len(), arch.parse::<Arch>().unwrap().layers().len());
            for (layer, maps) in seen {
                let name = layer.torch_name();
                let (shape, values) = expected.get(name);
                assert_eq!(maps.dims().to_vec(), shape, "{arch} {name}");
                let what = format!("{arch} {name} on {device:?}, {kernels:?}");
                assert_near(&maps.into_data(), &values, &what);
            }
        }
    }
}

#[test]
fn a_captured_convolution_keeps_its_negative_values() {
    let expected = Expected::of("vgg16");
    for device in devices() {
        let vgg = load("vgg16", Extent::Features { deepest: 1 }, &device);
        let first_two: Vec<Layer> = vgg.variant.layers().into_iter().take(2).collect();
        let seen = forward(&vgg, input(&expected, &device), &first_two);
        let data = seen[0].1.clone().into_data();
        let least = data
            .as_slice::<f32>()
            .unwrap()
            .iter()
            .fold(0.0f32, |m, v| m.min(*v));
        assert!(least < -0.1, "{least} on {device:?}");
    }
}

// Verified: torchvision | the classifier | 1e-5 of the largest value
#[test]
fn the_classifier_equals_torchvisions() {
    for arch in ["vgg16", "vgg11_bn"] {
        let expected = Expected::of(arch);
        let (shape, values) = expected.get("logits");
        for device in devices() {
            let logits = load(arch, Extent::Whole, &device)
                .logits(input(&expected, &device))
                .unwrap();
            assert_eq!(logits.dims().to_vec(), shape);
            let what = format!("{arch} logits on {device:?}");
            assert_near(&logits.into_data(), &values, &what);
        }
    }
}

#[test]
fn only_what_is_needed_is_built() {
    for device in devices() {
        let vgg = load("vgg16", Extent::Features { deepest: 5 }, &device);
        assert_eq!(vgg.features.len(), 6);
        assert!(vgg.classifier.is_none());
        assert_eq!(vgg.parameters().kernels().unwrap().dims(), [3, 3, 3, 3]);
    }
}

#[test]
fn the_wrong_network_is_refused_with_the_tensor_and_both_shapes() {
    let device = Device::flex();
    let weights = WeightsFile::open(fixture("vgg16.weights.safetensors")).unwrap();
    let arch: Arch = "vgg19".parse().unwrap();
    let place = Placement {
        device: &device,
        kernels: Kernels::Planar,
    };
    let variant = Variant::published(arch);
    let error = build(&weights, &variant, Extent::Whole, place).unwrap_err();
    assert!(error.to_string().contains("features.16.weight"), "{error}");
}
