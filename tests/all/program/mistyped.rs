//! What is said of a path, a layer or a flag that was mistyped: what happened, and what was probably meant.

use std::collections::BTreeMap;

use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};

use crate::program::continued::put;
use crate::program::support::{Place, photo, weights};

/// Runs, weights, images and checkpoints, as people have them.
fn place() -> Place {
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
fn a_path_that_leads_nowhere_says_what_was_probably_meant() {
    let place = place();
    let images = "images probes --layers conv1_1";
    let sweep = "checkpoints ckpts --images probes";
    let by_run = "sweep12: there is no such file or folder; did you mean runs/sweep12?";
    let misspelled = "runs/sweep21: there is no such file or folder; did you mean runs/sweep12?";
    let weights = "vgg16.pht: there is no such file or folder; did you mean vgg16.pth?";
    let probes = "probs: there is no such file or folder; did you mean probes?";
    for (code, line, said) in [
        (1, "compare sweep12 runs/sweep12".to_owned(), by_run),
        (
            1,
            "compare runs/sweep12 runs/sweep21".to_owned(),
            misspelled,
        ),
        (2, "merge sweep12".to_owned(), by_run),
        (2, "inspect sweep12".to_owned(), by_run),
        (2, "inspect runs/sweep21".to_owned(), misspelled),
        (2, "export sweep12 --out x".to_owned(), by_run),
        (2, "view --print sweep12".to_owned(), by_run),
        (2, "diff vgg16.pht vgg16.pth".to_owned(), weights),
        (
            2,
            "diff vgg16.pth vgg16.pth --images probs".to_owned(),
            probes,
        ),
        (2, "layers --weights vgg16.pht".to_owned(), weights),
        (1, format!("{images} --weights vgg16.pht"), weights),
        (1, "images probs".to_owned(), probes),
        (
            1,
            "images Probes/cat.png".to_owned(),
            "did you mean probes/cat.png?",
        ),
        (2, format!("{images} --maps sweep12"), by_run),
        (
            2,
            format!("{images} --range runs/sweep12/config.tml"),
            "did you mean runs/sweep12/config.toml?",
        ),
        (1, format!("{sweep} --change=vgg16.pht"), weights),
        (1, format!("{sweep} --compare-images probs"), probes),
        (
            1,
            "checkpoints ckpt --images probes".to_owned(),
            "did you mean ckpts?",
        ),
        (1, "checkpoints ckpts --images probs".to_owned(), probes),
        (1, "train probs --images probes".to_owned(), probes),
        (
            2,
            "images --config runs/sweep21/config.toml".to_owned(),
            "did you mean runs/sweep12/config.toml?",
        ),
        (
            2,
            "inspect quite/elsewhere".to_owned(),
            "quite/elsewhere: there is no such file or folder",
        ),
    ] {
        let ran = place.run::<&str>(&line, &[]);
        let err = ran.err();
        assert!(
            err.contains(said) && err.lines().count() == 1,
            "{line}: {err}"
        );
        assert!(
            !err.contains("os error") && !err.contains("IO error"),
            "{err}"
        );
        assert_eq!(ran.code(), code, "{line}: {err}");
    }
    assert!(!place.path("runs/images").exists());
}

#[test]
fn weights_and_images_that_took_each_others_place_are_told_apart() {
    let place = place();
    place.write("stored.zip", b"PK\x03\x04 and so on");
    place.put(&weights(), "weights");
    for (line, said) in [
        (
            "images vgg16.pth",
            "vgg16.pth: this is a weights file, not an image; give it with --weights vgg16.pth, or to `vggscope checkpoints`",
        ),
        ("images stored.zip", "stored.zip: this is a weights file"),
        ("images weights", "weights: this is a weights file"),
        (
            "checkpoints ckpts --images vgg16.pth",
            "vgg16.pth: this is a weights file",
        ),
        (
            "checkpoints probes --images ckpts",
            "ckpts: no image in this folder, which holds 3 checkpoints; were the two swapped? vggscope checkpoints \
             CHECKPOINTS --images IMAGES",
        ),
        (
            "images ckpts",
            "ckpts: no image in this folder, which holds 3 checkpoints",
        ),
        (
            "train ckpts --images probes",
            "ckpts: no image in this folder, which holds 3 checkpoints; were the two swapped?",
        ),
        (
            "checkpoints probes/cat.png --images probes",
            "probes/cat.png: is an image, not a weights file: were the two swapped?",
        ),
        (
            "checkpoints probes --images probes",
            "probes: no checkpoint in this folder, which holds 1 image; were the two swapped?",
        ),
    ] {
        let ran = place.run(&format!("{line} --layers conv1_1"), &["--crop=32"]);
        ran.fails(1, &[said]);
    }
}

#[test]
fn layers_by_other_names_say_how_they_are_called() {
    let place = place();
    let shown = "vgg16 has features.0 to features.30";
    for (layers, said) in [
        ("conv1", "did you mean 'conv1_*'?"),
        ("block2_conv1", "did you mean conv2_1?"),
        ("fc1", shown),
        ("fc6", shown),
        ("classifier.0", shown),
        ("linear", shown),
        ("features.99", shown),
        ("99", shown),
        ("features.31", shown),
        (
            "conv6_1",
            "no layer \"conv6_1\": vgg16 has conv1_1 to conv5_3",
        ),
        ("conv3_9", "vgg16 has conv3_1 to conv3_3"),
        ("relu6_1", "vgg16 has relu1_1 to relu5_3"),
        ("pool6", "vgg16 has pool1 to pool5"),
        ("fc8", shown),
    ] {
        let line = format!("images probes --weights vgg16.pth --layers {layers}");
        place.run::<&str>(&line, &[]).fails(2, &[said]);
    }
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
