//! Runs that are killed or interrupted, and resumed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::{NARROW, course, crops, data, run_of, saved_steps, scalars, train};
use tensorboard_events::Value;

use crate::program::support::{Place, Ran, Seen, event_files, events_of, photo, steps, weights};

/// How the program reports a setting that differs from the run being resumed.
const CHANGED: &str = "setting changed: ";

/// Dropout, augmentation and a schedule: all state that a resumed run needs.
const LONG: &str =
    "--steps 40 --save-every 5 --keep all --validate-every 7 --every 3 --schedule cosine,warm-up=4";

/// The course of a run but for the comparison with the last logged step: where a run resumes between two of them,
/// that network was not saved.
fn from_anywhere(seen: &[Seen]) -> BTreeMap<&str, BTreeMap<i64, f32>> {
    let mut course = course(seen);
    course.retain(|tag, _| !tag.ends_with("to_previous"));
    course
}

/// Starts the program and waits until a file is there.
fn start_until(place: &Place, flags: &str, file: &Path) -> Child {
    let mut child = place
        .command(&format!("{NARROW} {flags}"), &data(&crops()))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let began = Instant::now();
    while !file.exists() {
        assert!(
            began.elapsed() < Duration::from_mins(1),
            "no {}",
            file.display()
        );
        if child.try_wait().unwrap().is_some() {
            let ran = Ran::of(child.wait_with_output().unwrap());
            panic!("ended before {}: {}", file.display(), ran.err());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    child
}

fn checkpoint(place: &Place, run: &str, step: u64) -> PathBuf {
    place
        .path(run)
        .join(format!("checkpoints/step_{step:06}.safetensors"))
}

fn values<'a>(seen: &'a [Seen], tag: &str) -> Vec<&'a Value> {
    let of_tag = seen.iter().filter(|one| one.tag == tag);
    of_tag.map(|one| &one.value).collect()
}

/// kill -9 at several moments, then `--resume`: the run is equal to one that was never killed.
#[test]
fn a_killed_run_resumes_to_the_same_course() {
    let place = Place::on_cpu();
    train(&place, &format!("--run whole {LONG}")).ok();
    let whole = run_of(&place, "runs/whole");
    // In the middle of a checkpoint too: its network comes last.
    let moments = [
        ["step_000000.safetensors", "step_000015.optimizer"],
        ["step_000010.toml", "step_000030.safetensors"],
    ];
    for (at, kills) in moments.into_iter().enumerate() {
        let run = format!("killed{at}");
        let mut flags = format!("--run {run} {LONG}");
        for file in kills {
            let file = place.path(&format!("runs/{run}/checkpoints/{file}"));
            let mut child = start_until(&place, &flags, &file);
            child.kill().unwrap();
            child.wait().unwrap();
            flags = format!("--run {run} {LONG} --resume");
        }
        let ran = train(&place, &flags).ok();
        assert!(ran.err().contains("resuming from"), "{}", ran.err());
        assert!(!ran.err().contains(CHANGED), "{}", ran.err());
        let seen = run_of(&place, &format!("runs/{run}"));
        assert_eq!(from_anywhere(&seen), from_anywhere(&whole));
        for tag in [
            "feature_maps/chelsea/00_conv1_1",
            "feature_maps/coffee/28_pool5",
            "kernels/00_conv1_1",
        ] {
            assert_eq!(
                steps(&whole, tag).len(),
                15,
                "every third of 40, and the last"
            );
            assert_eq!(steps(&seen, tag), steps(&whole, tag), "{tag}");
            assert!(values(&seen, tag) == values(&whole, tag), "{tag}");
        }
        // Each process shows the inputs that it was given.
        assert_eq!(steps(&seen, "input/coffee").len(), 3);
        assert!(values(&seen, "input/coffee")[2] == values(&whole, "input/coffee")[0]);
        assert_eq!(event_files(&place.path(&format!("runs/{run}"))).len(), 3);
        let [killed, whole] =
            [run.as_str(), "whole"].map(|run| checkpoint(&place, &format!("runs/{run}"), 40));
        assert!(std::fs::read(killed).unwrap() == std::fs::read(whole).unwrap());
    }
}

/// A partly written checkpoint is removed, and a damaged one is set aside.
#[test]
fn a_partly_written_checkpoint_is_ignored() {
    let place = Place::new();
    train(&place, "--run a --steps 6 --save-every 2 --keep all").ok();
    let folder = "runs/a/checkpoints";
    place.write(&format!("{folder}/step_000008.optimizer"), "half");
    place.write(&format!("{folder}/step_000008.safetensors.part"), "half");
    let ran = train(
        &place,
        "--run a --steps 8 --save-every 2 --keep all --resume",
    )
    .ok();
    assert!(
        ran.err()
            .contains("step_000006.safetensors (step 6, epoch 1)"),
        "{}",
        ran.err()
    );
    assert!(
        ran.err().contains(&format!("{CHANGED}steps 6 -> 8")),
        "{}",
        ran.err()
    );

    assert!(
        !place
            .path(&format!("{folder}/step_000008.safetensors.part"))
            .exists()
    );

    place.write(&format!("{folder}/step_000008.optimizer"), "damaged");
    let ran = train(&place, "--run a --steps 10 --resume --keep all").ok();
    for part in [
        "step_000008.optimizer cannot be read",
        "the checkpoint before it",
        "step_000006.safetensors (step 6, epoch 1)",
    ] {
        assert!(ran.err().contains(part), "{}", ran.err());
    }
    let aside = format!("{folder}/step_000008.safetensors.damaged");
    assert!(place.path(&aside).exists());
    let seen = run_of(&place, "runs/a");
    assert_eq!(steps(&seen, "train/loss"), (1..=10).collect::<Vec<_>>());
}

/// Steps taken still count; what remains of the epochs is counted in batches of the new size.
#[test]
fn a_run_resumes_with_another_batch_size() {
    let place = Place::new();
    // 4 of 6 batches of 12.
    train(&place, "--run a --steps 4").ok();
    let ran = train(
        &place,
        "--run a --epochs 2 --batch-size 24 --accumulate 2 --save-every off --resume",
    )
    .ok();
    assert!(
        ran.err().contains(&format!("{CHANGED}batch-size 12 -> 24")),
        "{}",
        ran.err()
    );
    // 48 of 72 images are behind it: a step for the batch that is left of this epoch, two for the next.
    let seen = run_of(&place, "runs/a");
    assert_eq!(steps(&seen, "train/loss"), (1..=7).collect::<Vec<_>>());
    assert_eq!(steps(&seen, "val/loss"), [4, 5, 7]);
    let text = std::fs::read_to_string(place.path("runs/a/checkpoints/step_000007.toml")).unwrap();
    assert!(
        text.contains("epoch = 2") && text.contains("batch = 0"),
        "{text}"
    );
}

#[cfg(unix)]
fn send(signal: &str, child: &Child) {
    let sent = std::process::Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
}

/// Ctrl-C, what Slurm and Kubernetes send before they kill, and a closed terminal.
#[cfg(unix)]
#[test]
fn a_signal_ends_after_the_step_and_saves() {
    for (signal, code) in [("-INT", 130), ("-TERM", 143), ("-HUP", 129)] {
        end_by(signal, code);
    }
}

#[cfg(unix)]
fn end_by(signal: &str, code: i32) {
    let place = Place::on_cpu();
    train(&place, &format!("--run whole {LONG}")).ok();
    // No periodic checkpoint falls within the run.
    let flags = LONG.replace("--save-every 5", "--save-every 1000");
    let first = checkpoint(&place, "runs/a", 0);
    let child = start_until(&place, &format!("--run a {flags}"), &first);
    std::thread::sleep(Duration::from_millis(100));
    send(signal, &child);
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert_eq!(ran.code(), code, "{}", ran.err());
    assert!(
        ran.err().contains("ending after this step"),
        "{}",
        ran.err()
    );
    let saved = saved_steps(&place, "runs/a");
    let last = *saved.last().unwrap();
    assert!((1..40).contains(&last), "{saved:?}");
    assert!(
        ran.out().contains(&format!("step_{last:06}.safetensors")),
        "{}",
        ran.out()
    );
    assert!(
        ran.out().contains("--resume"),
        "no way to resume: {}",
        ran.out()
    );
    let losses = steps(&run_of(&place, "runs/a"), "train/loss");
    assert_eq!(losses.last(), Some(&i64::try_from(last).unwrap()));

    train(&place, &format!("--run a {LONG} --resume")).ok();
    let (seen, whole) = (run_of(&place, "runs/a"), run_of(&place, "runs/whole"));
    assert_eq!(from_anywhere(&seen), from_anywhere(&whole));
}

/// It is a part of its step: no later process makes it.
#[cfg(unix)]
#[test]
fn a_signal_during_a_validation_waits_for_it() {
    let place = Place::on_cpu();
    // The last step's validation of 24 images one by one takes most of the time.
    let flags = "--run a --steps 1 --batch-size 1 --threads 1 --crop 160 --resize 160";
    let child = start_until(&place, flags, &checkpoint(&place, "runs/a", 0));
    std::thread::sleep(Duration::from_millis(150));
    send("-TERM", &child);
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert!([0, 143].contains(&ran.code()), "{}", ran.err());
    let seen = run_of(&place, "runs/a");
    assert_eq!(steps(&seen, "val/loss"), steps(&seen, "train/loss"));
}

/// At half the width, a step of 72 images at 160 pixels takes seconds, far longer than the test.
#[cfg(unix)]
#[test]
fn a_second_ctrl_c_ends_at_once() {
    use std::io::{BufRead, BufReader, Read};

    let place = Place::new();
    let flags = "--run a --width 0.5 --crop 160 --resize 160 --batch-size 72";
    let first = checkpoint(&place, "runs/a", 0);
    let mut child = start_until(&place, flags, &first);
    send("-INT", &child);
    let mut notes = BufReader::new(child.stderr.take().unwrap());
    let mut note = String::new();
    while !note.contains("Ctrl-C again ends at once") {
        note.clear();
        assert_ne!(notes.read_line(&mut note).unwrap(), 0, "no such note");
    }
    send("-INT", &child);
    let mut rest = String::new();
    notes.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest}");
    // The step was not waited for, and what was there stays readable.
    assert_eq!(saved_steps(&place, "runs/a"), [0]);
    let seen = run_of(&place, "runs/a");
    assert_eq!(steps(&seen, "train/loss"), [0; 0]);
    assert_eq!(steps(&seen, "kernels/00_conv1_1"), [0]);
}

#[test]
fn a_run_can_be_made_longer_by_its_own_configuration() {
    let place = Place::on_cpu();
    train(&place, "--run long --epochs 3").ok();
    train(&place, "--run a --epochs 2").ok();
    let config = ["runs/a/config.toml"];
    // A job script may always say --resume.
    let done = place.run("train --resume --config", &config).ok();
    for part in ["runs/a", "step 12 of 12", "--epochs"] {
        assert!(done.err().contains(part), "{}", done.err());
    }
    let before = events_of(&event_files(&place.path("runs/a"))).len();
    place
        .run("train --resume --epochs 3 --config", &config)
        .ok();
    let seen = run_of(&place, "runs/a");
    assert!(seen.len() > before);
    assert_eq!(course(&seen), course(&run_of(&place, "runs/long")));
    assert_eq!(
        steps(&seen, "feature_maps/chelsea/00_conv1_1"),
        (0..=18).collect::<Vec<_>>()
    );
}

/// What was settled before the first step holds for those after a resume, and they are compared with the same
/// networks: each picture and scalar is that of a run that was not interrupted.
#[test]
fn a_resumed_run_compares_as_one_that_was_not_interrupted() {
    let place = Place::on_cpu();
    let crops = place.path("crops");
    for n in 0..16 {
        let photo = photo(["chelsea.png", "coffee.png"][n % 2]);
        place.put(&photo, &format!("crops/{n}.png"));
    }
    for flags in ["--change=previous", "--range run --maps top:2 --change"] {
        let flags = format!("{flags} --validate-every off --save-every 2 --compare-images=");
        let (whole, parts) = (
            ["--run whole --epochs 2"],
            ["--run parts --epochs 1", "--run parts --epochs 2 --resume"],
        );
        for line in whole.iter().chain(&parts) {
            train(&place, &format!("{line} {flags}{}", crops.display())).ok();
        }
        let [whole, parts] = ["runs/whole", "runs/parts"].map(|run| run_of(&place, run));
        let (of_parts, of_whole) = (course(&parts), course(&whole));
        // The last step of a run is validated.
        let comparable = of_whole.iter().filter(|(tag, _)| !tag.starts_with("val/"));
        for (tag, values) in comparable {
            assert_eq!(of_parts.get(tag), Some(values), "{flags}: {tag}");
        }
        let pictures = |seen: &[Seen]| -> BTreeMap<(String, i64), Vec<u8>> {
            let pictures = seen.iter().filter_map(|one| match &one.value {
                Value::Image { pngs, .. } => Some(((one.tag.clone(), one.step), pngs.concat())),
                _ => None,
            });
            // Strips over time have the columns of this process, besides that of the first step.
            let over_time = ["Overview/", "evolution/", "similarity/steps/", "health/"];
            let is_of_step =
                |(tag, _): &(String, i64)| !over_time.iter().any(|t| tag.starts_with(t));
            pictures.filter(|(key, _)| is_of_step(key)).collect()
        };
        let (whole, parts) = (pictures(&whole), pictures(&parts));
        for tag in [
            "change/chelsea/00_conv1_1",
            "kernels/change",
            "similarity/layers",
        ] {
            assert!(
                whole.contains_key(&(tag.to_owned(), 12)),
                "{:?}",
                whole.keys()
            );
        }
        for (key, picture) in &whole {
            assert!(parts.get(key) == Some(picture), "{flags}: {key:?}");
        }
        for run in ["whole", "parts"] {
            std::fs::remove_dir_all(place.path(&format!("runs/{run}"))).unwrap();
        }
    }
}

/// Where the first network cannot be made again, a resumed run says what its steps are compared with instead.
#[test]
fn a_first_network_that_is_gone_is_noted() {
    let place = Place::on_cpu();
    let first = place.put(&weights(), "first.safetensors");
    let line = "train --run a --scalars all --resize 32 --crop 32 --layers pool5 --validate-every off --weights";
    let train = |flags: &str| {
        place
            .run(
                &format!("{line} {} {flags}", first.display()),
                &data(&crops()),
            )
            .ok()
    };
    train("--steps 1");
    std::fs::remove_file(&first).unwrap();
    let ran = train("--steps 2 --resume");
    for part in [
        "compared with step 1 instead of the first",
        "first.safetensors",
    ] {
        assert!(ran.err().contains(part), "{}", ran.err());
    }
    let seen = run_of(&place, "runs/a");
    let from_first = scalars(&seen, "weight_change/00_conv1_1/to_first");
    assert!(from_first[&2] > 0.0, "{from_first:?}");
}
