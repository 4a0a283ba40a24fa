//! `vggscope images`.

use tensorboard_events::Value;

use crate::program::support::{
    CPU, Place, Seen, decode, events, levels_apart, photo, picture, root, steps, tags, test_device,
    weights,
};

fn narrow() -> String {
    format!("--weights={}", weights().display())
}

#[test]
fn every_image_is_a_step_with_maps_kernels_and_input() {
    let place = Place::new();
    let ran = place
        .run(
            "images --run a --layers conv1_1,conv3_3,pool5 --device auto",
            &[narrow().as_ref(), root().join("photos").as_os_str()],
        )
        .ok();
    let seen = events(&place.path("runs/a"));
    assert_eq!(
        tags(&seen),
        [
            "config",
            "feature_maps/00_conv1_1",
            "feature_maps/14_conv3_3",
            "feature_maps/30_pool5",
            "image",
            "input",
            "kernels/00_conv1_1",
            "pca/00_conv1_1",
            "pca/14_conv3_3",
            "pca/30_pool5",
        ]
    );
    for tag in tags(&seen).iter().filter(|tag| *tag != "config") {
        assert_eq!(steps(&seen, tag), [0, 1, 2], "{tag}");
    }
    // Scalars at every step, so that TensorBoard can link its image cards to them.
    for layer in ["00_conv1_1", "14_conv3_3", "30_pool5"] {
        let tag = format!("range/{layer}/max");
        assert_eq!(steps(&seen, &tag), [0, 1, 2], "{tag}");
    }
    let out = ran.out();
    assert!(out.contains("3 steps, 13 tags"), "{out}");
    assert!(
        out.contains(
            "tensorboard --logdir runs --samples_per_plugin images=1000000,text=1000000,scalars=1000000"
        ),
        "{out}"
    );
}

/// Which file is step 2?
#[test]
fn every_step_names_its_image() {
    let place = Place::new();
    let args = [narrow().into(), root().join("photos").into_os_string()];
    place.run("images --run a --layers conv1_1", &args).ok();
    let seen = events(&place.path("runs/a"));
    for (step, name) in [(0, "astronaut.png"), (1, "chelsea.png"), (2, "coffee.png")] {
        let text = seen
            .iter()
            .find(|one| one.tag == "image" && one.step == step);
        let Value::Text(text) = &text.unwrap().value else {
            panic!("no text");
        };
        assert!(text.contains(name), "step {step}: {text}");
    }
    let inputs: Vec<&Seen> = seen.iter().filter(|one| one.tag == "input").collect();
    assert!(
        inputs
            .iter()
            .all(|one| !one.description.contains("astronaut"))
    );
}

/// A map of one pixel has no range of its own.
#[test]
fn maps_of_one_pixel_share_the_range_of_their_layer() {
    let place = Place::new();
    let args = [narrow().into(), photo("chelsea.png").into_os_string()];
    let flags = "images --layers conv5_3,pool5 --resize 32 --crop 32 --run";
    let ran = place.run(&format!("{flags} a"), &args).ok();
    let note = "since each is one pixel: feature_maps/30_pool5 (";
    assert!(ran.out().contains(note), "{}", ran.out());
    place.run(&format!("{flags} b --range layer"), &args).ok();
    let draw = |run: &str, tag: &str| picture(&events(&place.path(run)), tag, 0).3;
    let [map, layer] = ["runs/a", "runs/b"].map(|run| draw(run, "feature_maps/30_pool5"));
    assert_eq!(map, layer);
    assert_eq!(map.iter().max(), Some(&255), "not all black");
    let [map, layer] = ["runs/a", "runs/b"].map(|run| draw(run, "feature_maps/28_conv5_3"));
    assert_ne!(map, layer, "2 x 2 pixels have a range");
}

#[test]
fn an_image_that_is_too_small_can_be_skipped() {
    let place = Place::new();
    let image = photo("chelsea.png");
    for name in ["1", "3"] {
        place.put(&image, &format!("in/{name}.png"));
    }
    place.write(
        "in/2.png",
        include_bytes!("../../fixtures/input/decode/grey8.png"),
    );
    let line = "images in --resize off --crop off --layers pool5 --run a";
    place.run(line, &[narrow()]).fails(1, &["2.png", "pool"]);
    std::fs::remove_dir_all(place.path("runs")).unwrap();
    let ran = place.run(&format!("{line} --on-error skip"), &[narrow()]);
    assert_eq!(ran.code(), 1, "{}", ran.err());
    assert!(ran.err().contains("skipped: ") && ran.err().contains("2.png"));
    let seen = events(&place.path("runs/a"));
    assert_eq!(steps(&seen, "feature_maps/30_pool5"), [0, 2]);
}

#[test]
fn pictures_have_the_sizes_that_make_grid_gives() {
    let place = Place::new();
    place
        .run(
            "images --run a --layers conv1_1,conv5_1 --crop 64 --resize 64",
            &[narrow().as_ref(), photo("chelsea.png").as_os_str()],
        )
        .ok();
    let seen = events(&place.path("runs/a"));
    // 3 maps of 64 x 64: two columns, two rows, 1 px around each; gray.
    let (width, height, channels, pixels) = picture(&seen, "feature_maps/00_conv1_1", 0);
    assert_eq!((width, height, channels), (2 * 65 + 1, 2 * 65 + 1, 1));
    // Each map reaches from black to white, and the fourth cell is empty.
    let brightest = |left: usize, top: usize| {
        let rows = pixels.chunks(131).skip(top).take(64);
        rows.flat_map(|row| &row[left..left + 64]).max().copied()
    };
    let cells = [(1, 1), (66, 1), (1, 66), (66, 66)].map(|(left, top)| brightest(left, top));
    assert_eq!(cells, [Some(255), Some(255), Some(255), Some(0)]);
    // 6 maps of 4 x 4: three columns, two rows.
    let (width, height, ..) = picture(&seen, "feature_maps/24_conv5_1", 0);
    assert_eq!((width, height), (3 * 5 + 1, 2 * 5 + 1));
    // 3 kernels of 3 x 3, enlarged eight times, in color.
    let (width, height, channels, _) = picture(&seen, "kernels/00_conv1_1", 0);
    assert_eq!((width, height, channels), (2 * 25 + 1, 2 * 25 + 1, 3));
    let (width, height, channels, _) = picture(&seen, "input", 0);
    assert_eq!((width, height, channels), (64, 64, 3));
}

#[test]
fn both_backends_draw_the_same_picture() {
    if !cfg!(feature = "libtorch") {
        return;
    }
    let draw = |device: &str| {
        let place = Place::new();
        place
            .run(
                &format!("images --run a --device {device}"),
                &[narrow().as_ref(), photo("coffee.png").as_os_str()],
            )
            .ok();
        let seen = events(&place.path("runs/a"));
        tags(&seen)
            .into_iter()
            .filter(|tag| !["config", "image"].contains(&tag.as_str()))
            .map(|tag| (tag.clone(), picture(&seen, &tag, 0).3))
            .collect::<Vec<_>>()
    };
    let (flex, libtorch) = (draw("flex"), draw("libtorch:cpu"));
    // 31 layers, each with its components, the input and the kernels.
    assert_eq!((flex.len(), libtorch.len()), (64, 64));
    for ((tag, flex), (other, libtorch)) in flex.iter().zip(&libtorch) {
        assert_eq!(tag, other);
        let apart = levels_apart(flex, libtorch);
        assert!(apart <= 1, "{tag}: {apart} levels apart");
    }
}

#[test]
fn a_batch_changes_nothing() {
    let draw = |batch: u32| {
        let place = Place::new();
        place
            .run(
                &format!("images --run a --batch {batch} --layers conv2_1,pool3"),
                &[narrow().as_ref(), root().join("photos").as_os_str()],
            )
            .ok();
        let seen = events(&place.path("runs/a"));
        [0, 1, 2].map(|step| picture(&seen, "feature_maps/05_conv2_1", step).3)
    };
    let (single, batched) = (draw(1), draw(3));
    assert_ne!(single[0], single[1]);
    for step in 0..3 {
        let apart = levels_apart(&single[step], &batched[step]);
        assert!(apart <= 1, "step {step}: {apart} levels apart");
    }
}

#[test]
fn descriptions_say_what_a_picture_shows() {
    let place = Place::new();
    place
        .run(
            "images --run a --layers conv1_2 --maps 2",
            &[narrow().as_ref(), photo("chelsea.png").as_os_str()],
        )
        .ok();
    let seen = events(&place.path("runs/a"));
    let maps = seen
        .iter()
        .find(|one| one.tag.starts_with("feature_maps"))
        .unwrap();
    for part in [
        "conv1_2",
        "features.2",
        "vgg16",
        "2 of 3 feature maps: 0 to 1",
        "each feature map from its own minimum to its own maximum",
        "resize 256, crop 224",
        "vgg16.weights.safetensors",
        // sha256sum tests/fixtures/vgg/vgg16.weights.safetensors
        include_str!("../../fixtures/vgg/vgg16.weights.sha256").trim(),
    ] {
        assert!(
            maps.description.contains(part),
            "{part}: {}",
            maps.description
        );
    }
}

#[test]
fn png_files_are_the_pictures_of_the_event_file() {
    let place = Place::new();
    place
        .run(
            "images --run a --layers conv4_1 --png pictures",
            &[narrow().as_ref(), photo("chelsea.png").as_os_str()],
        )
        .ok();
    let seen = events(&place.path("runs/a"));
    let folder = place.path("pictures/000000_chelsea");
    let grid = std::fs::read(folder.join("17_conv4_1.png")).unwrap();
    assert_eq!(decode(&grid), picture(&seen, "feature_maps/17_conv4_1", 0));
    let maps = std::fs::read_dir(folder.join("17_conv4_1"))
        .unwrap()
        .count();
    assert_eq!(maps, 6);
    let (width, height, ..) = decode(&std::fs::read(folder.join("17_conv4_1/000.png")).unwrap());
    assert_eq!((width, height), (28, 28));
    assert!(folder.join("kernels_00_conv1_1.png").exists());
}

#[test]
fn kernels_and_components_can_be_left_out() {
    let place = Place::new();
    place
        .run(
            "images --run a --layers pool5 --no-kernels --no-pca",
            &[narrow().as_ref(), photo("chelsea.png").as_os_str()],
        )
        .ok();
    let seen = events(&place.path("runs/a"));
    assert_eq!(
        tags(&seen),
        ["config", "feature_maps/30_pool5", "image", "input"]
    );
}

#[test]
fn without_weights_the_network_is_random_and_says_so() {
    let place = Place::on_cpu();
    let args = [photo("chelsea.png")];
    let first = place
        .run("images --run a --layers conv1_1 --seed 7", &args)
        .ok();
    assert!(
        first.err().contains("random weights, seed 7"),
        "{}",
        first.err()
    );
    place
        .run("images --run b --layers conv1_1 --seed 7", &args)
        .ok();
    place
        .run("images --run c --layers conv1_1 --seed 8", &args)
        .ok();
    let draw = |run: &str| picture(&events(&place.path(run)), "feature_maps/00_conv1_1", 0).3;
    assert_eq!(draw("runs/a"), draw("runs/b"));
    assert_ne!(draw("runs/a"), draw("runs/c"));
}

#[test]
fn caffe_weights_show_the_same_kernels_in_the_same_colors() {
    let place = Place::new();
    let draw = |run: &str, preset: &str| {
        place
            .run(
                &format!("images --run {run} --preset {preset} --layers conv1_1"),
                &[narrow().as_ref(), photo("chelsea.png").as_os_str()],
            )
            .ok();
        picture(
            &events(&place.path(&format!("runs/{run}"))),
            "kernels/00_conv1_1",
            0,
        )
        .3
    };
    let (rgb, bgr) = (draw("a", "imagenet"), draw("b", "caffe"));
    let reversed: Vec<u8> = rgb
        .as_chunks::<3>()
        .0
        .iter()
        .flat_map(|[r, g, b]| [*b, *g, *r])
        .collect();
    assert_eq!(reversed, bgr);
    assert_ne!(rgb, bgr, "gray kernels would prove nothing");
}

#[test]
fn a_run_folder_is_not_used_twice() {
    let place = Place::new();
    let args = [narrow().into(), photo("chelsea.png").into_os_string()];
    place.run("images --run a --layers pool5", &args).ok();
    place
        .run("images --run a --layers pool5", &args)
        .fails(1, &["runs/a", "already holds a run", "--run"]);
    place.run("images --layers pool5", &args).ok();
}

#[test]
fn quiet_means_quiet_and_timings_are_scalars() {
    let place = Place::new();
    let args = [narrow().into(), photo("chelsea.png").into_os_string()];
    let ran = place
        .run("images --run a --layers pool5 --quiet --timings", &args)
        .ok();
    assert_eq!((ran.out(), ran.err()), (String::new(), String::new()));
    let seen = events(&place.path("runs/a"));
    assert_eq!(steps(&seen, "timings/forward_ms"), [0]);
    let loud = place
        .run("images --run b --layers pool5 --timings", &args)
        .ok();
    assert!(loud.out().contains("forward "), "{}", loud.out());
}

/// A network trained on -1..1: it is fed that, and the input is shown as it was.
#[test]
fn mean_and_std_are_undone_in_the_input() {
    let place = Place::new();
    let args = [narrow().into(), photo("chelsea.png").into_os_string()];
    let line = "images --layers conv1_1 --resize 64 --crop 64";
    place.run(&format!("{line} --run a"), &args).ok();
    let flags = "--run b --normalize mean=0.5,std=0.5,0.5,0.25,scale=1";
    place.run(&format!("{line} {flags}"), &args).ok();
    let [a, b] = ["runs/a", "runs/b"].map(|run| events(&place.path(run)));
    assert_eq!(picture(&a, "input", 0), picture(&b, "input", 0));
    assert_ne!(
        picture(&a, "feature_maps/00_conv1_1", 0),
        picture(&b, "feature_maps/00_conv1_1", 0)
    );
    let maps = b.iter().find(|one| one.tag == "feature_maps/00_conv1_1");
    let description = &maps.unwrap().description;
    let numbers = "RGB / 255, mean [0.5, 0.5, 0.5], std [0.5, 0.5, 0.25]";
    assert!(description.contains(numbers), "{description}");
    let config = std::fs::read_to_string(place.path("runs/b/config.toml")).unwrap();
    let normalize = "normalize = \"mean=0.5,0.5,0.5,std=0.5,0.5,0.25,scale=1\"";
    assert!(config.contains(normalize), "{config}");
}

#[test]
fn an_address_makes_no_folder() {
    let place = Place::new();
    let args = [narrow().into(), photo("chelsea.png").into_os_string()];
    place
        .run("images --logdir s3://bucket/logs", &args)
        .fails(2, &["s3://bucket/logs", "copy what is written"]);
    assert!(!place.path("s3:").exists() && !place.path("runs").exists());
}

/// With TF32, which cuDNN would compute with, maps are off by 1e-4 of their size and more.
#[test]
fn every_device_computes_in_single_precision() {
    let place = Place::new();
    let line = format!(
        "images --weights {} --resize 64 --crop 64 --scalars all --run",
        weights().display()
    );
    for (run, device) in [("here", test_device()), ("cpu", CPU.to_owned())] {
        place
            .run(
                &format!("{line} {run} --device {device}"),
                &[photo("chelsea.png")],
            )
            .ok();
    }
    let of_run = |run: &str| events(&place.path("runs").join(run));
    let (here, cpu) = (of_run("here"), of_run("cpu"));
    let mut compared = 0;
    let is_compared = |one: &&Seen| {
        one.tag.starts_with("range/")
            && ["max", "mean", "std"]
                .iter()
                .any(|end| one.tag.ends_with(end))
    };
    for one in cpu.iter().filter(is_compared) {
        let other = here.iter().find(|other| other.tag == one.tag).unwrap();
        if let (Value::Scalar(a), Value::Scalar(b)) = (&one.value, &other.value) {
            assert!(
                (a - b).abs() <= 2e-5 * a.abs().max(1.0),
                "{}: {a} {b}",
                one.tag
            );
            compared += 1;
        }
    }
    assert!(compared > 90, "{compared}");
}
