//! `--config`: the same settings in TOML.

use crate::program::support::{Place, events, photo, picture, root, steps, tags, weights};

const NOTHING: [&str; 0] = [];

fn settings(more: &str) -> String {
    format!(
        "images = ['{}']\nweights = '{}'\nrun = \"a\"\n{more}",
        photo("chelsea.png").display(),
        weights().display()
    )
}

#[test]
fn a_file_says_what_flags_say_and_typed_flags_win() {
    let place = Place::new();
    place.write(
        "c.toml",
        settings("layers = [\"conv1_1\", \"pool*\"]\nmaps = 1\nno-kernels = true\n"),
    );
    place
        .run(
            "images --config c.toml --layers pool4 --no-kernels=false",
            &NOTHING,
        )
        .ok();
    let seen = events(&place.path("runs/a"));
    assert_eq!(
        tags(&seen),
        [
            "config",
            "feature_maps/23_pool4",
            "image",
            "input",
            "kernels/00_conv1_1",
            "pca/23_pool4",
        ]
    );
    // One map of 14 x 14 has no padding around it, as in make_grid.
    assert_eq!(picture(&seen, "feature_maps/23_pool4", 0).0, 14);
}

#[test]
fn typed_images_replace_the_files() {
    let place = Place::new();
    place.write("c.toml", settings("layers = \"pool5\"\n"));
    place
        .run(
            "images --config c.toml",
            &[photo("coffee.png"), photo("astronaut.png")],
        )
        .ok();
    assert_eq!(steps(&events(&place.path("runs/a")), "input"), [0, 1]);
}

#[test]
fn ranges_are_read_in_toml_forms() {
    let place = Place::on_cpu();
    for (run, range) in [
        ("a", "{ fixed = [0, 6] }"),
        ("b", "[0, 6]"),
        ("c", "\"fixed=0,6\""),
        ("d", "\"layer\""),
    ] {
        place.write(
            "c.toml",
            settings(&format!("layers = \"relu1_1\"\nrange = {range}\n")),
        );
        place
            .run(&format!("images --config c.toml --run {run}"), &NOTHING)
            .ok();
    }
    let draw = |run: &str| picture(&events(&place.path(run)), "feature_maps/01_relu1_1", 0).3;
    assert_eq!(draw("runs/a"), draw("runs/b"));
    assert_eq!(draw("runs/a"), draw("runs/c"));
    assert_ne!(draw("runs/a"), draw("runs/d"));
}

#[test]
fn an_unknown_key_is_an_error_with_the_nearest() {
    let place = Place::new();
    place.write("c.toml", settings("layer = \"pool5\"\n"));
    place.run("images --config c.toml", &NOTHING).fails(
        2,
        &["c.toml", "unknown key \"layer\"", "did you mean \"layers\""],
    );
}

#[test]
fn a_wrong_value_names_the_file() {
    let place = Place::new();
    place.write("c.toml", settings("crop = \"wide\"\n"));
    place
        .run("images --config c.toml", &NOTHING)
        .fails(2, &["c.toml", "--crop", "wide"]);
    place.write("c.toml", settings("crop = 1979-05-27\n"));
    place
        .run("images --config c.toml", &NOTHING)
        .fails(2, &["c.toml", "crop"]);
    place.write("c.toml", "crop = [");
    place
        .run("images --config c.toml", &NOTHING)
        .fails(2, &["c.toml", "line 1"]);
    place
        .run("images --config none.toml", &NOTHING)
        .fails(2, &["none.toml"]);
    place.write("c.toml", "command = \"checkpoints\"\n");
    place
        .run("images --config c.toml", &NOTHING)
        .fails(2, &["c.toml", "vggscope checkpoints"]);
}

/// Files without an end, or of any size and depth, are refused before they take memory.
#[test]
fn a_file_that_is_no_configuration_is_refused_at_once() {
    let place = Place::new();
    place.write("big.toml", "");
    let file = std::fs::File::options()
        .write(true)
        .open(place.path("big.toml"));
    file.unwrap().set_len(10 << 30).unwrap();
    for name in ["/dev/zero", "big.toml"] {
        place
            .run(&format!("images --config {name}"), &NOTHING)
            .fails(2, &[name, "larger than the limit of 1048576 bytes"]);
    }
    let deep = 100_000;
    for (text, part) in [
        (format!("a = {}", "[".repeat(deep)), "line 1"),
        (format!("a = {}", "{a=".repeat(deep)), "line 1"),
        (format!("{}a = 1", "a.".repeat(deep)), "line 1"),
        (format!("[{}a]", "a.".repeat(deep)), "line 1"),
        (format!("{} = 1", "a".repeat(deep)), "unknown key"),
        (format!("arch = \"{}\"", "a".repeat(deep)), "invalid value"),
    ] {
        place.write("c.toml", text);
        let ran = place.run("images --config c.toml", &NOTHING);
        let ran = ran.fails(2, &["c.toml", part]);
        assert!(ran.err().len() < 3000, "{}", ran.err().len());
    }
}

#[test]
fn the_resolved_configuration_runs_again_to_the_same_pictures() {
    let place = Place::on_cpu();
    let first = [
        format!("--weights={}", weights().display()).into(),
        photo("coffee.png").into_os_string(),
    ];
    place
        .run(
            "images --run a --layers conv2_*,!conv2_2 --range layer --colormap magma",
            &first,
        )
        .ok();
    let config = place.path("runs/a/config.toml");
    place.run("images --run b --config", &[config]).ok();
    let draw = |run: &str| picture(&events(&place.path(run)), "feature_maps/05_conv2_1", 0);
    assert_eq!(draw("runs/a"), draw("runs/b"));
    assert_eq!(draw("runs/a").2, 3, "magma is in color");
}

#[test]
fn the_shipped_files_name_only_keys_that_are_there() {
    for (command, file, missing) in [
        ("images", "photos", "photos"),
        ("checkpoints", "checkpoints", "photos/chelsea.png"),
        ("layers", "layers", "vgg16.pth"),
    ] {
        let text = std::fs::read_to_string(root().join(format!("configs/{file}.toml"))).unwrap();
        // What is commented out is an example and must be right too.
        let given: Vec<&str> = text
            .lines()
            .filter_map(|line| line.split_once(" = "))
            .map(|(key, _)| key)
            .collect();
        let setting = |line: &str| {
            line.split_once(" = ").is_some_and(|(key, _)| {
                key.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !given.contains(&key)
            })
        };
        let everything = text
            .lines()
            .map(|line| {
                line.strip_prefix("# ")
                    .filter(|rest| setting(rest))
                    .unwrap_or(line)
            })
            .fold(String::new(), |all, line| all + line + "\n");
        let place = Place::new();
        place.write("c.toml", everything);
        let ran = place.run(&format!("{command} --config c.toml"), &NOTHING);
        // Every setting is accepted; the run fails at the first file that is not there.
        assert!(
            ran.err().contains(&format!("error: {missing}")),
            "{file}: {}",
            ran.err()
        );
        assert!(!ran.err().contains("c.toml"), "{file}: {}", ran.err());
    }
}
