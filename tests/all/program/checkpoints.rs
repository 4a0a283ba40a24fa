//! `vggscope checkpoints`.

use std::ffi::OsString;

use tensorboard_events::Value;

use crate::program::support::{Place, events, photo, picture, root, steps, tags, weights};

/// Three checkpoints named as training scripts do, the second with other numbers.
fn sequence() -> Place {
    let place = Place::on_cpu();
    for name in ["epoch_2", "epoch_10", "epoch_1"] {
        place.put(&weights(), &format!("ckpts/{name}.safetensors"));
    }
    let mut bytes = std::fs::read(weights()).unwrap();
    // The last numbers of the last tensor, features.7.weight: maps change from conv2_2 on.
    let end = bytes.len();
    bytes[end - 64..].fill(0x3e);
    place.write("ckpts/epoch_2.safetensors", bytes);
    place
}

fn probes(names: &[&str]) -> Vec<OsString> {
    std::iter::once("--images".into())
        .chain(names.iter().map(|name| photo(name).into_os_string()))
        .collect()
}

#[test]
fn steps_are_the_numbers_in_the_names() {
    let place = sequence();
    let ran = place
        .run(
            "checkpoints ckpts --run a --layers conv*",
            &probes(&["chelsea.png"]),
        )
        .ok();
    let seen = events(&place.path("runs/a"));
    assert_eq!(steps(&seen, "feature_maps/chelsea/00_conv1_1"), [1, 2, 10]);
    assert_eq!(steps(&seen, "kernels/00_conv1_1"), [1, 2, 10]);
    assert_eq!(steps(&seen, "input/chelsea"), [1]);
    let maps = |step: i64| picture(&seen, "feature_maps/chelsea/07_conv2_2", step);
    assert!(maps(1) == maps(10) && maps(1) != maps(2));
    assert!(ran.out().contains("3 steps"), "{}", ran.out());
}

#[test]
fn the_index_can_be_the_step() {
    let place = sequence();
    place
        .run(
            "checkpoints ckpts --run a --layers pool5 --step index",
            &probes(&["chelsea.png"]),
        )
        .ok();
    let seen = events(&place.path("runs/a"));
    assert_eq!(steps(&seen, "feature_maps/chelsea/30_pool5"), [0, 1, 2]);
}

#[test]
fn several_probe_images_have_tags_of_their_own() {
    let place = sequence();
    place
        .run(
            "checkpoints ckpts --run a --layers pool1 --batch 2",
            &probes(&["chelsea.png", "coffee.png", "astronaut.png"]),
        )
        .ok();
    let seen = events(&place.path("runs/a"));
    assert_eq!(
        tags(&seen),
        [
            "Overview/astronaut",
            "Overview/chelsea",
            "Overview/coffee",
            "Overview/summary",
            "Overview/what changed",
            "checkpoint",
            "config",
            "custom_scalars__config__",
            "evolution/04_pool1",
            "evolution/kernels",
            "feature_maps/astronaut/04_pool1",
            "feature_maps/chelsea/04_pool1",
            "feature_maps/coffee/04_pool1",
            "input/astronaut",
            "input/chelsea",
            "input/coffee",
            "kernels/00_conv1_1",
            "kernels/change",
            "pca/astronaut/04_pool1",
            "pca/chelsea/04_pool1",
            "pca/coffee/04_pool1",
        ]
    );
}

#[test]
fn a_damaged_checkpoint_stops_the_run_and_leaves_what_was_written() {
    let place = sequence();
    place.write(
        "ckpts/epoch_2.safetensors",
        &std::fs::read(weights()).unwrap()[..9000],
    );
    place
        .run(
            "checkpoints ckpts --run a --layers pool1",
            &probes(&["chelsea.png"]),
        )
        .fails(1, &["epoch_2.safetensors"]);
    let seen = events(&place.path("runs/a"));
    assert_eq!(steps(&seen, "feature_maps/chelsea/04_pool1"), [1]);
    picture(&seen, "feature_maps/chelsea/04_pool1", 1);
}

#[test]
fn a_damaged_checkpoint_can_be_skipped_and_is_listed() {
    let place = sequence();
    place.write("ckpts/epoch_2.safetensors", "<html>404</html>");
    let ran = place.run(
        "checkpoints ckpts --run a --layers pool1 --on-error skip",
        &probes(&["chelsea.png"]),
    );
    assert_eq!(ran.code(), 1, "{}", ran.err());
    assert!(ran.err().contains("skipped: "), "{}", ran.err());
    assert!(ran.err().contains("epoch_2.safetensors"));
    assert!(ran.out().contains("2 steps"), "{}", ran.out());
    let seen = events(&place.path("runs/a"));
    assert_eq!(steps(&seen, "feature_maps/chelsea/04_pool1"), [1, 10]);
}

#[test]
fn a_damaged_first_checkpoint_can_be_skipped_too() {
    let place = sequence();
    place.write("ckpts/epoch_1.safetensors", "");
    let ran = place.run(
        "checkpoints ckpts --run a --layers pool1 --on-error skip",
        &probes(&["chelsea.png"]),
    );
    assert_eq!(ran.code(), 1, "{}", ran.err());
    assert_eq!(
        steps(
            &events(&place.path("runs/a")),
            "feature_maps/chelsea/04_pool1"
        ),
        [2, 10]
    );
}

/// A stray file at the beginning does not cost the others.
#[test]
fn a_first_checkpoint_of_another_network_can_be_skipped() {
    let place = sequence();
    for other in ["zip.pth", "alexnet.pth"] {
        let other = root().join("tests/fixtures/weights").join(other);
        place.put(&other, "ckpts/epoch_0.pth");
        let run = format!("runs/{}", other.file_stem().unwrap().display());
        let flags = format!("--run {} --layers pool1", &run[5..]);
        let ran = place.run(
            &format!("checkpoints ckpts {flags} --on-error skip"),
            &probes(&["chelsea.png"]),
        );
        assert_eq!(ran.code(), 1, "{}", ran.err());
        assert!(ran.err().contains("skipped: ") && ran.err().contains("epoch_0.pth"));
        let seen = events(&place.path(&run));
        assert_eq!(steps(&seen, "feature_maps/chelsea/04_pool1"), [1, 2, 10]);
    }
}

/// One number for all probe images, and none of it in a description: TensorBoard shows the first step's
/// at every step.
#[test]
fn the_range_of_a_layer_is_a_scalar_over_all_probe_images() {
    let place = sequence();
    let max = |run: &str, images: &[&str]| -> Vec<f32> {
        let flags = format!("checkpoints ckpts --run {run} --layers conv2_2 --range layer");
        place.run(&flags, &probes(images)).ok();
        let seen = events(&place.path(&format!("runs/{run}")));
        let maps = seen.iter().find(|one| one.tag.ends_with("/07_conv2_2"));
        let description = &maps.unwrap().description;
        assert!(description.contains("(range/07_conv2_2)"), "{description}");
        let of_tag = seen.iter().filter(|one| one.tag == "range/07_conv2_2/max");
        let values = of_tag.map(|one| match one.value {
            Value::Scalar(value) => value,
            _ => panic!("no scalar"),
        });
        values.collect()
    };
    let [chelsea, coffee] = ["chelsea", "coffee"].map(|name| max(name, &[&format!("{name}.png")]));
    let both = max("both", &["chelsea.png", "coffee.png"]);
    assert_eq!(both.len(), 3);
    assert_ne!(
        both[0].to_bits(),
        both[1].to_bits(),
        "epoch 2 has other numbers"
    );
    let larger = chelsea.iter().zip(&coffee).map(|(a, b)| a.max(*b));
    assert!(larger.eq(both));
}

/// As transformers leaves them; the names of the files alone would all be the same.
#[test]
fn folders_of_checkpoints_are_steps_and_the_rest_is_named() {
    let place = Place::on_cpu();
    for step in [500, 1500, 1000] {
        let file = format!("out/checkpoint-{step}/model.safetensors");
        place.put(&weights(), &file);
        place.write(&format!("out/checkpoint-{step}/optimizer.pt"), "");
    }
    place.put(&weights(), "out/model.safetensors");
    let line = "checkpoints out --run a --layers conv1_1 --every 2 --exclude checkpoint-9*";
    let ran = place.run(line, &probes(&["chelsea.png"])).ok();
    let seen = events(&place.path("runs/a"));
    assert_eq!(steps(&seen, "feature_maps/chelsea/00_conv1_1"), [500, 1500]);
    let err = ran.err();
    for part in [
        "left out: checkpoint-500/optimizer.pt, checkpoint-1000/optimizer.pt",
        "left out: model.safetensors",
        "one in 2: 2 of 3 checkpoints are shown",
        "excluded: 'checkpoint-9*' matches no checkpoint",
    ] {
        assert!(err.contains(part), "no {part:?} in {err}");
    }
    let named = seen.iter().find(|one| one.tag == "checkpoint").unwrap();
    let Value::Text(text) = &named.value else {
        panic!("{:?}", named.value);
    };
    assert_eq!(text, "`checkpoint-500/model.safetensors`");
}

#[test]
fn a_probe_image_that_is_left_out_is_said_with_what_to_do() {
    let place = Place::new();
    let small = place.path("small.png");
    image::RgbImage::new(8, 8).save(&small).unwrap();
    let weights = weights();
    let ran = place.run(
        "checkpoints --run a --layers pool5 --crop off --resize off --on-error skip",
        &[
            weights.as_os_str(),
            "--images".as_ref(),
            photo("chelsea.png").as_os_str(),
            small.as_os_str(),
        ],
    );
    assert_eq!(ran.code(), 1, "{}", ran.err());
    let skipped = ran.err();
    let skipped = skipped.lines().find(|line| line.contains("small.png"));
    let advice = "; use a larger --crop, or only layers before it";
    assert!(
        skipped.is_some_and(|line| line.ends_with(advice)),
        "{}",
        ran.err()
    );
}
