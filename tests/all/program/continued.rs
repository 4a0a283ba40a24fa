//! `vggscope checkpoints` where a run goes on: the same command again.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::time::{Duration, SystemTime};

use safetensors::SafeTensors;
use tensorboard_events::Value;

use crate::program::support::{
    Place, Ran, Seen, event_files, events_of, photo, root, steps, weights,
};

pub(super) const LINE: &str =
    "checkpoints ckpts --run a --resize 64 --crop 64 --layers conv1_1,relu3_1 --range layer";

/// The narrow VGG16 with numbers that depend on the step.
pub(super) fn weights_of(step: u8) -> Vec<u8> {
    let mut bytes = std::fs::read(weights()).unwrap();
    let begin = {
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let all = bytes.as_ptr() as usize;
        file.tensor("features.5.weight").unwrap().data().as_ptr() as usize - all
    };
    for four in bytes[begin..begin + 40].as_chunks_mut::<4>().0 {
        *four = (f32::from_le_bytes(*four) + f32::from(step) / 100.0).to_le_bytes();
    }
    bytes
}

/// Writes a checkpoint, long ago: it is at rest.
pub(crate) fn put(place: &Place, step: u8) {
    let path = place.write(&format!("ckpts/epoch_{step}.safetensors"), weights_of(step));
    at_rest(&path);
}

pub(super) fn at_rest(path: &Path) {
    let file = std::fs::File::options().append(true).open(path).unwrap();
    let then = SystemTime::now() - Duration::from_mins(2);
    file.set_modified(then).unwrap();
}

pub(super) fn args(probe: &str) -> Vec<OsString> {
    let compared = root().join("tests/fixtures/crops/val");
    vec![
        "--images".into(),
        photo(probe).into(),
        "--compare-images".into(),
        compared.into(),
    ]
}

pub(super) fn sweep(place: &Place, flags: &str) -> Ran {
    place.run(&format!("{LINE} {flags}"), &args("chelsea.png"))
}

fn sweep_alone(place: &Place) -> Ran {
    let probe = photo("chelsea.png");
    place.run(&format!("{LINE} --change --compare off --images"), &[probe])
}

/// The steps of which there are Gram matrices.
pub(super) fn grams(place: &Place) -> Vec<i64> {
    let files = std::fs::read_dir(place.path("runs/a/grams")).unwrap();
    let step = |file: std::io::Result<std::fs::DirEntry>| {
        let name = file.unwrap().file_name().into_string().unwrap();
        let step = name.strip_suffix(".safetensors").unwrap();
        step.parse().unwrap()
    };
    let mut steps: Vec<i64> = files.map(step).collect();
    steps.sort_unstable();
    steps
}

pub(super) fn run_of(place: &Place) -> Vec<Seen> {
    events_of(&event_files(&place.path("runs/a")))
}

/// What each step has by itself, and in comparison with the first one and the one before.
pub(super) fn of_steps(seen: &[Seen]) -> BTreeMap<(String, i64), String> {
    // Pictures over time, and the comparison with the last step, are of what there was when they were made.
    let is_of_step = |one: &&Seen| {
        let of_run = is_over_time(one) || one.tag == "config";
        !of_run && !one.tag.contains("_to_last")
    };
    values(seen.iter().filter(is_of_step))
}

fn values<'a>(seen: impl Iterator<Item = &'a Seen>) -> BTreeMap<(String, i64), String> {
    seen.map(|one| ((one.tag.clone(), one.step), format!("{:?}", one.value)))
        .collect()
}

fn is_over_time(one: &Seen) -> bool {
    let groups = [
        "Overview/",
        "evolution/",
        "similarity/steps",
        "similarity/layers",
        "health/",
    ];
    let tag = one.tag.as_str();
    // A probe image's own picture is of its step.
    if tag == "Overview/chelsea" {
        return false;
    }
    let is_scalar = matches!(one.value, Value::Scalar(_));
    !is_scalar && groups.iter().any(|group| tag.starts_with(group))
}

/// The pictures over time at a step.
pub(super) fn over_time(seen: &[Seen], step: i64) -> BTreeMap<(String, i64), String> {
    let there = seen.iter().filter(|one| one.step == step);
    values(there.filter(|one| is_over_time(one)))
}

#[test]
fn the_same_command_shows_what_is_new_as_one_run_would() {
    let (whole, parts) = (Place::on_cpu(), Place::on_cpu());
    for step in 1..=5 {
        put(&whole, step);
    }
    sweep(&whole, "--change").ok();
    for step in 1..=3 {
        put(&parts, step);
    }
    sweep(&parts, "--change").ok();
    for step in 4..=5 {
        put(&parts, step);
    }
    let ran = sweep(&parts, "--change --quiet").ok();
    assert!(ran.out().is_empty(), "{}", ran.out());
    let (whole, seen) = (run_of(&whole), run_of(&parts));
    // Drawn once more, of all steps.
    let pictures = over_time(&whole, 5);
    assert!(pictures.len() > 6, "{:?}", pictures.keys());
    assert!(pictures == over_time(&seen, 5));
    let (whole, seen) = (of_steps(&whole), of_steps(&seen));
    // Ranges of changes and bases of colors come from the references, which are others.
    let is_equal = |(tag, _): &(String, i64)| {
        !["change/", "pca/", "Overview/chelsea"]
            .iter()
            .any(|group| tag.starts_with(group))
    };
    assert_eq!(
        whole.keys().collect::<Vec<_>>(),
        seen.keys().collect::<Vec<_>>()
    );
    for (key, value) in whole.iter().filter(|(key, _)| is_equal(key)) {
        assert!(seen.get(key) == Some(value), "{key:?}");
    }
    let before = event_files(&parts.path("runs/a"));
    let ran = sweep(&parts, "--change").ok();
    assert!(
        ran.err()
            .contains("runs/a shows every checkpoint already: 5 steps"),
        "{}",
        ran.err()
    );
    assert_eq!(event_files(&parts.path("runs/a")), before);
}

#[test]
fn other_settings_and_other_probe_images_are_refused() {
    let place = Place::on_cpu();
    put(&place, 1);
    sweep(&place, "").ok();
    put(&place, 2);
    sweep(&place, "--colormap viridis --maps 1")
        .fails(2, &["runs/a", "colormap", "viridis", "maps", "--run"]);
    place
        .run(LINE, &args("coffee.png"))
        .fails(2, &["runs/a", "images"]);
    let other = place.put(&photo("coffee.png"), "chelsea.png");
    let mine = place.put(&photo("chelsea.png"), "mine/chelsea.png");
    let line = LINE.replace("--run a", "--run b");
    place.run(&format!("{line} --images"), &[&mine]).ok();
    std::fs::copy(other, &mine).unwrap();
    put(&place, 3);
    place
        .run(&format!("{line} --images"), &[&mine])
        .fails(2, &["runs/b", "other probe images", "--images"]);
    // How fast, where and how loud is free.
    sweep(&place, "--batch 2 --quiet --timings").ok();
    assert_eq!(steps(&run_of(&place), "kernels/00_conv1_1"), [1, 2, 3]);
}

#[test]
fn what_could_not_be_read_is_late_only_once_it_changed() {
    let place = Place::on_cpu();
    for step in [1, 2, 4] {
        put(&place, step);
    }
    at_rest(&place.write("ckpts/epoch_3.safetensors", b"no weights"));
    let skip = "--on-error skip";
    assert_eq!(sweep(&place, skip).code(), 1);
    let files = event_files(&place.path("runs/a"));
    let before = std::fs::read(&files[0]).unwrap();
    put(&place, 5);
    // What is asked for is still not all there.
    let ran = sweep(&place, skip);
    assert_eq!(ran.code(), 1);
    let as_before = "epoch_3.safetensors could not be read before, and did not change";
    assert!(ran.err().contains(as_before), "{}", ran.err());
    // But for the images over time, which come behind the last step.
    assert!(
        before.starts_with(&std::fs::read(&files[0]).unwrap()),
        "written again"
    );
    put(&place, 3);
    let ran = sweep(&place, skip).ok();
    for part in [
        "epoch_3.safetensors came after a later step",
        "every checkpoint already: 4 steps",
    ] {
        assert!(ran.err().contains(part), "{}", ran.err());
    }
    let seen = run_of(&place);
    assert_eq!(steps(&seen, "kernels/00_conv1_1"), [1, 2, 4, 5]);
}

#[test]
fn late_and_changed_files_are_left_out_with_a_note() {
    let place = Place::on_cpu();
    for step in [1, 2, 4] {
        put(&place, step);
    }
    sweep(&place, "").ok();
    put(&place, 3);
    place.write("ckpts/epoch_2.safetensors", weights_of(9));
    let ran = sweep(&place, "").ok();
    for part in [
        "epoch_3.safetensors came after",
        "epoch_2.safetensors changed",
        "name another --run",
    ] {
        assert!(ran.err().contains(part), "{}", ran.err());
    }
    assert_eq!(steps(&run_of(&place), "kernels/00_conv1_1"), [1, 2, 4]);

    // What comes later is shown, and compared with the steps whose files are still there.
    put(&place, 0);
    put(&place, 5);
    let ran = sweep(&place, "").ok();
    assert!(ran.err().contains("epoch_0.safetensors"), "{}", ran.err());
    assert_eq!(steps(&run_of(&place), "kernels/00_conv1_1"), [1, 2, 4, 5]);
}

/// Pictures of changes show the difference from the run's first step, compared or not.
#[test]
fn changes_go_on_from_the_first_step() {
    let place = Place::on_cpu();
    for step in 1..=2 {
        put(&place, step);
    }
    sweep_alone(&place).ok();
    put(&place, 3);
    sweep_alone(&place).ok();
    assert_eq!(steps(&run_of(&place), "change/chelsea/11_relu3_1"), [2, 3]);
}

/// As one process would over the same folder, without the files that came late.
#[test]
fn every_nth_counts_on_from_the_last_step() {
    let place = Place::on_cpu();
    for step in [10, 20, 30, 40] {
        put(&place, step);
    }
    let flags = "--every 2";
    sweep(&place, flags).ok();
    for step in [5, 15, 50, 60] {
        put(&place, step);
    }
    let ran = sweep(&place, flags).ok();
    let said = "one in 2: 3 of 8 checkpoints are shown";
    assert!(ran.err().contains(said), "{}", ran.err());
    let shown = |place| steps(&run_of(place), "kernels/00_conv1_1");
    assert_eq!(shown(&place), [10, 30, 50]);
    // The trainer keeps only its newest.
    for step in [5, 10, 15, 20, 30] {
        std::fs::remove_file(place.path(&format!("ckpts/epoch_{step}.safetensors"))).unwrap();
    }
    for step in [70, 80, 90] {
        put(&place, step);
    }
    sweep(&place, "--every 2 --follow=1s").ok();
    assert_eq!(shown(&place), [10, 30, 50, 70, 90]);
    sweep(&place, "--every 3").fails(2, &["every 2 -> 3"]);
}
