//! What a training leaves.

use std::collections::{BTreeMap, BTreeSet};

use safetensors::SafeTensors;
use tensorboard_events::{Content, EventReader, Value};

use super::{
    IMAGES, NARROW, STEPS_PER_EPOCH, best_step, course, crops, data, run_of, saved_steps, scalars,
    train,
};
use crate::program::support::{
    FIGURE, Place, Seen, event_files, photo, picture, steps, tags, test_device,
};

const PICTURES: [&str; 9] = [
    "feature_maps/chelsea/00_conv1_1",
    "feature_maps/chelsea/28_pool5",
    "feature_maps/coffee/00_conv1_1",
    "feature_maps/coffee/28_pool5",
    "kernels/00_conv1_1",
    "pca/chelsea/00_conv1_1",
    "pca/chelsea/28_pool5",
    "pca/coffee/00_conv1_1",
    "pca/coffee/28_pool5",
];
const SCALARS: [&str; 5] = [
    "train/accuracy",
    "train/gradient_norm",
    "train/images_per_second",
    "train/learning_rate",
    "train/loss",
];

fn all(last: i64) -> Vec<i64> {
    (0..=last).collect()
}

#[test]
fn every_step_shows_the_network_and_its_numbers() {
    let place = Place::new();
    let ran = train(&place, "--run a --epochs 2").ok();
    let seen = run_of(&place, "runs/a");
    for tag in PICTURES {
        assert_eq!(steps(&seen, tag), all(12), "{tag}");
    }
    for tag in SCALARS {
        assert_eq!(steps(&seen, tag), all(12)[1..], "{tag}");
    }
    for tag in ["val/loss", "val/accuracy", "val/confusion"] {
        assert_eq!(steps(&seen, tag), [6, 12], "{tag}");
    }
    for tag in ["config", "input/chelsea", "input/coffee"] {
        assert_eq!(steps(&seen, tag), [0], "{tag}");
    }
    for (tag, at) in [
        ("weights/00_conv1_1.weight", [6, 12]),
        ("gradients/00_conv1_1.weight", [6, 12]),
        ("weights/01_bn1_1.weight", [6, 12]),
        ("gradients/classifier.6.weight", [6, 12]),
    ] {
        assert_eq!(steps(&seen, tag), at, "{tag}");
    }
    let names = tags(&seen);
    assert!(
        !names.iter().any(|tag| tag.contains("top5")),
        "three classes have no top 5"
    );
    let on_request = ["bias", "running_mean", "running_var"];
    let is_on_request = |tag: &String| on_request.iter().any(|end| tag.ends_with(end));
    assert!(!names.iter().any(is_on_request), "{names:?}");
    let known = |tag: &String| {
        PICTURES.contains(&tag.as_str())
            || SCALARS.contains(&tag.as_str())
            || [
                "Overview/",
                "val/",
                "weights/",
                "gradients/",
                "input/",
                "misclassified",
                "evolution/",
            ]
            .iter()
            .any(|p| tag.starts_with(p))
            || ["config", "kernels/change", "custom_scalars__config__"].contains(&tag.as_str())
            || tag.starts_with("_hparams_/")
            || tag.ends_with(FIGURE)
    };
    assert_eq!(names.iter().find(|tag| !known(tag)), None);
    assert_eq!(saved_steps(&place, "runs/a"), [0, 6, 12]);
    assert!(ran.out().contains("13 steps"), "{}", ran.out());
    assert!(
        ran.out().contains("step_000012.safetensors"),
        "{}",
        ran.out()
    );
    assert!(ran.out().contains("best validation"), "{}", ran.out());
    assert!(ran.out().contains("images=1000000"), "{}", ran.out());
    has_graph(&place);
}

fn has_graph(place: &Place) {
    let files = event_files(&place.path("runs/a"));
    let graphs: Vec<_> = EventReader::open(&files[0])
        .unwrap()
        .filter_map(|event| match event.unwrap().content {
            Content::Graph(graph) => Some(graph.unwrap()),
            _ => None,
        })
        .collect();
    assert_eq!(graphs.len(), 1);
    let shape = |name: &str| {
        let node = graphs[0].node.iter().find(|node| node.name == name);
        let node = node.unwrap_or_else(|| panic!("no {name}"));
        let shapes = node.attr.get("_output_shapes")?.get_list();
        let sizes = shapes.shape.first()?.dim.iter();
        Some(sizes.map(|dim| dim.size).collect::<Vec<_>>())
    };
    // A tenth of 64 channels, of 512 after five poolings of 32 pixels.
    assert_eq!(
        shape("features/block1/00_conv1_1"),
        Some(vec![-1, 6, 32, 32])
    );
    assert_eq!(
        shape("features/block5/28_pool5").map(|s| s[1..].to_vec()),
        Some(vec![51, 1, 1])
    );
    assert_eq!(shape("classifier/6_linear3"), Some(vec![-1, 3]));
}

#[test]
fn what_is_written_when_can_be_chosen() {
    let place = Place::on_cpu();
    train(
        &place,
        "--run a --steps 10 --every 4 --validate-every 3 --save-every 5 --histograms-every 2 --keep all --scalars all",
    )
    .ok();
    let seen = run_of(&place, "runs/a");
    // The last step is always shown, validated and saved.
    assert_eq!(
        steps(&seen, "feature_maps/chelsea/00_conv1_1"),
        [0, 4, 8, 10]
    );
    assert_eq!(steps(&seen, "kernels/00_conv1_1"), [0, 4, 8, 10]);
    assert_eq!(steps(&seen, "val/loss"), [3, 6, 9, 10]);
    for tag in [
        "weights/00_conv1_1.bias",
        "weights/01_bn1_1.running_var",
        "gradients/classifier.6.bias",
    ] {
        assert_eq!(steps(&seen, tag), [2, 4, 6, 8, 10], "{tag}");
    }
    let is_of_running = |tag: &String| tag.starts_with("gradients/") && tag.contains("running");
    assert!(!tags(&seen).iter().any(is_of_running));
    assert_eq!(steps(&seen, "train/loss"), all(10)[1..]);
    let mut due = BTreeSet::from([0, 5, 10]);
    // Whatever is better than all before it is saved too.
    let (accuracies, losses_of) = (scalars(&seen, "val/accuracy"), scalars(&seen, "val/loss"));
    let mut best = None;
    for (step, accuracy) in accuracies {
        let found = (accuracy, -losses_of[&step]);
        if best.is_none_or(|best| found > best) {
            best = Some(found);
            due.insert(u64::try_from(step).unwrap());
        }
    }
    assert!(due.contains(&3), "the first is the best so far");
    assert!(saved_steps(&place, "runs/a").into_iter().eq(due));

    train(
        &place,
        "--run b --steps 7 --every off --validate-every off --save-every off --histograms-every off --no-kernels",
    )
    .ok();
    let seen = run_of(&place, "runs/b");
    assert_eq!(steps(&seen, "feature_maps/chelsea/00_conv1_1"), [0, 7]);
    assert_eq!(steps(&seen, "val/loss"), [7]);
    assert_eq!(saved_steps(&place, "runs/b"), [7]);
    let names = tags(&seen);
    assert!(
        !names
            .iter()
            .any(|tag| tag.contains("weights/") || tag.contains("kernels/")),
        "{names:?}"
    );
    let losses = |run: &str| scalars(&run_of(&place, run), "train/loss");
    assert_eq!(
        losses("runs/a")
            .into_iter()
            .take(7)
            .collect::<BTreeMap<_, _>>(),
        losses("runs/b"),
        "logging changed the training"
    );
}

#[test]
fn the_newest_checkpoints_and_the_best_stay() {
    let place = Place::on_cpu();
    let ran = train(
        &place,
        "--run a --steps 24 --save-every 2 --validate-every 2 --keep 2 --seed 1",
    )
    .ok();
    let seen = run_of(&place, "runs/a");
    let best = best_step(&seen);
    // On flex, which rounds differently, the best one may be among the newest.
    assert!(
        best < 22 || cfg!(not(feature = "libtorch")),
        "a best one that is old, or this proves nothing"
    );
    let expected: Vec<u64> = BTreeSet::from([best, 22, 24]).into_iter().collect();
    assert_eq!(saved_steps(&place, "runs/a"), expected);
    assert!(
        ran.out().contains(&format!("at step {best}")),
        "{}",
        ran.out()
    );
}

/// The pictures of a training's step are those of its checkpoint, to the byte; libtorch may round a batch of
/// another size otherwise.
#[test]
fn a_sweep_over_the_checkpoints_draws_the_same_pictures() {
    let place = Place::on_cpu();
    train(&place, "--run a --epochs 2").ok();
    for flags in ["--run b", "--run c --batch 2"] {
        place
            .run(
                &format!(
                    "checkpoints --layers conv1_1,pool5 --resize 32 --crop 32 --range map {flags}"
                ),
                &data(&place.path("runs/a/checkpoints")),
            )
            .ok();
    }
    let pictures = |run: &str, step: i64| {
        let seen = run_of(&place, run);
        // The basis of components comes from other steps.
        let of_step = PICTURES.iter().filter(|tag| !tag.starts_with("pca/"));
        of_step
            .map(|tag| picture(&seen, tag, step).3)
            .collect::<Vec<_>>()
    };
    for step in [0, 6, 12] {
        let trained = pictures("runs/a", step);
        assert!(pictures("runs/b", step) == trained, "runs/b at {step}");
        for (batched, pixels) in pictures("runs/c", step).iter().zip(&trained) {
            assert_eq!(batched.len(), pixels.len());
            let mut pairs = batched.iter().zip(pixels);
            assert!(pairs.all(|(a, b)| a.abs_diff(*b) <= 1), "runs/c at {step}");
        }
    }
    assert!(pictures("runs/a", 0) != pictures("runs/a", 12));
}

#[test]
fn a_single_probe_image_has_the_tags_of_a_single_image() {
    let place = Place::new();
    let args = [
        crops().into_os_string(),
        "--images".into(),
        photo("coffee.png").into(),
    ];
    place
        .run(&format!("{NARROW} --run a --steps 1 --layers pool1"), &args)
        .ok();
    let names = tags(&run_of(&place, "runs/a"));
    assert!(
        names.contains(&"feature_maps/coffee/03_pool1".to_owned()),
        "{names:?}"
    );
}

/// At most as many as asked for, tagged with both classes and listed in a table.
#[test]
fn misclassified_images_are_shown_with_both_classes() {
    let place = Place::new();
    train(&place, "--run a --steps 1 --misclassified 3").ok();
    let seen = run_of(&place, "runs/a");
    let misclassified: Vec<&Seen> = seen
        .iter()
        .filter(|one| one.tag.starts_with("misclassified/"))
        .collect();
    let mut shown = 0;
    for one in &misclassified {
        let (label, taken_for) = one.tag["misclassified/".len()..]
            .split_once(" as ")
            .unwrap();
        assert!(["astronaut", "chelsea", "coffee"].contains(&label));
        assert!(["astronaut", "chelsea", "coffee"].contains(&taken_for) && taken_for != label);
        let Value::Image {
            width,
            height,
            pngs,
        } = &one.value
        else {
            panic!("{} is no image", one.tag);
        };
        assert_eq!(pngs.len(), 1);
        // A contact sheet of up to three images.
        shown += match (*width, *height) {
            (32, 32) => 1,
            (68, 32) => 2,
            (68, 68) => 3,
            size => panic!("{size:?}"),
        };
    }
    assert_eq!(shown, 3);
    let Value::Text(table) = &seen
        .iter()
        .find(|one| one.tag == "misclassified")
        .unwrap()
        .value
    else {
        panic!("no table");
    };
    assert_eq!(table.lines().count(), 5, "{table}");

    train(&place, "--run b --steps 1 --misclassified 0").ok();
    let names = tags(&run_of(&place, "runs/b"));
    assert!(
        !names.iter().any(|tag| tag.starts_with("misclassified")),
        "{names:?}"
    );
}

/// Steps, not batches, are counted: an epoch of 6 batches has 2 steps of 4 and 2 batches.
#[test]
fn accumulated_batches_are_one_step() {
    let place = Place::new();
    train(&place, "--run a --epochs 2 --accumulate 4 --save-every off").ok();
    let seen = run_of(&place, "runs/a");
    assert_eq!(steps(&seen, "train/loss"), [1, 2, 3, 4]);
    for tag in ["train/gradient_signal", "train/gradient_variance"] {
        assert_eq!(steps(&seen, tag), [1, 2, 3, 4], "{tag}");
    }
    assert_eq!(steps(&seen, "val/loss"), [2, 4]);
    let text = std::fs::read_to_string(place.path("runs/a/checkpoints/step_000004.toml")).unwrap();
    let network = std::fs::read(place.path("runs/a/checkpoints/step_000004.safetensors")).unwrap();
    let network = SafeTensors::deserialize(&network).unwrap();
    let seen = network.tensor("features.1.num_batches_tracked").unwrap();
    let batches = i64::try_from(2 * STEPS_PER_EPOCH).unwrap();
    assert_eq!(seen.data(), batches.to_le_bytes());
    assert!(
        text.contains("epoch = 2") && text.contains("batch = 0"),
        "{text}"
    );
    assert_eq!(IMAGES.div_ceil(12), STEPS_PER_EPOCH);
}

#[test]
fn threads_do_not_change_the_course() {
    let place = Place::on_cpu();
    for threads in [1, 5] {
        train(
            &place,
            &format!(
                "--run {threads} --epochs 2 --threads {threads} --augment jitter=0.4,0.4,0.4,0.1"
            ),
        )
        .ok();
    }
    assert_eq!(
        course(&run_of(&place, "runs/1")),
        course(&run_of(&place, "runs/5"))
    );
}

/// Dropout off: backends draw other random numbers.
#[test]
fn flex_takes_the_same_course() {
    let place = Place::new();
    for (run, device) in [("device", test_device().as_str()), ("flex", "flex")] {
        train(
            &place,
            &format!("--run {run} --steps 4 --dropout 0 --device {device}"),
        )
        .ok();
    }
    let losses = |run: &str| scalars(&run_of(&place, &format!("runs/{run}")), "train/loss");
    let (device, flex) = (losses("device"), losses("flex"));
    assert_eq!(device.len(), 4);
    for (step, loss) in device {
        assert!(
            (loss - flex[&step]).abs() < 1e-4,
            "{loss} and {} at {step}",
            flex[&step]
        );
    }
}
