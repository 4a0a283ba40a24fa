//! Paths and flags by other words that are understood. What is said of those that are not: `messages.rs`.

use std::collections::BTreeMap;

use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};

use crate::program::continued::put;
use crate::program::support::{Place, photo, weights};

/// Runs, weights, images and checkpoints, as people have them.
pub(super) fn place() -> Place {
    let place = Place::on_cpu();
    place.put(&photo("chelsea.png"), "probes/cat.png");
    place.put(&weights(), "vgg16.pth");
    place.write("runs/sweep12/config.toml", "");
    for step in 1..=3 {
        put(&place, step);
    }
    place
}

#[test]
fn probes_are_images() {
    let place = place();
    let line = "checkpoints ckpts --layers conv1_1 --crop 32 --run";
    place.run(&format!("{line} a --probes"), &["probes"]).ok();
    place.write("c.toml", "probes = ['probes']");
    place.run(&format!("{line} b --config"), &["c.toml"]).ok();
    assert_eq!(place.run::<&str>(&format!("{line} c"), &[]).code(), 2);
}

/// A sequence in a folder of one name, however it is typed, is one setting.
#[test]
fn a_run_goes_on_whatever_slashes_its_paths_have() {
    let place = place();
    place.put(&photo("coffee.png"), "val/deep/a.png");
    let line = "--layers conv1_1 --crop 32 --compare off --run a";
    let run = |flags: &str| place.run::<&str>(&format!("checkpoints {flags} {line}"), &[]);
    place
        .run(
            "checkpoints ckpts --images probes --maps 0,2 --layers conv1_1 --crop 32 --run ranges",
            &[""; 0],
        )
        .ok();
    let others = "--range runs/ranges/ranges.toml --maps runs/ranges --change=vgg16.pth";
    run(&format!("ckpts --images probes {others}")).ok();
    for (step, flags) in [
        (
            4,
            "ckpts/ --images probes/ --range ./runs/ranges/ranges.toml --maps runs/ranges/ --change=./vgg16.pth",
        ),
        (
            5,
            "./ckpts --images ./probes --range runs//ranges/ranges.toml --maps ./runs/ranges/ --change=.//vgg16.pth",
        ),
        (
            6,
            "ckpts/. --images probes/cat.png --range runs/./ranges/ranges.toml --maps runs/ranges// --change=vgg16.pth",
        ),
    ] {
        put(&place, step);
        run(flags).ok();
    }
    let config = std::fs::read_to_string(place.path("runs/a/config.toml")).unwrap();
    let maps = format!("maps = \"{}\"", place.path("runs/ranges").display());
    assert!(config.contains(&maps), "{config}");
}

/// As CIFAR's VGGs have it: behind 32 x 32 pixels one position is left of each channel.
#[test]
fn a_network_for_small_images_and_small_images_are_noted() {
    let place = place();
    let bytes = std::fs::read(weights()).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let is_kept = |name: &String| name.starts_with("features.");
    let mut tensors: BTreeMap<String, TensorView<'_>> = BTreeMap::new();
    for (name, view) in file.tensors().into_iter().filter(|(name, _)| is_kept(name)) {
        tensors.insert(name, view);
    }
    let width = tensors["features.28.bias"].shape()[0];
    let values = vec![0; 4 * 10 * width];
    let linear = TensorView::new(Dtype::F32, vec![10, width], &values).unwrap();
    tensors.insert("classifier.weight".to_owned(), linear);
    let ten = vec![0; 40];
    tensors.insert(
        "classifier.bias".to_owned(),
        TensorView::new(Dtype::F32, vec![10], &ten).unwrap(),
    );
    place.write("cifar.safetensors", serialize(&tensors, None).unwrap());
    let line = "images probes --layers conv1_1 --weights";
    let ran = |flags: &str| {
        place
            .run::<&str>(&format!("{line} {flags}"), &[])
            .ok()
            .err()
    };
    let small = "--resize 32 --crop 32 shows it as it was trained";
    let padded = "padded with black to the crop of 64 x 64: --resize 64 or more fills it";
    let err = ran("cifar.safetensors --crop 64");
    assert!(err.contains(small) && !err.contains(padded), "{err}");
    let err = ran("cifar.safetensors --crop 32");
    assert!(!err.contains(small), "{err}");
    let err = ran("vgg16.pth --crop 64 --resize 48");
    assert!(!err.contains(small) && err.contains(padded), "{err}");
    place.put(
        &place.path("cifar.safetensors"),
        "small/epoch_1.safetensors",
    );
    let line = "checkpoints small --images probes --layers conv1_1 --crop 64";
    let err = place.run::<&str>(line, &[]).ok().err();
    assert!(err.contains(small), "{err}");
}
