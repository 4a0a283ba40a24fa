//! Against scikit-learn, by `tests/fixtures/pca/make.py`.

use burn::tensor::{Device, TensorData};
use safetensors::SafeTensors;

use super::eigen::largest;
use super::*;
use crate::device::OpenDevice;
use crate::network::LayerKind;

const FIXTURE: &[u8] = include_bytes!("../../../tests/fixtures/pca/pca.safetensors");
const MAGENTA: [u8; 3] = [255, 0, 255];

fn fixture(name: &str) -> Vec<f32> {
    let file = SafeTensors::deserialize(FIXTURE).unwrap();
    let (floats, rest) = file.tensor(name).unwrap().data().as_chunks();
    assert!(rest.is_empty());
    floats.iter().copied().map(f32::from_le_bytes).collect()
}

fn layer() -> Layer {
    Layer::new(5, LayerKind::Convolution, "conv2_1", "features.5")
}

fn devices() -> [Device; 2] {
    ["auto", "flex"].map(|choice| OpenDevice::open(choice.parse().unwrap()).unwrap().device)
}

fn maps(values: Vec<f32>, shape: [usize; 3], device: &Device) -> Tensor<4> {
    let [channels, height, width] = shape;
    Tensor::from_data(
        TensorData::new(values, [1, channels, height, width]),
        device,
    )
}

/// The same, channels last in memory.
fn interleaved(maps: &Tensor<4>) -> Tensor<4> {
    let data = maps.clone().permute([0, 2, 3, 1]).into_data();
    Tensor::<4>::from_data(data, &maps.device()).permute([0, 3, 1, 2])
}

fn bases(all: &[Tensor<4>]) -> Bases {
    let layer = layer();
    Bases::of(
        all.iter().map(|maps| (&layer, maps.clone())),
        "these".to_owned(),
    )
    .unwrap()
}

fn picture_of(bases: &Bases, maps: &Tensor<4>) -> Picture {
    picture_in_batch(bases, maps, 0)
}

fn picture_in_batch(bases: &Bases, maps: &Tensor<4>, at: usize) -> Picture {
    let batch = Activations {
        layers: vec![(layer(), maps.clone())],
    };
    let all = bases.of_image(&batch, at).unwrap();
    assert_eq!(all.len(), 1);
    let values = all[0].planes.to_data().try_into_vec().unwrap();
    all[0].painter()(values).unwrap()
}

/// The only color of a picture.
#[track_caller]
fn color(picture: &Picture) -> [u8; 3] {
    let (pixels, _) = picture.pixels.as_chunks();
    assert!(pixels.iter().all(|pixel| *pixel == pixels[0]));
    pixels[0]
}

#[track_caller]
fn is_near(found: &[f32], expected: &[f32], most: f32) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= most, "{found} {expected}");
    }
}

// Verified: scikit-learn | `PCA`: mean, components, variances; projections; pixels | 1e-5; 1e-4; one level
#[test]
fn components_projections_and_pictures_are_scikit_learns() {
    let shape @ [channels, height, width] = [72, 61, 7];
    for device in devices() {
        let both = ["first", "last"].map(|name| maps(fixture(name), shape, &device));
        for both in [both.each_ref().map(interleaved), both] {
            let bases = bases(&both);
            let of_layer = &bases.layers["05_conv2_1"];
            is_near(&of_layer.mean, &fixture("mean"), 1e-5);
            is_near(&of_layer.components.concat(), &fixture("components"), 1e-5);
            is_near(&of_layer.explained, &fixture("explained"), 1e-5);
            is_near(of_layer.ranges.as_flattened(), &fixture("range"), 1e-4);
            let last = fixture("last");
            let area = height * width;
            let projected = of_layer.components.iter().flat_map(|component| {
                let at = |place: usize| {
                    let of_channel =
                        |channel| last[channel * area + place] - of_layer.mean[channel];
                    (0..channels)
                        .map(|channel| of_channel(channel) * component[channel])
                        .sum()
                };
                (0..area).map(at).collect::<Vec<f32>>()
            });
            is_near(&projected.collect::<Vec<_>>(), &fixture("projected"), 1e-4);

            let picture = picture_of(&bases, &both[1]);
            // Averaged by 2, enlarged by 43.
            assert_eq!((picture.width, picture.height), (4 * 43, 31 * 43));
            let file = SafeTensors::deserialize(FIXTURE).unwrap();
            let (expected, _) = file.tensor("picture").unwrap().data().as_chunks::<3>();
            for (place, pixel) in picture.pixels.as_chunks::<3>().0.iter().enumerate() {
                let (y, x) = (place / 172 / 43, place % 172 / 43);
                for (found, expected) in pixel.iter().zip(expected[4 * y + x]) {
                    assert!(found.abs_diff(expected) <= 1, "{y} {x}: {found} {expected}");
                }
            }
        }
    }
}

#[test]
fn equal_maps_have_equal_pixels_with_bases_of_a_file_too() {
    for device in devices() {
        let both = ["first", "last"].map(|name| maps(fixture(name), [72, 61, 7], &device));
        let bases = bases(&both);
        let bytes = bases.to_bytes().unwrap();
        let read = Bases::from_bytes(&bytes).unwrap();
        assert!(read.to_bytes().unwrap() == bytes);
        assert_eq!(read.from, bases.from);
        let expected = picture_of(&bases, &both[0]);
        let batch = Tensor::cat(vec![both[1].clone(), both[0].clone()], 0);
        let in_batch = &picture_in_batch(&read, &batch, 1);
        for found in [
            &picture_of(&bases, &both[0].clone()),
            &picture_of(&read, &both[0]),
            in_batch,
        ] {
            assert!(*found == expected);
        }
        assert!(picture_of(&bases, &both[1]) != expected);
    }
}

#[test]
fn components_that_do_not_exist_are_0() {
    for device in devices() {
        let few = |values: &[f32], shape| maps(values.to_vec(), shape, &device);
        // One channel has one component.
        let ramp: Vec<f32> = (0_u8..16).map(f32::from).collect();
        let one = few(&ramp, [1, 4, 4]);
        let picture = picture_of(&bases(std::slice::from_ref(&one)), &one);
        assert_eq!((picture.width, picture.height), (172, 172));
        let (pixels, _) = picture.pixels.as_chunks::<3>();
        assert!(
            pixels
                .iter()
                .all(|[_, green, blue]| (*green, *blue) == (0, 0))
        );
        assert_eq!((pixels[0][0], pixels.last().unwrap()[0]), (0, 255));
        // Two channels two, two positions one.
        let explained = |maps: Tensor<4>| bases(&[maps]).layers["05_conv2_1"].explained;
        let [red, green, blue] = explained(few(&[1.0, 5.0, 2.0, 0.0, 0.0, 3.0], [2, 1, 3]));
        assert!(red > green && green > 0.0 && blue == 0.0);
        let two = few(&[1.0, 5.0, 2.0, 0.0, 0.0, 3.0], [3, 1, 2]);
        is_near(&explained(two), &[1.0, 0.0, 0.0], 0.0);
        // One position, dead maps and constant ones have none.
        for alike in [vec![0.0; 300], vec![0.1; 300]] {
            let alike = few(&alike, [3, 10, 10]);
            assert_eq!(
                color(&picture_of(&bases(std::slice::from_ref(&alike)), &alike)),
                [0; 3]
            );
        }
        let one = few(&[0.5, 3.0, -7.0], [3, 1, 1]);
        let picture = picture_of(&bases(std::slice::from_ref(&one)), &one);
        assert_eq!(
            (picture.width, picture.height, color(&picture)),
            (170, 170, [0; 3])
        );
        // Of two checkpoints it is two.
        let other = few(&[0.5, 3.0, -8.0], [3, 1, 1]);
        let both = bases(&[one.clone(), other.clone()]);
        assert_eq!(
            [&one, &other].map(|maps| color(&picture_of(&both, maps))[0]),
            [255, 0]
        );
    }
}

#[test]
fn nan_is_painted_and_takes_no_part_in_the_basis() {
    for device in devices() {
        let shape = [72, 61, 7];
        let first = maps(fixture("first"), shape, &device);
        let mut broken = fixture("first");
        broken[0] = f32::NAN;
        let broken = maps(broken, shape, &device);
        let bases_of_first = bases(std::slice::from_ref(&first));
        let both = bases(&[first, broken.clone()]);
        assert!(both.to_bytes().unwrap() == bases_of_first.to_bytes().unwrap());
        let picture = picture_of(&both, &broken);
        let (pixels, _) = picture.pixels.as_chunks::<3>();
        let painted = pixels.iter().filter(|pixel| **pixel == MAGENTA).count();
        assert_eq!((pixels[0], painted), (MAGENTA, 43 * 43));
        // Where nothing is finite there is no basis.
        let none = bases(std::slice::from_ref(&broken));
        let picture = picture_of(&none, &broken);
        let (pixels, _) = picture.pixels.as_chunks::<3>();
        assert_eq!([pixels[0], pixels[43]], [MAGENTA, [0; 3]]);
    }
}

#[test]
fn the_largest_eigenvalues_are_those_of_all() {
    use nalgebra::{DMatrix, SymmetricEigen};
    // Of a random matrix, whose eigenvalues are close, of one of low rank, and thrice the same.
    let number = |place: usize| f64::from(u32::try_from(place).unwrap());
    let random = |row, column| number(row * 150 + column * column).sin();
    let random = DMatrix::from_fn(400, 150, random);
    let low = |row, column: usize| number(row * (column + 1)).cos();
    let low = DMatrix::from_fn(150, 2, low);
    for matrix in [
        random.tr_mul(&random),
        &low * low.transpose(),
        DMatrix::identity(150, 150) * 2.0,
        DMatrix::zeros(150, 150),
    ] {
        let all = SymmetricEigen::new(matrix.clone());
        let mut values: Vec<f64> = all.eigenvalues.iter().copied().collect();
        values.sort_by(|a, b| b.total_cmp(a));
        let found = largest(&matrix);
        assert_eq!(found.len(), 3);
        for (pair, value) in found.iter().zip(values.clone()) {
            let most = values[0] * 1e-9;
            assert!((pair.value - value).abs() <= most, "{} {value}", pair.value);
            let rest = &matrix * &pair.vector - &pair.vector * value;
            assert!(rest.norm() <= most && (pair.vector.norm() - 1.0).abs() < 1e-12);
            assert!(pair.vector.max() >= -pair.vector.min());
        }
    }
}

#[test]
fn what_is_no_file_of_bases_is_refused() {
    let device = &devices()[1];
    let bases = bases(&[maps(fixture("first"), [72, 61, 7], device)]);
    let bytes = bases.to_bytes().unwrap();
    let refused = |bytes: &[u8]| Bases::from_bytes(bytes).unwrap_err().to_string();
    for length in [0, 7, 40, bytes.len() - 1] {
        assert!(!refused(&bytes[..length]).is_empty());
    }
    assert!(refused(FIXTURE).contains("vggscope-bases"));
    let place = bytes.len() - 4;
    let with_end = |end: f32| {
        let mut bytes = bytes.clone();
        bytes[place..].copy_from_slice(&end.to_le_bytes());
        refused(&bytes)
    };
    assert!(
        with_end(f32::NAN).contains("expected F32 [3, 2]"),
        "{}",
        with_end(f32::NAN)
    );
    assert!(with_end(-1e30).contains("range"));
}
