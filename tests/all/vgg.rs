//! The network against torchvision: every layer's maps, on every backend of this build.
//!
//! Fixtures: `tests/fixtures/vgg/make_fixtures.py`.

use std::path::PathBuf;

use burn::tensor::{Tensor, TensorData};
use safetensors::SafeTensors;
use vggscope::device::{DeviceChoice, OpenDevice};
use vggscope::vgg::{Arch, Extent, Kernels, Placement, Vgg, build};
#[cfg(feature = "libtorch")]
use vggscope::vgg::{Feature, RandomParameters, Sizes};
use vggscope::weights::WeightsFile;

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

fn devices() -> Vec<OpenDevice> {
    [DeviceChoice::Flex, DeviceChoice::LibtorchCpu]
        .into_iter()
        .filter_map(|choice| OpenDevice::open(choice).ok())
        .collect()
}

#[test]
fn both_backends_are_tested() {
    let expected = if cfg!(feature = "libtorch") { 2 } else { 1 };
    assert_eq!(devices().len(), expected);
}

/// The ways in which the pipeline places kernels: of a training, of a network that sees many images
/// of one size, of a checkpoint among many.
fn placements() -> [Kernels; 3] {
    // The fixtures' input.
    let packed = Kernels::Packed { batch: 2, side: 40 };
    [Kernels::Interleaved, packed, Kernels::Planar]
}

fn everywhere() -> impl Iterator<Item = (OpenDevice, Kernels)> {
    let on = |device: OpenDevice| placements().map(|kernels| (device.clone(), kernels));
    devices().into_iter().flat_map(on)
}

fn load(arch: &str, extent: Extent, device: &OpenDevice) -> Vgg {
    load_as(Kernels::Interleaved, arch, extent, device)
}

fn load_as(kernels: Kernels, arch: &str, extent: Extent, device: &OpenDevice) -> Vgg {
    let weights = WeightsFile::open(fixture(&format!("{arch}.weights.safetensors"))).unwrap();
    let arch: Arch = arch.parse().unwrap();
    let place = Placement {
        device: &device.device,
        kernels,
    };
    build(&weights, arch, extent, place).unwrap()
}

/// The fixture's input as the pipeline hands it over: channels of a pixel side by side in memory.
fn input(expected: &Expected, device: &OpenDevice) -> Tensor<4> {
    let (shape, values) = expected.get("input");
    let nchw = Tensor::<4>::from_data(TensorData::new(values, shape), &device.device);
    let nhwc = nchw.permute([0, 2, 3, 1]).into_data();
    Tensor::<4>::from_data(nhwc, &device.device).permute([0, 3, 1, 2])
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

#[test]
fn every_layer_equals_torchvisions() {
    for arch in ["vgg16", "vgg11_bn"] {
        let expected = Expected::of(arch);
        for (device, kernels) in everywhere() {
            let vgg = load_as(kernels, arch, Extent::Whole, &device);
            let mut seen = Vec::new();
            vgg.forward(input(&expected, &device), |index, maps| {
                seen.push((index, maps.clone()));
            });
            assert_eq!(seen.len(), arch.parse::<Arch>().unwrap().layers().len());
            for (index, maps) in seen {
                let name = format!("features.{index}");
                let (shape, values) = expected.get(&name);
                assert_eq!(maps.dims().to_vec(), shape, "{arch} {name}");
                let what = format!("{arch} {name} on {}, {kernels:?}", device.kind);
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
        let mut captured = None;
        vgg.forward(input(&expected, &device), |index, maps| {
            if index == 0 {
                captured = Some(maps.clone());
            }
        });
        let data = captured.unwrap().into_data();
        let least = data
            .as_slice::<f32>()
            .unwrap()
            .iter()
            .fold(0.0f32, |m, v| m.min(*v));
        assert!(least < -0.1, "{least} on {}", device.kind);
    }
}

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
            let what = format!("{arch} logits on {}", device.kind);
            assert_near(&logits.into_data(), &values, &what);
        }
    }
}

/// Of the published width, where layers are computed in other ways than the fixtures' narrow ones.
#[cfg(feature = "libtorch")]
#[test]
fn packed_kernels_of_full_width_give_the_same_maps() {
    let device = OpenDevice::open(DeviceChoice::LibtorchCpu).unwrap();
    let source = RandomParameters::new(Arch::VGG16, Sizes::PUBLISHED, 5);
    let maps = |kernels| {
        let place = Placement {
            device: &device.device,
            kernels,
        };
        let extent = Extent::Features { deepest: 30 };
        let vgg = build(&source, Arch::VGG16, extent, place).unwrap();
        // A waving pattern of the size of a normalised photo.
        let wave = (0..113_u16).map(|at| (f32::from(at) * 0.37).sin() * 2.0);
        let values: Vec<f32> = wave.cycle().take(224 * 224 * 3).collect();
        let pixels = TensorData::new(values, [1, 224, 224, 3]);
        let x = Tensor::<4>::from_data(pixels, &device.device).permute([0, 3, 1, 2]);
        let mut seen = Vec::new();
        vgg.forward(x, |_, maps| seen.push(maps.clone()));
        (vgg, seen)
    };
    let (_, plain) = maps(Kernels::Planar);
    let (vgg, packed) = maps(Kernels::Packed {
        batch: 1,
        side: 224,
    });
    // conv4_2: the one order of kernels that is not oneDNN's own.
    let Feature::Convolution(conv4_2) = &vgg.features[19] else {
        panic!("features.19 is conv4_2");
    };
    assert_eq!(conv4_2.weight.dims(), [16, 1, 512, 512]);
    for (index, (found, expected)) in packed.into_iter().zip(plain).enumerate() {
        let expected = expected.into_data();
        let expected = expected.as_slice::<f32>().unwrap();
        let what = format!("features.{index}, packed beside plain");
        assert_near(&found.into_data(), expected, &what);
    }
}

#[test]
fn only_what_is_needed_is_built() {
    for device in devices() {
        let vgg = load("vgg16", Extent::Features { deepest: 5 }, &device);
        assert_eq!(vgg.features.len(), 6);
        assert!(vgg.classifier.is_none());
        assert_eq!(vgg.kernels().unwrap().dims(), [3, 3, 3, 3]);
    }
}

#[test]
fn the_wrong_network_is_refused_with_the_tensor_and_both_shapes() {
    let device = OpenDevice::open(DeviceChoice::Flex).unwrap();
    let weights = WeightsFile::open(fixture("vgg16.weights.safetensors")).unwrap();
    let arch: Arch = "vgg19".parse().unwrap();
    let place = Placement {
        device: &device.device,
        kernels: Kernels::Planar,
    };
    let error = build(&weights, arch, Extent::Whole, place).unwrap_err();
    assert!(error.to_string().contains("features.16.weight"), "{error}");
}
