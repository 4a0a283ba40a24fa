//! `--model`: a network that `torch.export` wrote, and its checkpoints.

use std::fs;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use tensorboard_events::Value;

use super::continued::{args, at_rest, of_steps, over_time, run_of};
use super::sharded;
use crate::program::support::{
    Place, Ran, Seen, events, levels_apart, photo, picture, root, steps, weights,
};

/// Of `tests/fixtures/pt2`: `residual` takes any number of images, `fixed` two.
pub(super) fn model(name: &str) -> PathBuf {
    root().join("tests/fixtures/pt2").join(name)
}

/// By `make_checkpoints.py`: two of a training in PyTorch, wrapped, and one of safetensors.
pub(super) fn checkpoint(name: &str) -> PathBuf {
    model("checkpoints").join(name)
}

pub(super) const CHECKPOINTS: [&str; 3] = ["epoch_1.pth", "epoch_2.pth", "epoch_3.safetensors"];

pub(super) fn put(place: &Place, name: &str) {
    at_rest(&place.put(&checkpoint(name), &format!("ckpts/{name}")));
}

/// Runs a command with `--model`.
pub(super) fn run(place: &Place, line: &str, network: &str, more: &[&Path]) -> Ran {
    let model = model(network);
    let more = [&[Path::new("--model"), &model], more].concat();
    place.run(line, &more)
}

#[test]
fn layers_are_listed_with_their_shapes() {
    let place = Place::new();
    let out = run(&place, "layers", "residual.pt2", &[]).ok().out();
    assert!(out.starts_with("residual, input 3 x 32 x 32\n"), "{out}");
    assert!(out.contains("exported by torch 2.9"), "{out}");
    for line in ["relu_1", "6 x 8 x 8", "convolution 5x5", "8 x 4 x 4"] {
        assert!(out.contains(line), "{out}");
    }
    let out = run(&place, "layers", "fixed.pt2", &[]).ok().out();
    assert!(out.starts_with("fixed, input 3 x 24 x 40\n"), "{out}");
    // The tokens lie as the maps that they were made of.
    assert_eq!(out.matches("8 x 3 x 5").count(), 2, "{out}");
    run(&place, "layers --crop 480x640", "fixed.pt2", &[]).fails(2, &["--crop 24x40"]);
    let checkpoint = checkpoint("epoch_1.pth");
    let weights = [Path::new("--weights"), &checkpoint];
    run(&place, "layers", "residual.pt2", &weights).ok();
}

#[test]
fn images_are_shown_with_the_weights_of_the_file_or_others() {
    let place = Place::new();
    let chelsea = photo("chelsea.png");
    let line = "images --layers relu,relu_2,norm";
    run(
        &place,
        &format!("{line} --run own"),
        "residual.pt2",
        &[&chelsea],
    )
    .ok();
    let other = checkpoint("epoch_3.safetensors");
    let more = [&chelsea, Path::new("--weights"), &other];
    run(
        &place,
        &format!("{line} --run other"),
        "residual.pt2",
        &more,
    )
    .ok();
    let [own, other] = ["own", "other"].map(|run| events(&place.path(&format!("runs/{run}"))));
    for layer in ["/02_relu", "/10_relu_2", "/20_norm"] {
        let is_map = |one: &&Seen| one.tag.starts_with("feature_maps/") && one.tag.ends_with(layer);
        let (tag, step) = own
            .iter()
            .find(is_map)
            .map(|one| (&one.tag, one.step))
            .unwrap();
        let (a, b) = (picture(&own, tag, step), picture(&other, tag, step));
        assert_eq!((a.0, a.1), (b.0, b.1));
        assert!(levels_apart(&a.3, &b.3) > 0, "{tag}");
    }
    // 6 kernels of 5 x 5 pixels in color.
    let kernels = own
        .iter()
        .find(|one| one.tag.starts_with("kernels/"))
        .unwrap();
    assert!(kernels.tag.ends_with("stem.0"), "{}", kernels.tag);
}

/// The network takes images of 24 x 40 pixels.
#[test]
fn images_are_prepared_for_a_size_that_is_no_square() {
    let place = Place::on_cpu();
    let [wide, tall] = ["chelsea.png", "astronaut.png"].map(photo);
    let line = "images --layers relu,norm --run a";
    run(&place, line, "fixed.pt2", &[&wide, &tall]).ok();
    let config = std::fs::read_to_string(place.path("runs/a/config.toml")).unwrap();
    assert!(config.contains("crop = \"24x40\"\n"), "{config}");
    let seen = events(&place.path("runs/a"));
    for step in [0, 1] {
        let (width, height, _, pixels) = picture(&seen, "input", step);
        assert_eq!((width, height), (40, 24));
        // Nothing of the crop is left black.
        let is_filled = |row: &[u8]| row.iter().any(|level| *level > 0);
        assert!(is_filled(&pixels[..3]) && is_filled(&pixels[pixels.len() - 3..]));
    }
    let asked = "images --layers relu --run b --crop 32";
    run(&place, asked, "fixed.pt2", &[&wide])
        .fails(2, &["32 x 32", "expected 24 x 40", "use --crop 24x40"]);
    // A network without a size of its own takes any.
    let line = "images --layers relu1_1 --run c --crop 24x40 --resize 20";
    let ran = place
        .run(line, &[&wide, Path::new("--weights"), &weights()])
        .ok();
    assert!(ran.err().contains("--resize 24 or more"), "{}", ran.err());
    let seen = events(&place.path("runs/c"));
    let (width, height, ..) = picture(&seen, "input", 0);
    assert_eq!((width, height), (40, 24));
}

/// The network takes two images: with one too few the last is there twice.
#[test]
fn a_fixed_number_of_images_is_filled_up() {
    let place = Place::on_cpu();
    let [a, b, c] = ["chelsea.png", "coffee.png", "astronaut.png"].map(photo);
    for batch in [1, 3] {
        let line = format!("images --layers relu,norm --batch {batch} --run b{batch}");
        run(&place, &line, "fixed.pt2", &[&a, &b, &c]).ok();
    }
    run(
        &place,
        "images --layers relu,norm --run free",
        "residual.pt2",
        &[&a, &b, &c],
    )
    .ok();
    let [one, three, free] =
        ["b1", "b3", "free"].map(|run| events(&place.path(&format!("runs/{run}"))));
    let images = one
        .iter()
        .filter(|one| matches!(one.value, Value::Image { .. }));
    // Small maps go through the network together.
    let config = std::fs::read_to_string(place.path("runs/free/config.toml")).unwrap();
    assert!(config.contains("batch = 4\n"), "{config}");
    let (mut compared, mut differ) = (0, 0);
    for image in images.filter(|one| one.tag != "config") {
        let (tag, step) = (&image.tag, image.step);
        let same = three.iter().find(|one| &one.tag == tag && one.step == step);
        assert!(same.is_some_and(|same| same.value == image.value), "{tag}");
        let other = free
            .iter()
            .any(|one| &one.tag == tag && one.value != image.value);
        (compared, differ) = (compared + 1, differ + u32::from(other));
    }
    assert!(compared >= 6 && differ > 0, "{compared} {differ}");
}

#[test]
fn checkpoints_of_a_training_go_through_the_graph() {
    let place = Place::on_cpu();
    for name in CHECKPOINTS {
        put(&place, name);
    }
    let chelsea = photo("chelsea.png");
    let line = "checkpoints ckpts --run a --change --layers relu*,norm";
    let ran = run(
        &place,
        line,
        "residual.pt2",
        &[Path::new("--images"), &chelsea],
    )
    .ok();
    assert!(ran.err().contains("under `state_dict`"), "{}", ran.err());
    assert!(ran.out().contains("from step 1 to step 3"), "{}", ran.out());
    let seen = run_of(&place);
    for layer in ["02_relu", "06_relu_1", "10_relu_2", "20_norm"] {
        let tags = seen.iter().filter(|one| one.tag.contains(layer));
        let mut tags: Vec<&str> = tags.map(|one| one.tag.as_str()).collect();
        tags.sort_unstable();
        tags.dedup();
        assert!(
            tags.iter().any(|tag| tag.starts_with("change")),
            "{layer}: {tags:?}"
        );
        let map = tags.iter().find(|tag| steps(&seen, tag) == [1, 2, 3]);
        assert!(map.is_some(), "{layer}: {tags:?}");
    }
    assert_eq!(steps(&seen, "checkpoint"), [1, 2, 3]);
}

/// A checkpoint of safetensors with some tensors changed, left out or added.
fn changed(
    place: &Place,
    name: &str,
    change: impl Fn(&str, &[usize]) -> Option<(String, Vec<usize>)>,
) {
    let bytes = fs::read(checkpoint("epoch_3.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensors = file.tensors().into_iter().filter_map(|(name, tensor)| {
        let (name, shape) = change(&name, tensor.shape())?;
        let size = if tensor.dtype() == Dtype::I64 { 8 } else { 4 };
        let bytes = vec![0; size * shape.iter().product::<usize>()];
        Some((name, tensor.dtype(), shape, bytes))
    });
    let tensors: Vec<_> = tensors.collect();
    let views = tensors.iter().map(|(name, dtype, shape, bytes)| {
        (name, TensorView::new(*dtype, shape.clone(), bytes).unwrap())
    });
    let path = place.write(name, safetensors::serialize(views, None).unwrap());
    at_rest(&path);
}

#[test]
fn a_checkpoint_of_another_network_is_named() {
    let place = Place::new();
    let chelsea = photo("chelsea.png");
    put(&place, "epoch_1.pth");
    let refused = |parts: &[&str]| {
        let more = [Path::new("--images"), &chelsea];
        let line = "checkpoints ckpts --run a --layers relu_2";
        run(&place, line, "residual.pt2", &more).fails(1, parts);
    };
    let file = "ckpts/epoch_2.safetensors";
    changed(&place, file, |name, shape| {
        (name != "bn1.running_var").then(|| (name.to_owned(), shape.to_vec()))
    });
    refused(&["epoch_2.safetensors", "bn1.running_var"]);
    changed(&place, file, |name, shape| {
        let is_changed = name == "conv1.weight";
        Some((
            name.to_owned(),
            if is_changed {
                vec![7, 6, 3, 3]
            } else {
                shape.to_vec()
            },
        ))
    });
    refused(&[
        "epoch_2.safetensors",
        "conv1.weight",
        "[7, 6, 3, 3]",
        "[6, 6, 3, 3]",
    ]);
    changed(&place, file, |name, shape| {
        Some((format!("other.{name}x"), shape.to_vec()))
    });
    refused(&[
        "epoch_2.safetensors",
        "expected the parameters of the network",
    ]);
    place.put(&weights(), file);
    refused(&[
        "epoch_2.safetensors",
        "expected the parameters of the network",
    ]);
    // What the layers do not need may be missing.
    changed(&place, file, |name, shape| {
        (!name.starts_with("head")).then(|| (name.to_owned(), shape.to_vec()))
    });
    let line = "checkpoints ckpts --run b --layers relu_2";
    run(
        &place,
        line,
        "residual.pt2",
        &[Path::new("--images"), &chelsea],
    )
    .ok();
}

const LINE: &str = "checkpoints ckpts --layers relu,norm --change --range layer";

fn sweep(place: &Place, flags: &str) -> Ran {
    let model = model("residual.pt2");
    let more = [
        vec!["--model".into(), model.into_os_string()],
        args("chelsea.png"),
    ]
    .concat();
    place.run(&format!("{LINE} {flags}"), &more)
}

#[test]
fn a_run_that_goes_on_is_an_uninterrupted_one() {
    let (whole, parts) = (Place::on_cpu(), Place::on_cpu());
    for name in CHECKPOINTS {
        put(&whole, name);
    }
    sweep(&whole, "--run a").ok();
    for name in CHECKPOINTS {
        put(&parts, name);
        sweep(&parts, "--run a").ok();
    }
    let (whole, seen) = (run_of(&whole), run_of(&parts));
    assert!(over_time(&whole, 3) == over_time(&seen, 3));
    let (whole, seen) = (of_steps(&whole), of_steps(&seen));
    assert_eq!(
        whole.keys().collect::<Vec<_>>(),
        seen.keys().collect::<Vec<_>>()
    );
    // Ranges of changes and bases of colors come from the references, which are others.
    let is_equal = |tag: &str| {
        let groups = ["change/", "pca/", "Overview/chelsea"];
        !groups.iter().any(|group| tag.starts_with(group))
    };
    for ((tag, step), value) in whole.iter().filter(|((tag, _), _)| is_equal(tag)) {
        assert!(seen[&(tag.clone(), *step)] == *value, "{tag} {step}");
    }
    let ran = sweep(&parts, "--run a").ok();
    assert!(ran.err().contains("already: 3 steps"), "{}", ran.err());
    // The same command with another network is another run.
    let other = model("fixed.pt2");
    let more = [
        vec!["--model".into(), other.into_os_string()],
        args("chelsea.png"),
    ]
    .concat();
    parts
        .run(&format!("{LINE} --run a"), &more)
        .fails(2, &["runs/a", "model"]);
}

#[test]
fn parts_are_the_run_that_one_process_makes() {
    let place = Place::on_cpu();
    for name in CHECKPOINTS {
        put(&place, name);
    }
    sweep(&place, "--run whole").ok();
    for part in [1, 0] {
        sweep(&place, &format!("--run parts --shard {part}/2")).ok();
    }
    place.run::<&str>("merge runs/parts", &[]).ok();
    sharded::assert_equal(&place, "whole", "parts");
}

/// What shows event files says what it was given.
#[test]
fn inspect_of_a_program_is_one_line() {
    let place = Place::new();
    let ran = place.run("inspect", &[model("residual.pt2")]);
    assert_eq!(ran.code(), 1);
    assert!(
        ran.out().contains("residual.pt2` is no event file"),
        "{}",
        ran.out()
    );
}
