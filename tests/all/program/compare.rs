//! `vggscope compare`: runs with each other, from the Gram matrices that Python wrote
//! (`tests/fixtures/similarity/make_runs.py`).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;

use safetensors::SafeTensors;
use tensorboard_events::Value;

use crate::program::support::{FIGURE, Place, Seen, events, picture, root, steps, tags};

const NOTHING: [&str; 0] = [];

fn fixture(name: &str) -> std::path::PathBuf {
    root().join("tests/fixtures/similarity").join(name)
}

/// A place with the runs `runs/a` and `runs/b`.
fn place() -> Place {
    let place = Place::new();
    for run in ["a", "b"] {
        copy(&place, run, &format!("runs/{run}"));
    }
    place
}

/// Copies the Gram matrices of a run.
fn copy(place: &Place, run: &str, to: &str) {
    for file in fs::read_dir(fixture(run).join("grams")).unwrap() {
        let file = file.unwrap();
        let name = file.file_name().into_string().unwrap();
        place.put(&file.path(), &format!("{to}/grams/{name}"));
    }
}

/// A step of run a, with something changed.
struct Changed {
    step: i64,
    texts: HashMap<String, String>,
    /// What layers are called.
    tag: fn(&str) -> String,
}

impl Changed {
    fn set(&mut self, key: &str, text: &str) {
        self.texts.insert(key.to_owned(), text.to_owned());
    }
}

/// Writes run a once more, with something changed.
fn rewrite(place: &Place, run: &str, change: impl Fn(&mut Changed)) {
    let _ = fs::remove_dir_all(place.path(&format!("runs/{run}")));
    for step in [0, 10, 20, 30] {
        let file = fixture("a").join(format!("grams/{step:06}.safetensors"));
        let bytes = fs::read(file).unwrap();
        let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
        let mut changed = Changed {
            step,
            texts: metadata.metadata().clone().unwrap(),
            tag: str::to_owned,
        };
        change(&mut changed);
        let read = SafeTensors::deserialize(&bytes).unwrap();
        let layers = read.tensors().into_iter();
        let layers = layers.map(|(tag, values)| ((changed.tag)(&tag), values));
        let bytes = safetensors::serialize(layers, Some(changed.texts)).unwrap();
        let step = changed.step;
        place.write(&format!("runs/{run}/grams/{step:06}.safetensors"), bytes);
    }
}

fn scalar(seen: &[Seen], tag: &str, step: i64) -> f64 {
    let one = seen.iter().find(|one| one.tag == tag && one.step == step);
    match one.unwrap_or_else(|| panic!("no {tag} at {step}")).value {
        Value::Scalar(value) => f64::from(value),
        _ => panic!("{tag} is no scalar"),
    }
}

fn text(seen: &[Seen], tag: &str) -> String {
    match &seen.iter().find(|one| one.tag == tag).unwrap().value {
        Value::Text(text) => text.clone(),
        _ => panic!("{tag} is no text"),
    }
}

// Verified: NumPy | curves of `compare` from Gram matrices | 1e-5
#[test]
fn curves_are_those_of_numpy() {
    let place = place();
    place.run("compare runs/a runs/b --run ab", &NOTHING).ok();
    let seen = events(&place.path("runs/ab"));
    let expected = std::fs::read(fixture("runs.json")).unwrap();
    let expected: BTreeMap<String, BTreeMap<String, f64>> =
        serde_json::from_slice(&expected).unwrap();
    assert_eq!(expected.len(), 4);
    for (at, measures) in expected {
        let (name, step) = at.split_once('@').unwrap();
        let layer = match name {
            "conv1_1" => "00_conv1_1",
            _ => "05_conv2_1",
        };
        let step = step.parse().unwrap();
        for (measure, expected) in measures {
            let of = |group, end| scalar(&seen, &format!("{group}/{layer}/{measure}{end}"), step);
            let found = of("compare", "");
            let [low, high] = ["_low", "_high"].map(|end| of("intervals", end));
            assert!(
                (found - expected).abs() < 1e-5,
                "{at} {measure}: {found}, expected {expected}"
            );
            assert!(low <= found && found <= high, "{low} {found} {high}");
        }
    }
    // b's step 20 never came, and 10 and 40 are of one run only.
    assert_eq!(steps(&seen, "compare/00_conv1_1/cka"), [0, 30]);
    // A dead layer has no curve, and a layer of one run none either.
    let curves: Vec<String> = tags(&seen)
        .into_iter()
        .filter(|tag| tag.ends_with("/cka"))
        .collect();
    assert_eq!(curves, ["compare/00_conv1_1/cka", "compare/05_conv2_1/cka"]);
}

#[test]
fn heat_maps_are_over_all_steps_and_layers_of_both() {
    let place = place();
    place.run("compare runs/a runs/b --run ab", &NOTHING).ok();
    let seen = events(&place.path("runs/ab"));
    let maps: BTreeSet<&str> = seen
        .iter()
        .map(|one| one.tag.as_str())
        .filter(|tag| tag.starts_with("similarity/") && !tag.ends_with(FIGURE))
        .collect();
    assert_eq!(
        maps.iter().copied().collect::<Vec<_>>(),
        [
            "similarity/layers",
            "similarity/steps/00_conv1_1",
            "similarity/steps/05_conv2_1",
            "similarity/steps/10_conv3_1"
        ]
    );
    for tag in maps {
        let (width, height, channels, _) = picture(&seen, tag, 30);
        assert!(width > 100 && height > 100 && channels == 3, "{tag}");
    }
    let described = |tag: &str, part: &str| {
        let one = seen.iter().find(|one| one.tag == tag).unwrap();
        assert!(one.description.contains(part), "{}", one.description);
    };
    described(
        "similarity/steps/05_conv2_1",
        "the steps of a (rows) with those of b (columns)",
    );
    described("similarity/layers", "at step 30");
    described(
        "similarity/layers",
        "over 23 images, flattened\n* input: resize 256, crop 224",
    );
}

#[test]
fn the_summary_names_the_layers() {
    let place = place();
    let out = place
        .run("compare runs/a runs/b --run ab", &NOTHING)
        .ok()
        .out();
    let line = out
        .lines()
        .find(|line| line.starts_with("a and b at step 30, CKA: "));
    let line = line.unwrap_or_else(|| panic!("{out}"));
    let at = |part: &str| {
        line.find(part)
            .unwrap_or_else(|| panic!("no {part} in {line}"))
    };
    assert!(at("most alike conv1_1 0.53") < at("least alike conv2_1 0.21"));
    assert!(line.ends_with("; dead or not finite conv3_1"), "{line}");
    let seen = events(&place.path("runs/ab"));
    assert_eq!(text(&seen, "Overview/summary"), format!("* {line}\n"));
    assert!(text(&seen, "config").contains("command = \"compare\""));
}

#[test]
fn several_runs_are_compared_with_the_first() {
    let place = place();
    rewrite(&place, "c", |run| run.set("arch", "vgg19"));
    let out = place
        .run("compare runs/a runs/b runs/c --run abc", &NOTHING)
        .ok()
        .out();
    let seen = events(&place.path("runs/abc"));
    assert_eq!(steps(&seen, "compare/00_conv1_1/b/cka"), [0, 30]);
    assert_eq!(steps(&seen, "compare/00_conv1_1/c/cka"), [0, 10, 20, 30]);
    // The same values, so the same representations.
    assert!((scalar(&seen, "compare/12_conv3_2/c/cka", 10) - 1.0).abs() < 1e-6);
    for tag in [
        "similarity/layers/b",
        "similarity/layers/c",
        "similarity/steps/00_conv1_1/b",
        "similarity/steps/12_conv3_2/c",
    ] {
        picture(&seen, tag, 30);
    }
    for pair in ["a and b at step 30", "a and c at step 30"] {
        assert!(out.contains(pair), "{out}");
    }
}

#[test]
fn runs_without_a_common_step_have_pictures_only() {
    let place = place();
    rewrite(&place, "late", |run| run.step += 101);
    let line = "compare runs/a runs/late --run far";
    let out = place.run(line, &NOTHING).ok().out();
    let part = "a and late (steps 30 and 131, none in common), CKA: most alike ";
    assert!(out.contains(part), "{out}");
    let seen = events(&place.path("runs/far"));
    picture(&seen, "similarity/layers", 131);
    assert!(tags(&seen).iter().all(|tag| !tag.starts_with("compare/")));
}

#[test]
fn the_configuration_compares_again_from_anywhere() {
    let place = place();
    place.run("compare runs/a runs/b --run ab", &NOTHING).ok();
    let config = place.path("runs/ab/config.toml");
    std::fs::create_dir(place.path("elsewhere")).unwrap();
    let set = |command: &mut assert_cmd::Command| {
        command.current_dir(place.path("elsewhere"));
    };
    let flag = format!("--config={}", config.display());
    place.run_with("compare --run again", &[flag], set).ok();
    let values = |run: &str| {
        let seen = events(&place.path(run));
        let at = |tag| scalar(&seen, tag, 30).to_bits();
        [
            at("intervals/00_conv1_1/cka_low"),
            at("compare/05_conv2_1/neighbors"),
        ]
    };
    assert_eq!(values("runs/ab"), values("runs/again"));
}

/// Refuses a command and leaves nothing.
#[track_caller]
fn refused(place: &Place, line: &str, code: i32, parts: &[&str]) {
    place.run(line, &["--run=out"]).fails(code, parts);
    assert!(!place.path("runs/out").exists());
}

#[test]
fn runs_over_other_images_are_refused() {
    let place = place();
    let line = "compare runs/a runs/b runs/c";
    let refused_with = |change: fn(&mut Changed), parts: &[&str]| {
        rewrite(&place, "c", change);
        let parts = [&["runs/a and runs/c cannot be compared"], parts].concat();
        refused(&place, line, 2, &parts);
    };
    refused_with(
        |run| run.set("images", &"cd".repeat(32)),
        &[
            "comparison images differ: 23 of SHA-256 abababababab… and 23 of SHA-256 cdcdcdcdcdcd…",
            "--compare-images",
        ],
    );
    refused_with(
        |run| run.set("preprocess", "resize 128, crop 112"),
        &["preprocessing differ: resize 256, crop 224 and resize 128, crop 112"],
    );
    refused_with(
        |run| run.set("features", "mean-pooled"),
        &["features differ: flattened and mean-pooled", "--compare"],
    );
    refused_with(
        |run| run.set("minibatches", "11,12"),
        &["minibatches differ: [12, 11] and [11, 12]"],
    );
    rewrite(&place, "c", |run| run.tag = |tag| format!("{tag}_other"));
    let parts = ["no layer in common", "05_conv2_1_other", "--layers"];
    refused(&place, line, 2, &parts);
}

#[test]
fn what_is_no_other_run_is_refused() {
    let place = place();
    refused(&place, "compare runs/a", 2, &["two or more folders"]);
    refused(&place, "compare", 2, &["two or more folders"]);
    refused(&place, "compare runs/a runs/./a", 2, &["is named twice"]);
    let parts = ["runs/none: there is no such file or folder"];
    refused(&place, "compare runs/a runs/none", 1, &parts);
    fs::create_dir_all(place.path("runs/begun/grams")).unwrap();
    let parts = ["runs/begun has no grams", "--compare-images"];
    refused(&place, "compare runs/a runs/begun", 1, &parts);
    place.write("runs/old/grams.safetensors", "all steps");
    let parts = [
        "runs/old/grams.safetensors is of an earlier",
        "repeat its run",
    ];
    refused(&place, "compare runs/a runs/old", 1, &parts);

    let step = |run: &str| place.path(&format!("runs/{run}/grams/000030.safetensors"));
    let bytes = fs::read(step("a")).unwrap();
    rewrite(&place, "c", |_| ());
    fs::write(step("c"), &bytes[..3000]).unwrap();
    let parts = ["runs/c/grams/000030.safetensors: is truncated", "has 3000"];
    refused(&place, "compare runs/a runs/c", 1, &parts);

    let outside = place.run("compare runs/a runs/b --run ../x", &NOTHING);
    outside.fails(2, &["--run"]);
    place.run("compare runs/a runs/b --run ab", &NOTHING).ok();
    let again = place.run("compare runs/a runs/b --run ab", &NOTHING);
    again.fails(1, &["already holds a run", "--run"]);
}

/// Runs of one name have their paths in tags.
#[test]
fn runs_of_one_name_are_told_apart() {
    let place = place();
    copy(&place, "b", "one/x");
    copy(&place, "b", "two/x");
    let line = "compare runs/a one/x two/x --run out";
    let out = place.run(line, &NOTHING).ok().out();
    assert!(out.contains("runs/a and two/x at step 30"), "{out}");
    let seen = events(&place.path("runs/out"));
    assert_eq!(steps(&seen, "compare/00_conv1_1/two/x/cka"), [0, 30]);
}
