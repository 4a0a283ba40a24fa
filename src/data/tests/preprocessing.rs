//! Preprocessing against torchvision. Fixtures: `tests/fixtures/input/make_transform.py`.

use std::fs;
use std::num::NonZeroU32;

use super::decoding::{fixture, ppm, with_sources};
use crate::data::decode::decode;
use crate::data::error::ImageError;
use crate::data::prepared::load;
use crate::data::transform::{Preprocess, Preset};
use feature_grid::Picture;

fn without_normalization(resize: Option<u32>, crop: Option<&str>) -> Preprocess {
    Preprocess {
        resize: resize.and_then(NonZeroU32::new),
        crop: crop.map(|crop| crop.parse().unwrap()),
        ..Preset::Imagenet.preprocess()
    }
}

fn source(name: &str) -> Picture {
    decode(&fixture(&format!("transform/{name}.png")))
        .unwrap()
        .picture
}

// Verified: torchvision | `Resize` and `CenterCrop` | to the bit
#[test]
fn resize_and_crop_equal_torchvision() {
    let cases = [
        ("photo", Some(40), Some("32")),
        ("photo", Some(70), Some("49")),
        ("photo", None, Some("40")),
        ("photo", None, Some("38")),
        ("noise", Some(20), Some("16")),
        ("noise", Some(33), None),
        ("noise", Some(1), None),
        ("noise", Some(25), None),
        ("small", None, Some("33")),
        ("small", None, Some("25")),
        ("small", Some(30), Some("48")),
        ("line", Some(3), Some("7")),
        ("photo", Some(30), Some("24x36")),
        ("photo", Some(30), Some("36x24")),
        ("noise", Some(30), Some("24x36")),
        ("noise", Some(20), Some("22x16")),
        ("small", None, Some("33x18")),
    ];
    for (name, resize, crop) in cases {
        let resized = resize.map(|n: u32| format!("_r{n}")).unwrap_or_default();
        let cropped = crop.map(|sides| format!("_c{sides}")).unwrap_or_default();
        let stem = format!("{name}{resized}{cropped}");
        let expected = ppm(&fixture(&format!("transform/{stem}.ppm")));
        let found = without_normalization(resize, crop)
            .picture(&source(name))
            .unwrap();
        assert_eq!(found, expected, "{stem}");
    }
}

// Verified: torchvision | the presets `imagenet` and `article` | to the bit
#[test]
fn presets_equal_torchvision() {
    let photo = source("photo");
    for (preset, places) in [
        (Preset::Imagenet, [(0, 0), (100, 57), (208, 208)]),
        (Preset::Article, [(0, 0), (333, 500), (656, 656)]),
    ] {
        let found = preset.preprocess().picture(&photo).unwrap();
        for (x, y) in places {
            let stem = format!("photo_{}_{x}_{y}", name_of(preset));
            let expected = ppm(&fixture(&format!("transform/{stem}.ppm")));
            let rows = found.pixels.chunks_exact(found.width as usize * 3);
            let window = rows
                .skip(y)
                .take(16)
                .flat_map(|row| row[x * 3..(x + 16) * 3].to_vec());
            let window = Picture::rgb(16, 16, window.collect());
            assert_eq!(window, expected, "{stem}");
        }
    }
}

// Verified: torchvision | `ToTensor` and `Normalize`, Caffe's too | to the bit
#[test]
fn numbers_are_torchvisions_own() {
    let picture = ppm(&fixture("transform/photo_r40_c32.ppm"));
    for preset in [Preset::Imagenet, Preset::Caffe] {
        let bytes = fs::read(fixture(&format!("transform/photo_{}.f32", name_of(preset)))).unwrap();
        let expected: Vec<f32> = bytes
            .as_chunks()
            .0
            .iter()
            .map(|&b| f32::from_le_bytes(b))
            .collect();
        let found = preset.preprocess().normalize.apply(&picture);
        assert_eq!(found.len(), 32 * 32 * 3);
        assert_eq!(found, expected, "{}", name_of(preset));
    }
}

#[test]
fn load_names_the_file_that_does_not_fit() {
    let preset = Preset::Imagenet.preprocess();
    let seen = load(&fixture("decode/420.jpg"), &preset).unwrap();
    assert_eq!((seen.picture.width, seen.picture.height), (224, 224));

    let preprocess = without_normalization(Some(100_000), None);
    let error = load(&fixture("transform/line.png"), &preprocess).unwrap_err();
    let text = with_sources(&error);
    assert!(matches!(
        error.error,
        ImageError::ResizedTooLarge {
            from_width: 50,
            from_height: 1,
            width: 5_000_000,
            height: 100_000
        }
    ));
    assert!(text.contains("line.png"), "{text}");
}

/// The name by which a user chooses a preset, which the fixtures have too.
fn name_of(preset: Preset) -> String {
    use clap::ValueEnum;
    preset.to_possible_value().unwrap().get_name().to_owned()
}
