//! Whatever ends a training, what was learned stays.

use std::collections::BTreeSet;

use super::{best_step, course, crops, run_of, saved_steps, train, train_on};
use crate::program::support::{Place, steps};

/// Two classes of four images to learn from, and as many to validate with.
fn small(place: &Place) {
    for photo in ["astronaut", "chelsea"] {
        for part in ["train", "val"] {
            for number in 0..4 {
                let name = format!("{part}/{photo}/{number:02}.jpg");
                place.put(&crops().join(&name), &format!("data/{name}"));
            }
        }
    }
}

#[test]
fn a_truncated_validation_image_costs_no_step() {
    let place = Place::on_cpu();
    small(&place);
    let line = "--batch-size 4 --epochs 3 --save-every off --run";
    train_on(&place, "data", &format!("{line} whole")).ok();

    let image = "data/val/chelsea/03.jpg";
    let whole = std::fs::read(place.path(image)).unwrap();
    place.write(image, &whole[..whole.len() / 2]);
    train_on(&place, "data", &format!("{line} a")).fails(1, &["val/chelsea/03.jpg"]);
    assert_eq!(saved_steps(&place, "runs/a"), [2]);
    assert_eq!(steps(&run_of(&place, "runs/a"), "train/loss"), [1, 2]);

    place.write(image, &whole);
    train_on(&place, "data", &format!("{line} a --resume")).ok();
    let (seen, whole) = (run_of(&place, "runs/a"), run_of(&place, "runs/whole"));
    assert_eq!(
        steps(&seen, "val/loss"),
        [4, 6],
        "that of step 2 was not to be had"
    );
    assert_eq!(course(&seen)["train/loss"], course(&whole)["train/loss"]);
}

/// A picture that cannot be written is noticed by another thread, some steps later.
#[test]
fn a_picture_that_cannot_be_written_costs_no_step() {
    let place = Place::new();
    place.write("pictures/000003", "a file where a folder should be");
    train(&place, "--run a --steps 30 --save-every off --png pictures")
        .fails(1, &["pictures/000003"]);
    let saved = saved_steps(&place, "runs/a");
    let [saved] = saved[..] else {
        panic!("{saved:?}");
    };
    assert!((3..30).contains(&saved), "{saved}");
    assert_eq!(steps(&run_of(&place, "runs/a"), "train/loss"), [1, 2]);
    let ran = train(&place, "--run a --steps 30 --save-every off --resume").ok();
    assert!(
        ran.err().contains(&format!("step {saved}")),
        "{}",
        ran.err()
    );
}

#[test]
fn an_unreadable_image_costs_no_step() {
    let place = Place::new();
    small(&place);
    place.write("data/train/chelsea/02.jpg", "no image");
    let line = "--batch-size 1 --epochs 3 --validate-every off --save-every off --seed 1 --run a";
    train_on(&place, "data", line).fails(1, &["train/chelsea/02.jpg"]);
    let losses = steps(&run_of(&place, "runs/a"), "train/loss");
    let taken = losses
        .last()
        .map_or(0, |step| u64::try_from(*step).unwrap());
    assert!((1..8).contains(&taken), "{taken}");
    assert_eq!(saved_steps(&place, "runs/a"), [taken]);
}

/// The best network is found at a step where none is due to be saved.
#[test]
fn the_best_checkpoint_is_saved_when_it_is_found() {
    let place = Place::on_cpu();
    train(
        &place,
        "--run a --steps 23 --save-every 10 --validate-every 3 --keep 1",
    )
    .ok();
    let seen = run_of(&place, "runs/a");
    let best = best_step(&seen);
    let expected: Vec<u64> = BTreeSet::from([best, 23]).into_iter().collect();
    assert_eq!(saved_steps(&place, "runs/a"), expected);
}

/// A batch of which nothing can be read is a step without learning: epochs end where they would.
#[test]
fn a_batch_that_is_unreadable_as_a_whole_does_not_shift_epochs() {
    let place = Place::new();
    small(&place);
    place.write("data/train/chelsea/02.jpg", "no image");
    let line = "--batch-size 1 --epochs 2 --on-error skip --run a";
    let ran = train_on(&place, "data", line);
    assert_eq!(ran.code(), 1, "{}", ran.err());
    let seen = run_of(&place, "runs/a");
    assert_eq!(steps(&seen, "val/loss"), [8, 16]);
    // One image of eight is missing in each epoch.
    let losses = steps(&seen, "train/loss");
    assert_eq!(
        losses.iter().filter(|step| **step <= 8).count(),
        7,
        "{losses:?}"
    );
    assert_eq!(losses.len(), 14);
    assert_eq!(
        steps(&seen, "feature_maps/chelsea/00_conv1_1"),
        (0..=16).collect::<Vec<_>>()
    );
    let text = std::fs::read_to_string(place.path("runs/a/checkpoints/step_000016.toml")).unwrap();
    assert!(text.contains("epoch = 2\nbatch = 0"), "{text}");
}
