//! `vggscope checkpoints --shard`: what several processes make is what one makes.

use std::collections::BTreeMap;
use std::fs;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use safetensors::SafeTensors;
use tensorboard_events::{Value, event_files as listed};

use super::continued::{args, put};
use crate::program::support::{Place, Ran, Seen, event_files, events_of, steps};

/// More steps than pictures over time have columns, so that some of these are drawn on the way.
const STEPS: u8 = 30;

const LINE: &str = "checkpoints ckpts --resize 64 --crop 64 --layers conv1_1,relu3_1 --change";

fn place() -> Place {
    let place = Place::on_cpu();
    for step in 1..=STEPS {
        put(&place, step);
    }
    place
}

fn sweep(place: &Place, flags: &str) -> Ran {
    place.run(&format!("{LINE} {flags}"), &args("chelsea.png"))
}

/// Every value of every tag, in the order of the files, with what is said about the tag.
fn all(seen: &[Seen]) -> BTreeMap<&str, Vec<(i64, &Value)>> {
    let mut all: BTreeMap<&str, Vec<(i64, &Value)>> = BTreeMap::new();
    // It names the run.
    for one in seen.iter().filter(|one| one.tag != "config") {
        all.entry(&one.tag)
            .or_default()
            .push((one.step, &one.value));
    }
    all
}

fn seen(place: &Place, run: &str) -> Vec<Seen> {
    events_of(&event_files(&place.path(&format!("runs/{run}"))))
}

/// The first description of each tag.
fn descriptions(seen: &[Seen]) -> BTreeMap<&str, &str> {
    let mut all = BTreeMap::new();
    for one in seen {
        all.entry(one.tag.as_str())
            .or_insert(one.description.as_str());
    }
    all
}

/// The tensors and the metadata of each step's Gram matrices, by file name.
fn grams(place: &Place, run: &str) -> BTreeMap<String, String> {
    let files = fs::read_dir(place.path(&format!("runs/{run}/grams"))).unwrap();
    let file = |file: std::io::Result<fs::DirEntry>| {
        let file = file.unwrap();
        let bytes = fs::read(file.path()).unwrap();
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let metadata: BTreeMap<_, _> = header.metadata().clone().unwrap().into_iter().collect();
        let tensors: BTreeMap<_, _> = SafeTensors::deserialize(&bytes)
            .unwrap()
            .tensors()
            .into_iter()
            .collect();
        let name = file.file_name().into_string().unwrap();
        (name, format!("{metadata:?} {tensors:?}"))
    };
    files.map(file).collect()
}

#[track_caller]
fn assert_equal(place: &Place, whole: &str, parts: &str) {
    let (one, other) = (seen(place, whole), seen(place, parts));
    let (a, b) = (all(&one), all(&other));
    assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>());
    for (tag, values) in &a {
        let numbers = |values: &[(i64, &Value)]| values.iter().map(|one| one.0).collect::<Vec<_>>();
        assert_eq!(numbers(values), numbers(&b[tag]), "{tag}");
        assert!(*values == b[tag], "{tag}");
    }
    assert_eq!(descriptions(&one), descriptions(&other));
    assert_eq!(steps(&other, "config"), [1]);
    let steps = grams(place, whole);
    assert!(!steps.is_empty() && steps == grams(place, parts));
    for name in ["ranges.toml", "manifest.jsonl"] {
        let of = |run: &str| {
            let bytes = fs::read(place.path(&format!("runs/{run}/{name}"))).unwrap();
            let mut lines: Vec<_> = bytes
                .split(|byte| *byte == b'\n')
                .map(<[u8]>::to_vec)
                .collect();
            // A file that is left out is noted when that is seen, a step when it is written.
            lines.sort();
            lines
        };
        assert!(of(whole) == of(parts), "{name}");
    }
    let mut names: Vec<String> = fs::read_dir(place.path(&format!("runs/{parts}")))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.contains("tfevents"))
        .collect();
    names.sort();
    let expected = ["config.toml", "grams", "manifest.jsonl", "ranges.toml"];
    assert_eq!(names, expected);
}

#[test]
fn parts_make_the_run_that_one_process_makes() {
    let place = place();
    sweep(&place, "--run whole").ok();

    // The last part first: nothing of it can be shown before the others are there.
    let ran = sweep(&place, "--run parts --shard 2/3").ok();
    assert!(
        ran.out().contains("part 2/3: checkpoints 21 to 30 of 30"),
        "{}",
        ran.out()
    );
    assert!(
        ran.out().contains("not done yet: part 0, 1;"),
        "{}",
        ran.out()
    );
    assert!(ran.out().contains("images=30,"), "{}", ran.out());
    assert!(event_files(&place.path("runs/parts")).is_empty());
    let ran = sweep(&place, "--run parts --shard 0/3").ok();
    assert!(ran.out().contains("not done yet: part 1;"), "{}", ran.out());
    assert_eq!(
        steps(&seen(&place, "parts"), "checkpoint"),
        (1..=10).collect::<Vec<_>>()
    );

    // Other settings, images and checkpoints are refused.
    let wrong = |flags: &str, parts: &[&str]| {
        sweep(&place, flags).fails(2, parts);
    };
    wrong(
        "--run parts --shard 1/4",
        &["split into 3 parts, not 4", "auto/3"],
    );
    wrong(
        "--run parts --shard 1/3 --colormap viridis",
        &["colormap", "--run"],
    );
    wrong("--run parts", &["made in parts", "--shard I/N"]);
    place
        .run(
            &format!("{LINE} --run parts --shard 1/3"),
            &args("coffee.png"),
        )
        .fails(2, &["other probe images"]);
    put(&place, 99);
    wrong(
        "--run parts --shard 1/3",
        &["30 when its first part began, and now 31"],
    );
    fs::remove_file(place.path("ckpts/epoch_99.safetensors")).unwrap();
    // One that is done says so, and is not made again.
    let ran = sweep(&place, "--run parts --shard 0/3").ok();
    assert!(ran.err().contains("not done yet: part 1"), "{}", ran.err());

    let ran = sweep(&place, "--run parts --shard 1/3").ok();
    assert!(
        ran.out().contains("all 3 parts are done: the run is whole"),
        "{}",
        ran.out()
    );
    assert_equal(&place, "whole", "parts");

    // From here on it is a run like others.
    let ran = sweep(&place, "--run parts --shard 1/3").ok();
    assert!(
        ran.err()
            .contains("shows every checkpoint already: 30 steps"),
        "{}",
        ran.err()
    );
    put(&place, 31);
    wrong(
        "--run parts --shard 1/3",
        &["1 checkpoints are new", "without --shard"],
    );
    sweep(&place, "--run parts").ok();
    assert_eq!(
        steps(&seen(&place, "parts"), "checkpoint"),
        (1..=31).collect::<Vec<_>>()
    );
}

#[test]
fn files_of_the_parts_that_cannot_be_read_or_are_damaged() {
    let place = place();
    sweep(&place, "--run parts --shard 0/3").ok();
    let file = |name: &str| place.path(&format!("runs/parts/parts/{name}"));
    for name in ["split.toml", "calibration.toml"] {
        let text = fs::read(file(name)).unwrap();
        fs::write(file(name), "parts =").unwrap();
        let ran = sweep(&place, "--run parts --shard 1/3");
        ran.fails(
            1,
            &[name, "damaged", "delete the folder", "runs/parts/parts"],
        );
        fs::remove_file(file(name)).unwrap();
        fs::create_dir(file(name)).unwrap();
        let ran = sweep(&place, "--run parts --shard 1/3");
        assert!(!ran.err().contains("cannot write"), "{}", ran.err());
        ran.fails(1, &["cannot read", name]);
        fs::remove_dir(file(name)).unwrap();
        fs::write(file(name), text).unwrap();
    }
    // Parts whose manifest is damaged have begun.
    let manifest = file("00000/manifest.jsonl");
    fs::write(manifest, "{}\n").unwrap();
    sweep(&place, "--run parts --shard 1/2").fails(2, &["split into 3 parts, not 2"]);
}

/// All at once, as an array of jobs whose tasks are killed and started again.
#[test]
fn parts_at_the_same_time_killed_and_repeated() {
    let place = place();
    sweep(&place, "--run whole").ok();
    let line = format!("{LINE} --run parts --shard auto");
    let task = |part: usize| {
        let mut command = place.command(&line, &args("chelsea.png"));
        command
            .env("SLURM_ARRAY_TASK_ID", (part + 1).to_string())
            .env("SLURM_ARRAY_TASK_COUNT", "4")
            .env("SLURM_ARRAY_TASK_MIN", "1")
            .env("SLURM_ARRAY_TASK_MAX", "4")
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    let mut killed: Vec<_> = (0..4).map(task).collect();
    let shows_steps = |part: usize| {
        let text =
            fs::read_to_string(place.path(&format!("runs/parts/parts/{part:05}/manifest.jsonl")));
        text.is_ok_and(|text| text.lines().count() > 3)
    };
    while !(0..4).any(shows_steps)
        && killed
            .iter_mut()
            .all(|task| task.try_wait().unwrap().is_none())
    {
        thread::sleep(Duration::from_millis(5));
    }
    for task in &mut killed {
        let _ = task.kill();
        task.wait().unwrap();
    }
    for task in (0..4).map(task).collect::<Vec<_>>() {
        let ended = task.wait_with_output().unwrap();
        let err = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(ended.status.success(), "{err}");
    }
    assert_equal(&place, "whole", "parts");
}

#[test]
fn a_part_that_is_none_and_checkpoints_that_cannot_be_read() {
    let place = Place::on_cpu();
    for step in 1..=6 {
        put(&place, step);
    }
    place.write("ckpts/epoch_3.safetensors", b"no weights");
    place.write("ckpts/epoch_4.safetensors", b"no weights");
    let skip = "--on-error skip --maps 4";
    let ran = sweep(&place, &format!("--run whole {skip}"));
    assert_eq!((ran.code(), ran.err().matches("skipped").count()), (1, 2));
    for (part, count) in [(0, 0), (1, 2), (2, 0)] {
        let ran = sweep(&place, &format!("--run parts --shard {part}/3 {skip}"));
        match count {
            0 => drop(ran.ok()),
            _ => assert_eq!(ran.code(), 1, "{}", ran.err()),
        }
    }
    assert_equal(&place, "whole", "parts");
    let ran = sweep(&place, "--run more --shard 7/9").ok();
    assert!(
        ran.err()
            .contains("part 7 has nothing to do: there are 6 checkpoints"),
        "{}",
        ran.err()
    );
    assert!(!place.path("runs/more").exists());
    sweep(&place, "--shard 1/3").fails(2, &["--shard", "--run"]);
    sweep(&place, "--run a --shard 3/3").fails(2, &["3/3", "0/N to N-1/N"]);
    sweep(&place, "--run a --shard auto").fails(
        2,
        &["SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX", "--shard I/N"],
    );
    sweep(&place, "--run a --shard 1/3 --follow").fails(2, &["--shard", "--follow"]);
    assert!(listed(&place.path("runs/a")).unwrap().is_empty());
}
