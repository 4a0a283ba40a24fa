//! Settings that change what is learned.

use safetensors::SafeTensors;

use super::{course, crops, data, network, run_of, train, train_on};
use crate::program::support::{Place, root, steps, weights};

/// The names of what differs between two checkpoints.
fn moved(place: &Place, before: &str, after: &str) -> Vec<String> {
    let (before, after) = (network(place, before), network(place, after));
    assert_eq!(before.len(), after.len());
    before
        .into_iter()
        .zip(after)
        .filter(|(before, after)| before != after)
        .map(|((name, ..), _)| name)
        .filter(|name| !name.ends_with("num_batches_tracked"))
        .collect()
}

const FIRST: &str = "runs/a/checkpoints/step_000000.safetensors";
const LAST: &str = "runs/a/checkpoints/step_000004.safetensors";

#[test]
fn frozen_layers_keep_every_bit() {
    let place = Place::new();
    train(&place, "--run a --steps 4 --freeze features").ok();
    let names = moved(&place, FIRST, LAST);
    let classifier = [
        "0.bias", "0.weight", "3.bias", "3.weight", "6.bias", "6.weight",
    ];
    assert_eq!(names, classifier.map(|name| format!("classifier.{name}")));

    let place = Place::new();
    train(
        &place,
        "--run a --steps 4 --freeze pool2 --histograms-every 2",
    )
    .ok();
    let names = moved(&place, FIRST, LAST);
    // features.7 is pool2, features.8 conv3_1.
    let index = |name: &String| name.split('.').nth(1).unwrap().parse::<usize>().unwrap();
    let features: Vec<usize> = names
        .iter()
        .filter(|name| name.starts_with("features"))
        .map(index)
        .collect();
    assert_eq!(features.iter().min(), Some(&8), "{names:?}");
    assert!(
        names.contains(&"features.9.running_var".to_owned()),
        "{names:?}"
    );
    let seen = run_of(&place, "runs/a");
    assert!(
        steps(&seen, "gradients/00_conv1_1.weight").is_empty(),
        "frozen: no gradients"
    );
    assert_eq!(steps(&seen, "weights/00_conv1_1.weight"), [2, 4]);
    assert_eq!(steps(&seen, "gradients/08_conv3_1.weight"), [2, 4]);
}

/// The fixture has 5 classes, the crops 3.
#[test]
fn weights_of_other_classes_get_a_new_last_layer() {
    let place = Place::new();
    place.put(&weights(), "w.safetensors");
    let args = data(&crops());
    let flags = "train --run a --steps 4 --resize 32 --crop 32 --batch-size 12 --layers pool5 --freeze features";
    let ran = place
        .run(&format!("{flags} --weights w.safetensors"), &args)
        .ok();
    assert!(
        ran.err()
            .contains("the last layer is new: the weights have 5 classes, the data set has 3"),
        "{}",
        ran.err()
    );
    let file = network(&place, "w.safetensors");
    let begun = network(&place, FIRST);
    assert_eq!(file.len(), begun.len());
    for (before, after) in file.iter().zip(&begun) {
        assert_eq!(before.0, after.0);
        if before.0.starts_with("classifier.6") {
            assert_eq!((before.1[0], after.1[0]), (5, 3), "{}", before.0);
        } else {
            assert!(before == after, "{}", before.0);
        }
    }
    // Its own checkpoints have the classes: nothing is new.
    let ran = place
        .run(&format!("{flags} --weights {LAST} --run b"), &args)
        .ok();
    assert!(!ran.err().contains("new"), "{}", ran.err());
    let [a, b] =
        [LAST, "runs/b/checkpoints/step_000000.safetensors"].map(|file| network(&place, file));
    assert!(a == b);
}

#[test]
fn weights_without_a_classifier_get_one() {
    let place = Place::new();
    let bytes = std::fs::read(weights()).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let features = file.iter().filter(|(name, _)| name.starts_with("features"));
    let path = place.path("features.safetensors");
    safetensors::serialize_to_file(features, None, &path).unwrap();
    let ran = place
        .run(
            "train --run a --steps 1 --resize 32 --crop 32 --layers pool5 --hidden 16 --weights features.safetensors",
            &data(&crops()),
        )
        .ok();
    assert!(ran.err().contains("the classifier is new"), "{}", ran.err());
    let shapes = network(&place, FIRST);
    let (_, shape, _) = shapes
        .iter()
        .find(|(name, ..)| name == "classifier.0.weight")
        .unwrap();
    assert_eq!(shape, &[16, 6 * 49]);
}

#[test]
fn the_configuration_that_is_written_runs_again_to_the_same_course() {
    let place = Place::on_cpu();
    train(
        &place,
        "--run a --steps 8 --seed 7 --optimizer nesterov --momentum 0.8 --learning-rate 0.01 \
         --schedule step=3,0.5,warm-up=2 --clip-norm 1.5 --label-smoothing 0.1 --dropout 0.3 \
         --accumulate 2 --augment scale=0.3,1,aspect=0.9,1.1,flip=0.2,jitter=0.1,0.2,0.3,0.05 \
         --freeze pool1 --validate-every 3 --histograms-every off",
    )
    .ok();
    place
        .run("train --run b --config", &["runs/a/config.toml"])
        .ok();
    assert_eq!(
        course(&run_of(&place, "runs/a")),
        course(&run_of(&place, "runs/b"))
    );
    let text = |run: &str| {
        let text = std::fs::read_to_string(place.path(&format!("runs/{run}/config.toml"))).unwrap();
        text.replace("run = \"a\"", "run = \"b\"")
    };
    assert_eq!(text("a"), text("b"));
    train(
        &place,
        "--run c --steps 8 --augment off --schedule cosine --every off",
    )
    .ok();
    place
        .run("train --run d --config", &["runs/c/config.toml"])
        .ok();
    assert_eq!(
        course(&run_of(&place, "runs/c")),
        course(&run_of(&place, "runs/d"))
    );
}

/// What is typed wins over the file, in either way of saying how long.
#[test]
fn a_typed_length_wins_over_the_files() {
    let place = Place::new();
    train(&place, "--run a --steps 3").ok();
    let config = ["runs/a/config.toml"];
    place.run("train --run b --epochs 1 --config", &config).ok();
    assert_eq!(
        steps(&run_of(&place, "runs/b"), "train/loss"),
        [1, 2, 3, 4, 5, 6]
    );
    let config = ["runs/b/config.toml"];
    place.run("train --run c --steps 2 --config", &config).ok();
    assert_eq!(steps(&run_of(&place, "runs/c"), "train/loss"), [1, 2]);
}

#[test]
fn a_seed_gives_the_same_course_and_another_another() {
    let place = Place::on_cpu();
    for (run, seed) in [("a", 1), ("b", 1), ("c", 2)] {
        train(&place, &format!("--run {run} --steps 3 --seed {seed}")).ok();
    }
    let [a, b, c] = ["a", "b", "c"].map(|run| run_of(&place, &format!("runs/{run}")));
    assert_eq!(course(&a), course(&b));
    assert_ne!(course(&a), course(&c));
}

/// A folder without train and val is split, the same way at every run.
#[test]
fn one_folder_is_split_by_the_seed() {
    let place = Place::on_cpu();
    for photo in ["astronaut", "chelsea"] {
        for number in 0..10 {
            let name = format!("{photo}/{number:02}.jpg");
            place.put(&crops().join("train").join(&name), &format!("data/{name}"));
        }
    }
    for run in ["a", "b"] {
        train_on(
            &place,
            "data",
            &format!("--run {run} --epochs 1 --batch-size 8 --val-fraction 0.2"),
        )
        .ok();
    }
    let seen = run_of(&place, "runs/a");
    // 16 to learn from in batches of 8, 4 to validate with.
    assert_eq!(steps(&seen, "train/loss"), [1, 2]);
    let right = super::scalars(&seen, "val/accuracy")[&2] * 4.0;
    assert!((right - right.round()).abs() < 1e-6, "{right}");
    assert_eq!(course(&seen), course(&run_of(&place, "runs/b")));
}

#[test]
fn an_image_that_cannot_be_read_can_be_skipped() {
    let place = Place::new();
    for photo in ["astronaut", "chelsea"] {
        for part in ["train", "val"] {
            for number in 0..4 {
                let name = format!("{part}/{photo}/{number:02}.jpg");
                place.put(&crops().join(&name), &format!("data/{name}"));
            }
        }
    }
    place.write("data/train/chelsea/02.jpg", "no image");
    place.write("data/val/chelsea/03.jpg", "no image either");
    let ran = train_on(
        &place,
        "data",
        "--run a --epochs 2 --batch-size 4 --on-error skip",
    );
    assert_eq!(ran.code(), 1, "{}", ran.err());
    let skipped: Vec<String> = ran
        .err()
        .lines()
        .filter(|l| l.contains("skipped: "))
        .map(str::to_owned)
        .collect();
    assert_eq!(skipped.len(), 2, "each once: {}", ran.err());
    for file in ["train/chelsea/02.jpg", "val/chelsea/03.jpg"] {
        assert!(
            skipped.iter().any(|line| line.contains(file)),
            "{skipped:?}"
        );
    }
    assert_eq!(steps(&run_of(&place, "runs/a"), "val/loss"), [2, 4]);

    train_on(&place, "data", "--run b --epochs 2 --batch-size 4")
        .fails(1, &["train/chelsea/02.jpg"]);
}

#[test]
fn what_is_peculiar_about_a_data_set_is_said_once() {
    let place = Place::new();
    for part in ["train", "val"] {
        for class in ["a", "b"] {
            let turned = root().join("tests/fixtures/input/decode/exif_turned.jpg");
            place.put(&turned, &format!("data/{part}/{class}/1.jpg"));
            place.write(&format!("data/{part}/{class}/labels.csv"), "1");
        }
    }
    let ran = train_on(&place, "data", "--run a --epochs 2").ok();
    for part in [
        "4 images with an EXIF orientation",
        "files left out by their ending: 4 .csv",
    ] {
        assert_eq!(ran.out().matches(part).count(), 1, "{part}: {}", ran.out());
    }
}
