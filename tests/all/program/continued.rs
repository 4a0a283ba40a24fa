//! `vggscope checkpoints` where a run goes on: the same command again, and `--follow`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, SystemTime};

use safetensors::SafeTensors;
use tensorboard_events::Value;

use crate::program::support::{
    Place, Ran, Seen, event_files, events_of, photo, root, steps, weights,
};

const LINE: &str =
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
pub(super) fn put(place: &Place, step: u8) {
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

fn sweep(place: &Place, flags: &str) -> Ran {
    place.run(&format!("{LINE} {flags}"), &args("chelsea.png"))
}

fn sweep_alone(place: &Place) -> Ran {
    let probe = photo("chelsea.png");
    place.run(&format!("{LINE} --change --compare off --images"), &[probe])
}

/// The steps of which there are Gram matrices.
fn grams(place: &Place) -> Vec<i64> {
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

fn run_of(place: &Place) -> Vec<Seen> {
    events_of(&event_files(&place.path("runs/a")))
}

/// What each step has by itself, and in comparison with the first one and the one before.
fn of_steps(seen: &[Seen]) -> BTreeMap<(String, i64), String> {
    // Pictures over time, and the comparison with the last step, are of what there was when they were made.
    let is_of_step = |one: &&Seen| {
        let of_run = is_over_time(one) || ["summary", "config"].contains(&one.tag.as_str());
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
        "evolution/",
        "similarity/steps",
        "similarity/layers",
        "health/",
    ];
    let is_scalar = matches!(one.value, Value::Scalar(_));
    !is_scalar && groups.iter().any(|group| one.tag.starts_with(group))
}

/// The pictures over time at a step.
fn over_time(seen: &[Seen], step: i64) -> BTreeMap<(String, i64), String> {
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
    // Ranges of changes come from the references, which are others.
    let is_equal = |(tag, _): &(String, i64)| !tag.starts_with("change/");
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
    let ran = sweep(&place, skip).ok();
    assert!(
        ran.err().contains("left out as before") && ran.err().contains("epoch_3.safetensors"),
        "{}",
        ran.err()
    );
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
    assert_eq!(steps(&run_of(&place), "change/11_relu3_1"), [2, 3]);
}

/// What is missing, or cannot be read, is made again: nothing twice, nothing lost.
#[test]
fn the_event_file_is_the_truth() {
    let place = Place::on_cpu();
    for step in 1..=3 {
        put(&place, step);
    }
    sweep(&place, "").ok();
    let state = place.path("runs/a/state.jsonl");
    let text = std::fs::read_to_string(&state).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 5, "{text}");
    let shows_all = || assert_eq!(steps(&run_of(&place), "kernels/00_conv1_1"), [1, 2, 3]);
    // The last line, an unfinished one, and a damaged one.
    for (kept, said) in [
        (lines[..4].join("\n") + "\n", ""),
        (lines[..3].join("\n") + "\n{\"step\":3,", ""),
        (
            lines[..3].join("\n") + "\n{}\n",
            "the steps after 2 are made again",
        ),
        (lines[0].to_owned() + "\n", ""),
    ] {
        std::fs::write(&state, kept).unwrap();
        let ran = sweep(&place, "").ok();
        assert!(ran.err().contains(said), "{}", ran.err());
        shows_all();
        assert_eq!(std::fs::read_to_string(&state).unwrap().lines().count(), 5);
    }
    // Event files that are cut off, and gone; Gram matrices, and the configuration.
    let files = event_files(&place.path("runs/a"));
    let file = std::fs::File::options()
        .write(true)
        .open(files.last().unwrap())
        .unwrap();
    file.set_len(file.metadata().unwrap().len() / 2).unwrap();
    let ran = sweep(&place, "").ok();
    assert!(ran.err().contains("are made again"), "{}", ran.err());
    shows_all();
    for path in event_files(&place.path("runs/a")) {
        std::fs::remove_file(path).unwrap();
    }
    std::fs::write(place.path("runs/a/config.toml"), "").unwrap();
    let ran = sweep(&place, "").ok();
    assert!(
        ran.err().contains("all steps are made again"),
        "{}",
        ran.err()
    );
    shows_all();
    assert!(
        std::fs::read_to_string(place.path("runs/a/config.toml"))
            .unwrap()
            .contains("layers")
    );
    let ran = sweep(&place, "").ok();
    assert!(
        ran.err()
            .contains("shows every checkpoint already: 3 steps"),
        "{}",
        ran.err()
    );
    // Without a state nobody knows what is in the event file.
    for text in ["", "{\"state\":1", "\0\0\0\0\n"] {
        std::fs::write(&state, text).unwrap();
        sweep(&place, "").fails(1, &["no whole state.jsonl", "name another --run"]);
    }
    std::fs::remove_file(&state).unwrap();
    sweep(&place, "").fails(1, &["no whole state.jsonl"]);
    shows_all();
}

/// Where a trainer keeps only its newest checkpoints, the run says what it compares with.
#[test]
fn earlier_files_may_be_gone() {
    let place = Place::on_cpu();
    for step in [1, 2] {
        put(&place, step);
    }
    sweep(&place, "").ok();
    for (gone, next, part) in [
        (
            1,
            3,
            "compared with epoch_2.safetensors instead of the first",
        ),
        (
            2,
            4,
            "compared with epoch_3.safetensors instead of the first",
        ),
    ] {
        std::fs::remove_file(place.path(&format!("ckpts/epoch_{gone}.safetensors"))).unwrap();
        put(&place, next);
        let ran = sweep(&place, "").ok();
        assert!(ran.err().contains(part), "{}", ran.err());
    }
    for step in [3, 4] {
        std::fs::remove_file(place.path(&format!("ckpts/epoch_{step}.safetensors"))).unwrap();
    }
    put(&place, 5);
    let ran = sweep(&place, "").ok();
    assert!(
        ran.err().contains("no file of the earlier steps"),
        "{}",
        ran.err()
    );
    assert_eq!(
        steps(&run_of(&place), "kernels/00_conv1_1"),
        [1, 2, 3, 4, 5]
    );
    // The Gram matrices of all steps are there for later.
    place.write("ckpts/epoch_6.safetensors", weights_of(6));
    sweep(&place, "").ok();
    assert_eq!(grams(&place), [1, 2, 3, 4, 5, 6]);
}

/// In pieces, by renaming, and at once; one is damaged for good, and one comes late.
#[test]
fn checkpoints_are_shown_as_they_come() {
    let place = Place::on_cpu();
    std::fs::create_dir(place.path("ckpts")).unwrap();
    let line = format!("{LINE} --follow=4s");
    let child = place
        .command(&line, &args("chelsea.png"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let path = |step: u8| place.path(&format!("ckpts/epoch_{step}.safetensors"));
    let bytes = weights_of(1);
    for end in [0, 100, bytes.len() / 2, bytes.len()] {
        std::fs::write(path(1), &bytes[..end]).unwrap();
        thread::sleep(Duration::from_millis(300));
    }
    std::fs::write(place.path("ckpts/half.tmp"), weights_of(3)).unwrap();
    std::fs::rename(place.path("ckpts/half.tmp"), path(3)).unwrap();
    std::fs::write(path(4), &bytes[..bytes.len() / 2]).unwrap();
    at_rest(&path(4));
    thread::sleep(Duration::from_millis(2500));
    put(&place, 2);
    put(&place, 5);
    let ran = Ran(child.wait_with_output().unwrap());
    assert_eq!(ran.code(), 1, "{}", ran.err());
    for part in [
        "waiting for the first complete checkpoint",
        "epoch_4.safetensors is incomplete or damaged",
        "epoch_2.safetensors came after a later step",
    ] {
        assert!(ran.err().contains(part), "no {part:?} in {}", ran.err());
    }
    assert!(ran.out().contains("a: 3 steps"), "{}", ran.out());
    let seen = run_of(&place);
    assert_eq!(steps(&seen, "kernels/00_conv1_1"), [1, 3, 5]);
    let strips = steps(&seen, "evolution/11_relu3_1");
    assert_eq!(strips.last(), Some(&5), "{strips:?}");
    assert_eq!(grams(&place), [1, 3, 5]);
    // What is damaged is so at the next start too.
    let again = sweep(&place, "--follow=1s").fails(1, &["skipped", "epoch_4.safetensors"]);
    assert!(again.err().contains("left out: "), "{}", again.err());
    // The same command goes on, and a followed run is continued without following.
    put(&place, 7);
    std::fs::remove_file(path(4)).unwrap();
    sweep(&place, "").ok();
    assert_eq!(steps(&run_of(&place), "kernels/00_conv1_1"), [1, 3, 5, 7]);
}

#[test]
fn following_nothing_says_so() {
    let place = Place::on_cpu();
    std::fs::create_dir(place.path("ckpts")).unwrap();
    sweep(&place, "--follow=1s").fails(1, &["no complete checkpoint came", "--follow=TIME"]);
    assert!(!place.path("runs").exists());
    std::fs::remove_dir(place.path("ckpts")).unwrap();
    let ran = sweep(&place, "--follow=1s");
    assert!(
        ran.err().contains("ckpts: there is no such file or folder"),
        "{}",
        ran.err()
    );
    sweep(&place, "--idle-exit 1s").fails(2, &["--idle-exit", "--follow"]);
    sweep(&place, "--follow=soon").fails(2, &["--follow", "10m"]);
    sweep(&place, "--follow --step index").fails(2, &["--follow", "--step REGEX"]);
}

/// As `kill -9` leaves it, at some moment: every tag has every step once in the end.
#[test]
fn a_killed_sweep_goes_on_where_it_was() {
    let place = Place::on_cpu();
    for step in 1..=6 {
        put(&place, step);
    }
    for (kill, follow) in [(0, ""), (1, "--follow=1s"), (2, ""), (3, "--follow=1s")] {
        let mut child = place
            .command(&format!("{LINE} {follow}"), &args("chelsea.png"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        thread::sleep(Duration::from_millis(250 + 130 * kill));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    sweep(&place, "").ok();
    let seen = run_of(&place);
    for tag in [
        "feature_maps/11_relu3_1",
        "kernels/00_conv1_1",
        "range/00_conv1_1/mean",
    ] {
        assert_eq!(steps(&seen, tag), [1, 2, 3, 4, 5, 6], "{tag}");
    }
    for tag in [
        "similarity/11_relu3_1/cka_to_first",
        "weight_change/05_conv2_1/to_previous",
    ] {
        assert_eq!(steps(&seen, tag), [2, 3, 4, 5, 6], "{tag}");
    }
}
