//! `vggscope inspect`, on event files by PyTorch and TensorFlow. How those were made, and what TensorBoard counts in them:
//! `tests/fixtures/read_back/`.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use tensorboard_events::{EventFile, Summary};

use crate::program::support::{Place, root};

pub(super) fn fixtures() -> PathBuf {
    root().join("tests/fixtures/read_back")
}

fn inspect(place: &Place, paths: &[PathBuf], code: i32) -> Vec<Value> {
    let ran = place.run("inspect --json", paths);
    assert_eq!(ran.code(), code, "{}", ran.err());
    serde_json::from_str(&ran.out()).unwrap()
}

#[test]
fn counts_are_those_of_tensorboard() {
    let counts = fs::read(fixtures().join("counts.json")).unwrap();
    let counts: Value = serde_json::from_slice(&counts).unwrap();
    let mut checked = 0;
    for (writer, loaders) in counts.as_object().unwrap() {
        let runs = inspect(
            &Place::new(),
            &[fixtures().join(writer)],
            i32::from(writer == "by_pytorch"),
        );
        for run in runs {
            let name = PathBuf::from(run["path"].as_str().unwrap());
            let name = name.file_name().unwrap().to_str().unwrap().to_owned();
            let tags = run["tags"].as_array().unwrap();
            for loader in ["fast", "slow"] {
                let of_run = |samples: &str| loaders[loader][samples][&name].clone();
                let all = of_run("all");
                let expected = all.as_object().map_or(0, serde_json::Map::len);
                assert_eq!(tags.len(), expected, "{writer} {name}");
                for tag in tags {
                    let about = format!("{writer} {name} {loader} {tag}");
                    let counted = &all[tag["name"].as_str().unwrap()];
                    assert_eq!(counted[0], tag["plugin"], "{about}");
                    assert_eq!(counted[1], tag[loader]["steps"], "{about}");
                    let shown = of_run("default")[tag["name"].as_str().unwrap()][1].clone();
                    // Of a tag whose steps come again, which are taken out of the sample is chance.
                    if name == "resumed" {
                        assert!(
                            shown.as_u64() <= tag[loader]["by_default"].as_u64(),
                            "{about}"
                        );
                    } else {
                        assert_eq!(shown, tag[loader]["by_default"], "{about}");
                    }
                    checked += 1;
                }
            }
        }
    }
    assert!(checked > 40, "{checked}");
}

#[test]
fn damage_is_said_and_makes_the_exit_code() {
    let place = Place::new();
    let of = |run: &str| vec![fixtures().join("by_pytorch").join(run)];
    let ran = place.run("inspect", &of("plain")).ok();
    let out = ran.out();
    for part in [
        "plain: 9 tags, 1493 values",
        "shows 1000 of them by default",
        "shows 10 of them by default",
        "whole",
        "--samples_per_plugin histograms=130,images=24,scalars=1200,text=130",
    ] {
        assert!(out.contains(part), "{part}: {out}");
    }
    let cut = place.run("inspect", &of("cut"));
    assert_eq!(cut.code(), 1);
    assert!(cut.out().contains("is truncated"), "{}", cut.out());
    let flipped = place.run("inspect", &of("flipped"));
    assert_eq!(flipped.code(), 1);
    let out = flipped.out();
    assert!(out.contains("does not match its checksum"), "{out}");
    assert!(
        out.contains("has 10 steps, with --load_fast=false 5: a file is damaged"),
        "{out}"
    );
    assert!(!out.contains("came again"), "{out}");
    let empty = inspect(&place, &of("empty"), 0);
    assert_eq!(empty[0]["tags"].as_array().unwrap().len(), 0);

    place
        .run("inspect", &[place.path("none")])
        .fails(2, &["none"]);
    place.run::<PathBuf>("inspect", &[]).fails(2, &["required"]);
    fs::create_dir(place.path("folder")).unwrap();
    place
        .run("inspect", &[place.path("folder")])
        .fails(2, &["no event file", "folder", "tfevents"]);
    #[cfg(unix)]
    {
        // A link that leads nowhere hides no run beside it.
        let there = place.path("linked");
        fs::create_dir(&there).unwrap();
        std::os::unix::fs::symlink(&there, there.join("again")).unwrap();
        std::os::unix::fs::symlink(place.path("nowhere"), there.join("latest")).unwrap();
        std::os::unix::fs::symlink(&of("empty")[0], there.join("run")).unwrap();
        assert_eq!(inspect(&place, &[there], 0).len(), 1);
    }
    let file = place.write("x.tfevents.1", "no event file at all");
    let foreign = inspect(&place, &[file], 1);
    assert!(foreign[0]["files"][0]["damage"].is_string());
}

/// As PyTorch's `add_scalar` without a step writes them: the fast loader has the last of them.
#[test]
fn many_values_at_one_step_are_told_from_a_step_that_came_again() {
    let place = Place::new();
    let run = place.path("run");
    let mut file = EventFile::create(&run).unwrap();
    let mut ends = vec![usize::try_from(file.bytes_written()).unwrap()];
    for step in [0, 1] {
        let loss = vec![Summary::scalar("loss", 0.5)];
        file.write_step(step, loss).unwrap();
        ends.push(usize::try_from(file.bytes_written()).unwrap());
    }
    let path = file.path().to_owned();
    drop(file);
    let bytes = fs::read(&path).unwrap();
    let (beginning, zero, one) = (
        &bytes[..ends[0]],
        &bytes[ends[0]..ends[1]],
        &bytes[ends[1]..],
    );
    let said = |values: &[&[u8]]| {
        fs::write(&path, [beginning, &values.concat()].concat()).unwrap();
        place.run("inspect", std::slice::from_ref(&run)).ok().out()
    };
    for (values, expected) in [
        (
            &[zero; 50][..],
            "has 1 steps, with --load_fast=false 50: several values at one step",
        ),
        (
            &[zero, one, zero],
            "has 1 steps, with --load_fast=false 3: a step came again",
        ),
        (&[zero, one], "shows all"),
    ] {
        let out = said(values);
        assert!(out.contains(expected), "{out}");
    }
}

/// A file that says it is of any length, and every prefix of a whole one, end in an answer.
#[test]
fn no_event_file_is_too_broken() {
    let place = Place::new();
    let whole = fixtures().join("by_tensorflow/legacy/events.out.tfevents.1700000000.host.1.0");
    let bytes = fs::read(whole).unwrap();
    for length in (0..bytes.len()).step_by(61) {
        place.write(&format!("runs/{length}/tfevents"), &bytes[..length]);
        let mut flipped = bytes.clone();
        flipped[length] ^= 0x55;
        place.write(&format!("runs/flipped{length}/tfevents"), flipped);
    }
    let runs = inspect(&place, &[place.path("runs")], 1);
    assert!(runs.len() > 20);
    let exported = place.run("export runs --out pictures", &[] as &[PathBuf]);
    assert_eq!(exported.code(), 1);
    assert!(!exported.err().contains("unexpected"), "{}", exported.err());
}
