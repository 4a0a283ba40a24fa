//! What cannot be trained, and what goes wrong on the way.

use super::{checkpoints, crops, data, run_of, saved_steps, train, train_on};
use crate::program::support::{Place, photo, steps, weights};

/// A data set of one small image per class and split.
fn small(place: &Place) {
    for name in ["astronaut", "chelsea"] {
        for part in ["train", "val"] {
            let image = format!("{part}/{name}/00.jpg");
            place.put(&crops().join(&image), &format!("data/{image}"));
        }
    }
}

#[test]
fn data_sets_that_are_none() {
    let place = Place::new();
    place
        .run("train", &["--images", "x.png"])
        .fails(2, &["no data set", "vggscope train DATA"]);
    place
        .run("train", &[crops()])
        .fails(2, &["no probe images", "--images"]);
    train_on(&place, "gone", "").fails(1, &["gone: there is no such file or folder"]);
    place.write("data/notes.txt", "");
    train_on(&place, "data", "").fails(1, &["data", "no class folders", "CLASS/*.jpg"]);
    place.put(&photo("coffee.png"), "data/coffee.png");
    train_on(&place, "data", "").fails(1, &["data", "1 images", "folder for each class"]);
    let args = [
        crops().into_os_string(),
        "--images".into(),
        "gone.png".into(),
    ];
    place.run("train --run a", &args).fails(1, &["gone.png"]);
    assert!(
        !place.path("runs").exists(),
        "created before the data was found"
    );
}

#[test]
fn classes_that_are_empty_or_on_one_side_only() {
    let place = Place::new();
    small(&place);
    std::fs::create_dir(place.path("data/train/coffee")).unwrap();
    train_on(&place, "data", "").fails(1, &["train/coffee", "no image of this class", "jpg"]);
    std::fs::remove_dir(place.path("data/train/coffee")).unwrap();
    place.put(&photo("coffee.png"), "data/val/coffee/0.png");
    train_on(&place, "data", "").fails(1, &["val/coffee", "train folder"]);
    std::fs::remove_dir_all(place.path("data/val/coffee")).unwrap();
    std::fs::remove_dir_all(place.path("data/val/chelsea")).unwrap();
    train_on(&place, "data", "").fails(1, &["train/chelsea", "validate", "val/chelsea"]);
    std::fs::remove_dir_all(place.path("data/val")).unwrap();
    train_on(&place, "data", "").fails(1, &["data/train", "data/val"]);
    train_on(&place, "data/train", "--val-fraction 0.5").fails(1, &["single image", "add images"]);
    std::fs::remove_dir_all(place.path("data/train/chelsea")).unwrap();
    train_on(&place, "data/train", "").fails(1, &["astronaut", "at least 2 classes"]);
}

#[test]
fn numbers_out_of_range() {
    let place = Place::new();
    for (flag, expected) in [
        ("--epochs 0", "a whole number from 1"),
        ("--steps 0", "a whole number from 1"),
        ("--steps -5", "a whole number from 1"),
        ("--batch-size 0", "a whole number from 1"),
        ("--accumulate 1.5", "a whole number from 1"),
        ("--threads 0", "a whole number from 1"),
        ("--hidden 0", "a whole number from 1"),
        ("--schedule cosine,warm-up=-1", "a whole number from 0"),
        ("--misclassified -1", "a whole number from 0"),
        ("--learning-rate 0", "a number above 0"),
        ("--learning-rate -0.1", "a number above 0"),
        ("--learning-rate nan", "a number above 0"),
        ("--weight-decay -1", "a number from 0"),
        ("--stop-above -1", "a number above 0"),
        ("--momentum 1.5", "a number from 0 to 1"),
        ("--momentum -1", "a number from 0 to 1"),
        ("--label-smoothing 2", "a number from 0 to 1"),
        ("--dropout 1", "a number from 0, below 1"),
        ("--width 0", "a number above 0, at most 1"),
        ("--width 2", "a number above 0, at most 1"),
        ("--val-fraction 1.5", "a number from 0 to 1"),
        ("--augment flip=-1", "a number from 0 to 1"),
        ("--augment scale=1", "two numbers above 0"),
        ("--augment scale=0.5,2", "at most 1"),
        ("--augment aspect=2,1", "two numbers above 0"),
        ("--augment jitter=0.1", "four numbers"),
        ("--augment jitter=0,0,0,0.6", "at most 0.5"),
        ("--clip-norm 0", "above 0, or \"off\""),
        ("--schedule linear", "constant, cosine or step=N,FACTOR"),
        ("--schedule step=0,0.1", "N steps from 1"),
        ("--every 0", "\"epoch\" or \"off\""),
        ("--save-every often", "\"epoch\" or \"off\""),
        ("--keep 0", "\"all\""),
    ] {
        let name = flag.split(' ').next().unwrap();
        place
            .run(&format!("train DATA --images x.png {flag}"), &[] as &[&str])
            .fails(2, &[name, expected]);
    }
    train(&place, "--optimizer sdg").fails(2, &["--optimizer", "sdg"]);
    assert!(!place.path("runs").exists());
}

#[test]
fn settings_that_rule_each_other_out() {
    let place = Place::new();
    train(&place, "--optimizer nesterov --momentum 0")
        .fails(2, &["--optimizer nesterov", "--momentum above 0"]);
    train(&place, "--crop off").fails(2, &["--crop", "one size"]);
    // The whole network learns, whichever layers are shown.
    train(&place, "--crop 16 --layers conv1_1").fails(2, &["16 x 16", "pool5", "--crop"]);
    for what in ["conv9_9", "pool*", "pool1,pool3", "pool5,!pool5"] {
        train(&place, &format!("--freeze {what}")).fails(
            2,
            &["--freeze", what, "the last layer of vgg11_bn to freeze"],
        );
    }
    train(&place, "--resume").fails(2, &["--run", "config.toml"]);
    place.put(&weights(), "w.safetensors");
    train(&place, "--weights w.safetensors").fails(2, &["--width", "weights"]);
    train(&place, "--weights w.safetensors --width 1 --arch vgg16")
        .fails(2, &["--hidden 16", "w.safetensors", "leave --hidden out"]);
    place
        .run("train --weights gone.pth --run a", &data(&crops()))
        .fails(1, &["gone.pth"]);
    assert!(!place.path("runs").exists());
}

#[test]
fn a_used_folder_is_left_alone_and_names_resume() {
    let place = Place::new();
    train(&place, "--run a --steps 2").ok();
    let before = checkpoints(&place, "runs/a");
    train(&place, "--run a --steps 2")
        .fails(1, &["runs/a", "already holds a run", "--run", "--resume"]);
    assert_eq!(checkpoints(&place, "runs/a"), before);
    train(&place, "--run b --steps 2 --resume")
        .fails(1, &["nothing to resume", "runs/b/checkpoints"]);
    assert!(!place.path("runs/b").exists());
}

#[test]
fn a_run_does_not_resume_with_another_data_set() {
    let place = Place::new();
    train(&place, "--run a --steps 2").ok();
    small(&place);
    train_on(&place, "data", "--run a --steps 4 --resume").fails(
        1,
        &["step_000002.safetensors", "\"coffee\"", "same data set"],
    );
}

#[test]
fn a_run_resumes_with_a_data_set_that_grew() {
    let place = Place::new();
    small(&place);
    train_on(&place, "data", "--run a --steps 2").ok();
    let image = "train/chelsea/01.jpg";
    place.put(&crops().join(image), &format!("data/{image}"));
    let ran = train_on(&place, "data", "--run a --steps 4 --resume").ok();
    let note = "the data set has 3 training images, 2 when the checkpoint was saved";
    assert!(ran.err().contains(note), "{}", ran.err());
    assert_eq!(steps(&run_of(&place, "runs/a"), "train/loss"), [1, 2, 3, 4]);
}

/// The loss explodes at the second step: what was seen, where, and the way on.
#[test]
fn a_loss_that_explodes_ends_the_run_with_its_last_checkpoint() {
    let place = Place::new();
    let wild = "--optimizer sgd --learning-rate 1e6 --steps 9";
    train(&place, &format!("--run a {wild}")).fails(
        1,
        &[
            "step 2: the loss is",
            "runs/a/checkpoints/step_000000.safetensors",
            "--learning-rate",
            "--resume",
        ],
    );
    assert_eq!(steps(&run_of(&place, "runs/a"), "train/loss"), [1]);
    assert_eq!(saved_steps(&place, "runs/a"), [0]);
    // As it says.
    train(&place, "--run a --steps 3 --resume --learning-rate 0.001").ok();
    assert_eq!(steps(&run_of(&place, "runs/a"), "train/loss"), [1, 2, 3]);

    train(&place, &format!("--run b {wild} --save-every off"))
        .fails(1, &["step 2", "no checkpoint was saved yet"]);
    train(&place, "--run c --steps 3 --stop-above 0.5")
        .fails(1, &["step 1: the loss is 1.", "finite"]);
}

/// Parameters that are too large for a layer's sums: the layer is named.
#[test]
fn a_loss_that_is_not_a_number_names_the_first_layer() {
    let place = Place::new();
    train(
        &place,
        "--run a --optimizer sgd --momentum 0 --learning-rate 1e37 --steps 9",
    )
    .fails(
        1,
        &[
            "step 2: the loss is NaN",
            "first layer whose maps are not finite",
            "step_000000.safetensors",
        ],
    );
}
