//! `vggscope checkpoints --shard` and `merge`: what several processes make is what one makes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use tensorboard_events::{Value, event_files as listed};

use super::continued::{args, put};
use crate::program::support::{Place, Ran, Seen, content, event_files, events_of, steps};

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
        let name = file.file_name().into_string().unwrap();
        (name, content(&file.path()))
    };
    files.map(file).collect()
}

#[track_caller]
pub(super) fn assert_equal(place: &Place, whole: &str, parts: &str) {
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
    for name in ["ranges.toml", "bases.safetensors"] {
        let of = |run: &str| fs::read(place.path(&format!("runs/{run}/{name}"))).unwrap();
        assert!(of(whole) == of(parts), "{name}");
    }
    let mut names: Vec<String> = fs::read_dir(place.path(&format!("runs/{parts}")))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.contains("tfevents"))
        .collect();
    names.sort();
    let expected = [
        ".lock",
        "bases.safetensors",
        "config.toml",
        "grams",
        "ranges.toml",
        "state.jsonl",
    ];
    assert_eq!(names, expected);
}

fn merge(place: &Place, run: &str) -> Ran {
    place.run::<&str>(&format!("merge runs/{run}"), &[])
}

#[test]
fn parts_make_the_run_that_one_process_makes() {
    let place = place();
    sweep(&place, "--run whole").ok();

    // In any order; each is a run that TensorBoard shows.
    let ran = sweep(&place, "--run parts --shard 2/3").ok();
    assert!(
        ran.out().contains("part 2/3: checkpoints 21 to 30 of 30"),
        "{}",
        ran.out()
    );
    assert!(ran.out().contains("vggscope merge"), "{}", ran.out());
    assert_eq!(
        steps(&seen(&place, "parts/part-2"), "checkpoint"),
        (21..=30).collect::<Vec<_>>()
    );
    sweep(&place, "--run parts --shard 0/3").ok();
    merge(&place, "parts").fails(1, &["lacks part 1 of 3", "merge again"]);

    // Other settings, images and checkpoints are refused.
    let wrong = |flags: &str, parts: &[&str]| {
        sweep(&place, flags).fails(2, parts);
    };
    wrong(
        "--run parts --shard 2/4",
        &["split into 3 parts, not 4", "auto/3"],
    );
    wrong(
        "--run parts --shard 2/3 --colormap viridis",
        &["colormap", "--run"],
    );
    wrong("--run parts", &["made in parts", "--shard I/N", "merge"]);
    place
        .run(
            &format!("{LINE} --run parts --shard 2/3"),
            &args("coffee.png"),
        )
        .fails(2, &["other probe"]);
    put(&place, 99);
    wrong("--run parts --shard 2/3", &["30 when", "and now 31"]);
    fs::remove_file(place.path("ckpts/epoch_99.safetensors")).unwrap();
    // One that is done says so, and is not made again.
    let ran = sweep(&place, "--run parts --shard 0/3").ok();
    assert!(
        ran.err().contains("shows every checkpoint already: 10"),
        "{}",
        ran.err()
    );

    sweep(&place, "--run parts --shard 1/3 --colormap viridis").ok();
    merge(&place, "parts").fails(1, &["part-1 is a part of another run"]);
    fs::remove_dir_all(place.path("runs/parts/part-1")).unwrap();
    sweep(&place, "--run parts --shard 1/3").ok();
    let ran = merge(&place, "parts").ok();
    assert!(ran.out().contains("3 parts are one run"), "{}", ran.out());
    assert!(ran.out().contains("30 steps"), "{}", ran.out());
    assert_equal(&place, "whole", "parts");
    let summary = |run: &str| {
        let seen = seen(&place, run);
        let texts = seen.into_iter().filter(|one| one.tag == "Overview/summary");
        texts
            .map(|one| format!("{:?}", one.value))
            .collect::<Vec<_>>()
    };
    assert_eq!(summary("whole"), summary("parts"));

    // From here on it is a run like others.
    for ran in [
        merge(&place, "parts"),
        sweep(&place, "--run parts --shard 1/3"),
    ] {
        let ran = ran.ok();
        let done = "shows every checkpoint already: 30 steps";
        assert!(ran.err().contains(done), "{}", ran.err());
    }
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
    merge(&place, "whole/none").fails(2, &["whole/none", "no such file or folder"]);
}

/// Whatever a `merge` that was killed left.
#[test]
fn a_merge_is_repeated() {
    let place = place();
    sweep(&place, "--run whole").ok();
    for part in 0..2 {
        sweep(&place, &format!("--run parts --shard {part}/2")).ok();
    }
    let run = place.path("runs/parts");
    let copies = place.path("copies");
    fs::create_dir(&copies).unwrap();
    let copy = |from: &Path, to: &Path| {
        assert!(
            Command::new("cp")
                .arg("-r")
                .arg(from)
                .arg(to)
                .status()
                .unwrap()
                .success()
        );
    };
    for part in ["part-0", "part-1"] {
        copy(&run.join(part), &copies);
    }
    merge(&place, "parts").ok();
    assert_equal(&place, "whole", "parts");
    // Killed before the parts were removed, and before the event file had its name.
    let put_back = || {
        for part in ["part-0", "part-1"] {
            copy(&copies.join(part), &run);
        }
    };
    put_back();
    merge(&place, "parts").ok();
    assert_equal(&place, "whole", "parts");
    let events = &event_files(&run)[0];
    // Of what all parts have, one of each is enough.
    for name in ["config.toml", "ranges.toml", "bases.safetensors"] {
        fs::remove_file(copies.join("part-0").join(name)).unwrap();
    }
    put_back();
    fs::rename(events, run.join("events.out.part.1.host.2.0")).unwrap();
    sweep(&place, "--run parts").fails(2, &["made in parts"]);
    // A task of the array that is repeated meanwhile has nothing to do, but what is lost is there again.
    fs::remove_file(run.join("part-1/config.toml")).unwrap();
    merge(&place, "parts").fails(1, &["config.toml of every part", "repeat the command"]);
    let ran = sweep(&place, "--run parts --shard 1/2").ok();
    assert!(ran.err().contains("already: 15 steps"), "{}", ran.err());
    merge(&place, "parts").ok();
    assert_equal(&place, "whole", "parts");
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
        let text = fs::read_to_string(place.path(&format!("runs/parts/part-{part}/state.jsonl")));
        text.is_ok_and(|text| text.lines().count() > 1)
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
    merge(&place, "parts").ok();
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
        // The same once more.
        for _ in 0..2 {
            let ran = sweep(&place, &format!("--run parts --shard {part}/3 {skip}"));
            match count {
                0 => drop(ran.ok()),
                _ => assert_eq!(ran.code(), 1, "{}", ran.err()),
            }
        }
    }
    let ran = merge(&place, "parts");
    assert_eq!((ran.code(), ran.err().matches("skipped").count()), (1, 2));
    assert_equal(&place, "whole", "parts");
    sweep(&place, &format!("--run whole {skip}")).fails(1, &["left out", "epoch_3.safetensors"]);
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
