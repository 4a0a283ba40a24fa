//! Which network a file holds, and how much of it is used.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::*;
use crate::commands::parameters::notes;
use crate::commands::remedy::explain;
use crate::network::Kernels;
use crate::network::Model;
use crate::network::Placement;
use crate::network::vgg::model::Feature;
use crate::network::vgg::{Extent, Vgg, build};
use burn::tensor::Device;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

fn arch(name: &str, asked: Option<&str>) -> Result<String, String> {
    let file = WeightsFile::open(fixture("weights").join(name)).unwrap();
    let asked = asked.map(|name| name.parse().unwrap());
    match Variant::of(&file, asked) {
        Ok(variant) => Ok(variant.arch.to_string()),
        Err(error) => Err(explain(&error)),
    }
}

#[track_caller]
fn assert_says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
}

#[test]
fn every_fixture_is_the_network_that_torchvision_saved() {
    #[derive(serde::Deserialize)]
    struct Expected {
        arch: Option<String>,
    }
    let text = std::fs::read_to_string(fixture("weights/expected.json")).unwrap();
    let files: BTreeMap<String, Expected> = serde_json::from_str(&text).unwrap();
    let known: Vec<_> = files
        .iter()
        .filter_map(|(name, expected)| Some((name, expected.arch.as_deref()?)))
        .collect();
    assert!(known.len() >= 4, "{known:?}");
    for (name, expected) in known {
        assert_eq!(arch(name, None).unwrap(), expected, "{name}");
        assert_eq!(arch(name, Some(expected)).unwrap(), expected, "{name}");
    }
}

#[test]
fn another_member_of_the_family_is_named() {
    let error = arch("zip.pth", Some("vgg16")).unwrap_err();
    assert_says(
        &error,
        &["zip.pth: these are vgg11 weights, not vgg16; use --arch vgg11"],
    );
    let error = arch("batch_norm.pth", Some("vgg11")).unwrap_err();
    assert_says(&error, &["use --arch vgg11_bn"]);
}

#[test]
fn the_first_layers_alone_can_be_the_asked_networks() {
    for name in ["vgg13", "vgg16", "vgg19"] {
        assert_eq!(arch("state_dict.pth", Some(name)).unwrap(), name);
    }
    assert_eq!(arch("state_dict.pth", None).unwrap(), "vgg16");
    let error = arch("state_dict.pth", Some("vgg11")).unwrap_err();
    assert_says(&error, &["these are vgg13 or vgg16 or vgg19 weights"]);
}

fn held_in(name: &str) -> Variant {
    let file = WeightsFile::open(fixture("weights").join(name)).unwrap();
    Variant::of(&file, None).unwrap()
}

#[test]
fn a_network_is_as_deep_and_as_colored_as_its_file() {
    let whole = held_in("zip.pth");
    assert_eq!((whole.arch, whole.depth), ("vgg11".parse().unwrap(), 21));
    assert_eq!(whole.widths.len(), 8);
    let first = held_in("state_dict.pth");
    assert_eq!((first.depth, first.is_gray()), (5, false));
    assert!(held_in("gray.pth").is_gray());
    let file = WeightsFile::open(fixture("weights/four_channels.pth")).unwrap();
    let error = Variant::of(&file, None).unwrap_err().to_string();
    assert_says(&error, &["four_channels.pth", "4 channels", "3 (color)"]);
}

#[test]
fn what_is_not_shown_is_noted() {
    for (name, parts) in [
        (
            "net_and_ema.pth",
            &["under `net`", "`net_ema.module`", "--weights-key"][..],
        ),
        ("state_dict.pth", &["up to pool1"]),
        ("ssd.pth", &["convolutions at 31, 33", "SSD"]),
        ("gray.pth", &["luma"]),
        (
            "csrnet.pth",
            &["is the one under `frontend`", "up to pool4"],
        ),
        (
            "ssd300.pth",
            &[
                "is the one under `backbone`",
                "convolutions at extra.0.7.1",
                "pool3",
            ],
        ),
        ("block_prefixes.pth", &["is the one under `vgg`"]),
        ("craft.pth", &["up to pool4", "convolutions at slice5.1"]),
    ] {
        let file = WeightsFile::open(fixture("weights").join(name)).unwrap();
        let notes = notes(&file, &Model::Vgg(None), None);
        assert_says(&notes.join("\n"), parts);
    }
    let file = WeightsFile::open(fixture("weights/zip.pth")).unwrap();
    assert_eq!(notes(&file, &Model::Vgg(None), None), [""; 0]);
}

#[test]
fn classifiers_of_all_names_are_used_where_they_fit() {
    for name in [
        "zip.pth",
        "caffe_classifier.pth",
        "parallel_features.pth",
        "paper_names.pth",
        "timm.pth",
        "timm.safetensors",
        "module.pth",
    ] {
        let file = WeightsFile::open(fixture("weights").join(name)).unwrap();
        let fitting = fitting_classifier(&file, held_in(name).arch);
        assert_eq!(fitting, Some([[5, 196], [5, 5], [3, 5]]), "{name}");
        let vgg = load(file.path(), &Device::flex()).unwrap();
        assert!(vgg.classifier.is_some(), "{name}");
    }
    let file = WeightsFile::open(fixture("weights/no_bias.pth")).unwrap();
    assert_eq!(fitting_classifier(&file, held_in("no_bias.pth").arch), None);
    let vgg = load(file.path(), &Device::flex()).unwrap();
    assert!(matches!(&vgg.features[0], Feature::Convolution(layer) if layer.bias.is_none()));
}

#[test]
fn a_file_is_loaded_as_far_as_it_goes() {
    let device = Device::flex();
    let vgg = load(fixture("vgg/vgg16.weights.safetensors"), &device).unwrap();
    assert_eq!(vgg.features.len(), 31);
    assert!(vgg.classifier.is_some());
    let vgg = load(fixture("weights/batch_norm.pth"), &device).unwrap();
    assert!(vgg.classifier.is_none());
}

/// The VGG of a weights file, as deep as the file goes, with its classifier if it has one of torchvision's form.
fn load(path: impl AsRef<Path>, device: &Device) -> Result<Vgg, NetworkError> {
    let file = WeightsFile::open(path)?;
    let variant = Variant::of(&file, None)?;
    let extent = if fitting_classifier(&file, variant.arch).is_some() {
        Extent::Whole
    } else {
        Extent::Features {
            deepest: variant.depth.saturating_sub(1),
        }
    };
    let place = Placement {
        device,
        kernels: Kernels::Planar,
    };
    build(&file, &variant, extent, place)
}
