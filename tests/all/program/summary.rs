//! `--json` and `--fail-if`: where a summary goes, and what of it is a failure.

use std::fs;

use serde_json::Value;

use super::comparison::{tensors, write};
use super::continued::args;
use crate::program::support::{Place, Ran, photo};

const LINE: &str = "checkpoints ckpts --resize 64 --crop 64 --layers conv1_1,relu3_1 --run";

/// Two checkpoints; in the second `conv3_1` is NaN.
fn place() -> Place {
    let place = Place::on_cpu();
    let mut now = tensors();
    write(&place, "ckpts/epoch_1.safetensors", &now);
    let last = &mut now.get_mut("features.10.weight").unwrap().1;
    last.fill(f32::NAN);
    write(&place, "ckpts/epoch_2.safetensors", &now);
    place
}

fn sweep(place: &Place, flags: &str) -> Ran {
    place.run(&format!("{LINE} {flags}"), &args("chelsea.png"))
}

#[test]
fn a_file_that_cannot_be_written_is_refused_before_work_begins() {
    let place = place();
    place.write("file", "");
    for (file, why) in [
        ("nosuch/s.json", "cannot write this file in nosuch: "),
        ("file/s.json", "cannot write this file in file: "),
        ("ckpts", "cannot write this file in .: is a directory"),
    ] {
        let flag = format!("--json {file}");
        for line in [
            "checkpoints ckpts --images x.png",
            "train data --images x.png",
            "merge runs/a",
            "compare runs/a runs/b",
        ] {
            let ran = place.run::<&str>(&format!("{line} {flag}"), &[]);
            ran.fails(2, &[&flag, why]);
        }
    }
    assert!(!place.path("runs").exists());
    let names = fs::read_dir(place.path(".")).unwrap();
    assert_eq!(names.count(), 2);
    // Others have no summary.
    place
        .run::<&str>("images x.png --json s.json", &[])
        .fails(2, &["--json"]);
}

/// It was said at the end, after all of the work.
#[test]
fn what_is_not_measured_is_no_condition() {
    let place = place();
    for (flags, why) in [
        (
            "--fail-if turned>0 --compare off",
            "leave --compare off out",
        ),
        ("--fail-if procrustes<0.9", "vggscope compare"),
        ("--fail-if update_ratio>0.1", "vggscope train"),
        ("--fail-if dead>0.1", "64 images or more, found 25: "),
    ] {
        sweep(&place, &format!("a {flags}")).fails(2, &[flags.split(" --c").next().unwrap(), why]);
    }
    let line = format!("{LINE} a --fail-if cka<0.9 --images");
    place
        .run(&line, &[photo("chelsea.png")])
        .fails(2, &["--fail-if cka<0.9", "--compare-images"]);
    let compare = place.run::<&str>("compare runs/a runs/b --fail-if dead>0.1", &[]);
    compare.fails(2, &["--fail-if dead>0.1", "procrustes"]);
    assert!(!place.path("runs/a").exists());
}

/// What is no file is written to, and stays what it is.
#[cfg(unix)]
#[test]
fn a_summary_can_be_piped() {
    let place = place();
    let ran = sweep(&place, "a --json /dev/stdout --quiet").ok();
    let json: Value = serde_json::from_str(&ran.out()).unwrap();
    assert_eq!(json["steps"]["count"], 2);
}

#[test]
fn what_is_not_finite_is_no_success() {
    let place = place();
    let flags = "--json s.json --fail-if change>9 --fail-if inactive>0.9 --fail-if cka<-9";
    let has_none =
        |name: &str, layer: &str| format!("--fail-if {name}: {layer} has none that is finite");
    sweep(&place, &format!("a {flags}")).fails(
        1,
        &[
            &has_none("change>9", "conv3_1"),
            &has_none("inactive>0.9", "relu3_1"),
            &has_none("cka<-9", "relu3_1"),
        ],
    );
    let json: Value = serde_json::from_slice(&fs::read(place.path("s.json")).unwrap()).unwrap();
    let layers = json["layers"].as_array().unwrap();
    let of = |name: &str, key: &str| {
        let layer = layers.iter().find(|layer| layer["layer"] == name);
        layer.and_then(|layer| layer.get(key)).cloned()
    };
    assert_eq!(of("conv3_1", "change"), Some(Value::Null));
    assert_eq!(of("relu3_1", "inactive"), Some(Value::Null));
    assert_eq!(of("relu3_1", "cka"), Some(Value::Null));
    assert_eq!(of("conv1_1", "change"), Some(0.0.into()));

    // Nothing is shown again, so nothing is judged again either.
    sweep(&place, "a").ok();
    sweep(&place, "a --fail-if change>9").fails(
        1,
        &["shows every checkpoint already: 2 steps", "another --run"],
    );
}

/// What a part cannot know, `merge` does.
#[test]
fn a_run_in_parts_is_summed_up_when_it_is_merged() {
    let place = place();
    for flag in ["--json s.json", "--fail-if nan>0"] {
        let ran = sweep(&place, &format!("a --shard 0/2 {flag}"));
        ran.fails(2, &["--json and --fail-if", "vggscope merge"]);
    }
    sweep(&place, "whole --json whole.json").ok();
    for part in ["0/2", "1/2"] {
        sweep(&place, &format!("a --shard {part}")).ok();
    }
    let merge = |flags: &str| place.run::<&str>(&format!("merge runs/a {flags}"), &[]);
    merge("--json s.json --fail-if nan>0").fails(1, &["--fail-if nan>0: conv3_1 has 1"]);
    let read = |name: &str| fs::read_to_string(place.path(name)).unwrap();
    assert_eq!(read("s.json"), read("whole.json"));
    merge("").ok();
    merge("--json s.json").fails(1, &["shows every checkpoint already", "another --run"]);
}
